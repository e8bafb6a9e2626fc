//! The messages of a request, and what they hold.
//!
//! Law: what one role says in a row is one message, and what the system says stands before all of them. What says nothing is not written, for
//! the vendor refuses it. Pictures, sounds and documents are in the request, or in an S3 bucket; none is fetched.

use super::super::super::anthropic::{block, is_own_proof};
use super::super::super::chat::{Call, Chat, Kind, Part, Role, Source};
use super::super::super::json::Json;
use super::{NO_PLACE, Writer};
use crate::tape::Tape;

/// A part and its path in OpenAI's dialect.
type Said<'c> = (String, &'c Part);

/// Types of documents, and the words for them.
const DOCUMENTS: [(&str, &str); 10] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("application/json", "txt"),
];

/// The words for types of pictures.
const PICTURES: [&str; 4] = ["png", "jpeg", "gif", "webp"];

/// How a PDF begins, in base64.
const PDF: &str = "JVBERi";

/// Writes that everything before it may be kept.
pub(super) fn cache_point(cache: &str, json: &mut Json) {
    let mut tape = Tape::default();
    let root = tape.read(cache.as_bytes()).ok().and_then(|()| tape.root(cache.as_bytes()));
    let long = root.and_then(|root| root.get("ttl")).is_some_and(|ttl| ttl.is("1h"));
    json.object(|json| {
        json.key("cachePoint").object(|json| {
            json.key("type").string("default");
            if long {
                json.key("ttl").string("1h");
            }
        });
    });
}

impl Writer {
    /// Writes that everything before it may be kept, where the model takes that.
    fn cached(&mut self, path: &str, part: &Part, json: &mut Json) {
        match &part.cache {
            Some(cache) if self.caches.said => cache_point(cache, json),
            Some(_) => self.untold.leave(format!("{path}.cache_control")),
            None => {}
        }
    }

    /// What the system says.
    pub(super) fn system(&mut self, chat: &Chat, json: &mut Json) {
        let said = self.said(chat, |role| role == Role::System);
        json.array(|json| {
            for (path, part) in said.into_iter().flat_map(|(_, parts)| parts) {
                match &part.kind {
                    Kind::Text(text) => json.object(|json| json.key("text").string(text)),
                    _ => self.untold.refuse(path.clone(), "the system speaks in text there"),
                }
                self.cached(&path, part, json);
            }
        });
    }

    /// What all others say.
    pub(super) fn messages(&mut self, chat: &Chat, json: &mut Json) {
        let mut turns: Vec<(Role, Vec<Said<'_>>)> = Vec::new();
        for (role, mut parts) in self.said(chat, |role| role != Role::System) {
            match turns.last_mut().filter(|(last, _)| *last == role) {
                Some((_, before)) => before.append(&mut parts),
                None => turns.push((role, parts)),
            }
        }
        json.array(|json| {
            for (role, parts) in &turns {
                json.object(|json| {
                    json.key("role").string(if *role == Role::Assistant { "assistant" } else { "user" });
                    json.key("content").array(|json| {
                        for said in parts {
                            self.part(said, json);
                            self.cached(&said.0, said.1, json);
                        }
                    });
                });
            }
        });
    }

    /// What is said by some, without what says nothing.
    fn said<'c>(&mut self, chat: &'c Chat, by: fn(Role) -> bool) -> Vec<(Role, Vec<Said<'c>>)> {
        let mut said = Vec::new();
        for (at, message) in chat.messages.iter().enumerate().filter(|(_, message)| by(message.role)) {
            if message.name.is_some() {
                self.untold.leave("messages.name");
            }
            let path = |inner: usize| format!("messages[{at}].content[{inner}]");
            let parts = message.content.iter().enumerate().map(|(inner, part)| (path(inner), part));
            let parts: Vec<Said<'c>> = parts.filter(|(_, part)| self.says(part)).collect();
            if !parts.is_empty() {
                said.push((message.role, parts));
            }
        }
        said
    }

    /// Whether a part says anything to the vendor: it takes no thoughts but those that a model there signed.
    fn says(&mut self, part: &Part) -> bool {
        match &part.kind {
            Kind::Text(text) | Kind::Refusal(text) => !text.trim().is_empty(),
            Kind::Thinking { signature, .. } if !signature.as_deref().is_some_and(is_own_proof) => {
                self.untold.leave("messages.reasoning_content");
                false
            }
            _ => true,
        }
    }

