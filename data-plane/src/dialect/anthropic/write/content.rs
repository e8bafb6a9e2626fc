//! The messages of a request, and what they hold.
//!
//! Law: what one role says in a row is one message, and what the system says stands before all of them. What says nothing is not written, for
//! the vendor refuses it: empty texts, and messages of nothing else.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::super::chat::{Call, Chat, Kind, Part, Role, Source};
use super::super::super::json::Json;
use super::super::{block, is_own_proof};
use super::{NO_PLACE, Writer};

/// A part and its path in OpenAI's dialect.
type Said<'c> = (String, &'c Part);

impl Writer {
    /// What the system says.
    pub(super) fn system(&mut self, chat: &Chat, json: &mut Json) {
        let said = self.said(chat, |role| role == Role::System);
        let parts: Vec<Said<'_>> = said.into_iter().flat_map(|(_, parts)| parts).collect();
        for (path, part) in &parts {
            if !matches!(part.kind, Kind::Text(_)) {
                self.untold.refuse(path.clone(), "the system speaks in text there");
            }
        }
        self.content(&parts, json);
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
                    self.content(parts, json.key("content"));
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

    /// Whether a part says anything to the vendor: it takes no thoughts but those that it signed.
    fn says(&mut self, part: &Part) -> bool {
        match &part.kind {
            Kind::Text(text) | Kind::Refusal(text) => !text.is_empty(),
            Kind::Thinking { signature, .. } if !signature.as_deref().is_some_and(is_own_proof) => {
                self.untold.leave("messages.reasoning_content");
                false
            }
            _ => true,
        }
    }

    /// One text without a mark is a string, anything more is blocks.
    fn content(&mut self, parts: &[Said<'_>], json: &mut Json) {
        if let [(_, Part { kind: Kind::Text(text), cache: None })] = parts {
            return json.string(text);
        }
        json.array(|json| parts.iter().for_each(|said| self.part(said, json)));
    }

    fn part(&mut self, (path, part): &Said<'_>, json: &mut Json) {
        if let Kind::Other(raw) = &part.kind {
            return match block::is_ours(raw) {
                true => json.raw(raw.as_bytes()),
                false => self.untold.refuse(path.clone(), NO_PLACE),
            };
        }
        json.object(|json| {
            self.kind(path, &part.kind, json);
            let takes = !matches!(part.kind, Kind::Thinking { .. } | Kind::Redacted(_));
            if let Some(cache) = part.cache.as_ref().filter(|_| takes) {
                json.key("cache_control").raw(cache.as_bytes());
            }
        });
    }

    fn kind(&mut self, path: &str, kind: &Kind, json: &mut Json) {
        match kind {
            Kind::Text(text) | Kind::Refusal(text) => block::write_text(text, json),
            Kind::Image(source, detail) => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.untold.leave("messages.content.image_url.detail");
                }
                json.key("type").string("image");
                self.image(path, source, json);
            }
            Kind::File { source, name } => {
                json.key("type").string("document");
                self.document(path, source, json);
                if let Some(name) = name {
                    json.key("title").string(name);
                }
            }
            Kind::Thinking { text, signature } => block::write_thinking((text, signature.as_deref()), json),
            Kind::Redacted(data) => block::write_redacted(data, json),
            Kind::Call(call) => self.call(path, call, json),
            Kind::Output { id, content, failed } => self.output(path, (id, content, *failed), json),
            Kind::Audio { .. } => self.untold.refuse(path.to_owned(), "there are no sounds there"),
            // Written as it stands.
            Kind::Other(_) => {}
        }
    }

    fn image(&mut self, path: &str, source: &Source, json: &mut Json) {
        if matches!(source, Source::Data { media_type, .. } if media_type.is_empty()) {
            self.untold.refuse(path.to_owned(), "the type of a picture is told there");
        }
        json.key("source").object(|json| write_source(source, json));
    }

    /// A document: a PDF, or a text.
    fn document(&mut self, path: &str, source: &Source, json: &mut Json) {
        /// How a PDF begins, in base64.
        const PDF: &str = "JVBERi";
        let Source::Data { media_type, data } = source else {
            return json.key("source").object(|json| write_source(source, json));
        };
        let unlabelled = matches!(media_type.as_str(), "" | "application/octet-stream");
        if media_type == "application/pdf" || unlabelled && data.starts_with(PDF) {
            let pdf = Source::Data { media_type: "application/pdf".to_owned(), data: data.clone() };
            return json.key("source").object(|json| write_source(&pdf, json));
        }
        let is_text = media_type.starts_with("text/") || media_type == "application/json";
        let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match text.filter(|_| is_text) {
            Some(text) => json.key("source").object(|json| {
                json.key("type").string("text");
                json.key("media_type").string("text/plain");
                json.key("data").string(&text);
            }),
            None => self.untold.refuse(path.to_owned(), "a document is a PDF or a text there"),
        }
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
        block::write_tool_use((&id(&call.id), &call.name, arguments), json);
    }

    fn output(&mut self, path: &str, output: (&str, &[Part], bool), json: &mut Json) {
        let (call, content, failed) = output;
        json.key("type").string("tool_result");
        json.key("tool_use_id").string(&id(call));
        let said = content.iter().enumerate().map(|(at, part)| (format!("{path}.content[{at}]"), part));
        let said: Vec<Said<'_>> = said.filter(|(_, part)| self.says(part)).collect();
        let fits = |kind: &Kind| {
            matches!(
                kind,
                Kind::Text(_) | Kind::Refusal(_) | Kind::Image(..) | Kind::File { .. } | Kind::Other(_)
            )
        };
        if let Some((path, _)) = said.iter().find(|(_, part)| !fits(&part.kind)) {
            return self.untold.refuse(path.clone(), "no tool gives that back there");
        }
        if !said.is_empty() {
            self.content(&said, json.key("content"));
        }
        if failed {
            json.key("is_error").boolean(true);
        }
    }
}

fn write_source(source: &Source, json: &mut Json) {
    match source {
        Source::Data { media_type, data } => {
            json.key("type").string("base64");
            json.key("media_type").string(media_type);
            json.key("data").string(data);
        }
        Source::Url(url) => {
            json.key("type").string("url");
            json.key("url").string(url);
        }
        Source::Id(id) => {
            json.key("type").string("file");
            json.key("file_id").string(id);
        }
    }
}

/// An id of a call as the vendor takes it: letters, digits, `_` and `-`. Other characters become `_`, in a call and in what it gave alike.
fn id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    id.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