    fn part(&mut self, (path, part): &Said<'_>, json: &mut Json) {
        json.object(|json| match &part.kind {
            Kind::Text(text) | Kind::Refusal(text) => json.key("text").string(text),
            Kind::Image(source, detail) => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.untold.leave("messages.content.image_url.detail");
                }
                self.image(path, source, json);
            }
            Kind::File { source, name } => self.document(path, (source, name.as_deref()), json),
            Kind::Audio { data, format } => json.key("audio").object(|json| {
                json.key("format").string(format);
                json.key("source").object(|json| json.key("bytes").string(data));
            }),
            Kind::Thinking { text, signature } => json.key("reasoningContent").object(|json| {
                json.key("reasoningText").object(|json| {
                    json.key("text").string(text);
                    if let Some(signature) = signature {
                        json.key("signature").string(signature);
                    }
                });
            }),
            Kind::Redacted(data) => {
                json.key("reasoningContent").object(|json| json.key("redactedContent").string(data));
            }
            Kind::Call(call) => self.call(path, call, json),
            Kind::Output { id, content, failed } => self.output(path, (id, content, *failed), json),
            Kind::Other(_) => self.untold.refuse(path.clone(), NO_PLACE),
        });
    }

    fn image(&mut self, path: &str, source: &Source, json: &mut Json) {
        let told = match source {
            Source::Data { media_type, .. } => media_type.strip_prefix("image/").unwrap_or_default(),
            Source::Url(url) => url.rsplit('.').next().unwrap_or_default(),
            Source::Id(_) => "",
        };
        let format = if told == "jpg" { "jpeg" } else { told };
        let reachable = self.is_reachable(path, source);
        if reachable && !PICTURES.contains(&format) {
            self.untold.refuse(path.to_owned(), "a picture is PNG, JPEG, GIF or WebP there");
        }
        json.key("image").object(|json| {
            json.key("format").string(format);
            write_source(source, json);
        });
    }

    fn document(&mut self, path: &str, (source, name): (&Source, Option<&str>), json: &mut Json) {
        let ending = |text: &str| {
            let ending = text.rsplit('.').next().unwrap_or_default();
            DOCUMENTS.iter().map(|(_, word)| *word).find(|word| *word == ending)
        };
        let format = match source {
            Source::Data { media_type, data } => {
                let known = DOCUMENTS.iter().find(|(known, _)| known == media_type).map(|(_, word)| *word);
                known.or_else(|| data.starts_with(PDF).then_some("pdf")).or_else(|| name.and_then(ending))
            }
            Source::Url(url) => ending(url),
            Source::Id(_) => None,
        };
        let reachable = self.is_reachable(path, source);
        if reachable && format.is_none() {
            self.untold.refuse(path.to_owned(), "a document of this type is not taken there");
        }
        self.documents += 1;
        json.key("document").object(|json| {
            json.key("format").string(format.unwrap_or_default());
            json.key("name").string(&called(name, self.documents));
            write_source(source, json);
        });
    }

    /// Whether the vendor gets at something: it is in the request, or in a bucket.
    fn is_reachable(&mut self, path: &str, source: &Source) -> bool {
        let why = match source {
            Source::Data { .. } => return true,
            Source::Url(url) if url.starts_with("s3://") => return true,
            Source::Url(_) => "nothing is fetched there: it is sent along, or in S3",
            Source::Id(_) => "files are not kept there",
        };
        self.untold.refuse(path.to_owned(), why);
        false
    }

    fn call(&mut self, path: &str, call: &Call, json: &mut Json) {
        if call.id.is_empty() {
            self.untold.refuse(format!("{path}.id"), "a call has an id there");
        }
        let Some(arguments) = block::arguments(&call.arguments) else {
            return self
                .untold
                .refuse(format!("{path}.arguments"), "the arguments of a call are an object there");
        };
        json.key("toolUse").object(|json| {
            json.key("toolUseId").string(&id(&call.id));
            json.key("name").string(&call.name);
            json.key("input").raw(arguments.as_bytes());
        });
    }

    fn output(&mut self, path: &str, (call, content, failed): (&str, &[Part], bool), json: &mut Json) {
        json.key("toolResult").object(|json| {
            json.key("toolUseId").string(&id(call));
            json.key("content").array(|json| {
                for (at, part) in content.iter().enumerate() {
                    self.given((format!("{path}.content[{at}]"), part), json);
                }
            });
            if failed {
                json.key("status").string("error");
            }
        });
    }

    /// What a tool gave back.
    fn given(&mut self, (path, part): Said<'_>, json: &mut Json) {
        if part.cache.is_some() {
            self.untold.leave("messages.content.cache_control");
        }
        match &part.kind {
            Kind::Text(_) | Kind::Refusal(_) | Kind::Image(..) | Kind::File { .. } => {
                if self.says(part) {
                    self.part(&(path, part), json);
                }
            }
            _ => self.untold.refuse(path, "no tool gives that back there"),
        }
    }
}

fn write_source(source: &Source, json: &mut Json) {
    json.key("source").object(|json| match source {
        Source::Data { data, .. } => json.key("bytes").string(data),
        Source::Url(url) | Source::Id(url) => {
            json.key("s3Location").object(|json| json.key("uri").string(url));
        }
    });
}

/// What a document is called: letters, digits, single blanks, hyphens and brackets, and unlike the others.
fn called(name: Option<&str>, at: usize) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-()[] ".contains(c);
    let name: String = name.unwrap_or_default().chars().map(|c| if fits(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    let name = if words.is_empty() { "document".to_owned() } else { words.join(" ") };
    let short: String = name.chars().take(180).collect();
    format!("{short} {at}")
}

/// An id of a call as the vendor takes it: letters, digits, `_` and `-`. Other characters become `_`, in a call and in what it gave alike.
fn id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    id.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
