//! Parts of contents, written.
//!
//! Law: a proof stands on what it was given with: a signature without words waits for the next call, for calls need theirs, and stands on
//! another part only where it is not needed for a call. What can't be told a vendor is a fault of its place; what changes nothing is noted.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::super::Unfit;
use super::super::chat::{Call, Kind, Part, Source};
use super::super::json::Json;
use super::signature::{self, FOREIGN_CALL, Peer};
use super::{Api, PART, media};
use crate::tape::{Kind as Form, Tape};

/// Writes the parts of one content.
pub(super) struct Said<'p> {
    peer: Peer,
    api: Api,
    /// Whether a call without a signature has to say that it was another's.
    is_new: bool,
    /// Functions by the ids of their calls, for outputs.
    called: &'p [(&'p str, &'p str)],
    /// Signatures that wait for what they stand on.
    waiting: VecDeque<&'p str>,
    /// Calls to come.
    calls: usize,
    is_first_call: bool,
    /// What was left out.
    pub(super) left_out: Vec<&'static str>,
}

impl<'p> Said<'p> {
    /// For a vendor.
    pub(super) fn to_vendor(api: Api, is_new: bool, called: &'p [(&'p str, &'p str)]) -> Self {
        Self { peer: Peer::Vendor, api, is_new, called, ..Self::to_caller() }
    }

    /// For a caller.
    pub(super) fn to_caller() -> Self {
        Self {
            peer: Peer::Caller,
            api: Api::Gemini,
            is_new: false,
            called: &[],
            waiting: VecDeque::new(),
            calls: 0,
            is_first_call: true,
            left_out: Vec::new(),
        }
    }

    /// Writes what one role said, each part with the path of its message.
    pub(super) fn write(&mut self, parts: &[(String, &'p Part)], json: &mut Json) -> Result<(), Unfit> {
        self.calls = parts.iter().filter(|(_, part)| matches!(part.kind, Kind::Call(_))).count();
        for (path, part) in parts {
            if part.cache.is_some() {
                self.leave_out("cache_control");
            }
            self.part(path, &part.kind, json)?;
        }
        for signature in std::mem::take(&mut self.waiting) {
            json.object(|json| {
                json.key("text").string("");
                json.key("thoughtSignature").string(signature);
            });
        }
        Ok(())
    }

    fn leave_out(&mut self, field: &'static str) {
        if !self.left_out.contains(&field) {
            self.left_out.push(field);
        }
    }

    fn part(&mut self, path: &str, kind: &'p Kind, json: &mut Json) -> Result<(), Unfit> {
        match kind {
            Kind::Thinking { text, signature } => self.thought(text, signature.as_deref(), json),
            Kind::Redacted(data) => match signature::redacted(data).filter(|_| self.peer == Peer::Caller) {
                Some(marked) => thought("", Some(&marked), json),
                None => self.leave_out("messages.reasoning_details"),
            },
            Kind::Call(call) => return self.call(path, call, json),
            Kind::Output { id, content, failed } => return self.output(path, (id, content, *failed), json),
            Kind::Other(raw) => {
                let members = own_members(raw, |of, _| of == PART)
                    .ok_or_else(|| Unfit::new(format!("{path}.content"), "it is none of Gemini's dialect"))?;
                json.object(|json| {
                    members.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
                });
            }
            Kind::Text(_) | Kind::Refusal(_) | Kind::Image(..) | Kind::Audio { .. } | Kind::File { .. } => {
                if matches!(kind, Kind::Image(_, Some(_))) {
                    self.leave_out("messages.content.image_url.detail");
                }
                let signature = self.spare();
                return object(json, |json| {
                    plain(path, kind, json)?;
                    sign(signature, json);
                    Ok(())
                });
            }
        }
        Ok(())
    }

    /// A signature that no call has to have.
    fn spare(&mut self) -> Option<&'p str> {
        if self.waiting.len() > self.calls { self.waiting.pop_front() } else { None }
    }

    fn thought(&mut self, text: &str, signature: Option<&'p str>, json: &mut Json) {
        let own = signature.and_then(signature::own);
        match (own, signature, self.peer) {
            (Some(own), _, _) if text.is_empty() => self.waiting.push_back(own),
            (Some(own), _, _) => thought(text, Some(own), json),
            (None, Some(foreign), Peer::Caller) => {
                thought(text, signature::borrowed(foreign).as_deref(), json);
            }
            (None, Some(_), Peer::Vendor) => {
                self.leave_out("messages.reasoning_details");
                if !text.is_empty() {
                    thought(text, None, json);
                }
            }
            (None, None, _) => thought(text, None, json),
        }
    }

    fn call(&mut self, path: &str, call: &Call, json: &mut Json) -> Result<(), Unfit> {
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        if !is_object(arguments) {
            let why = "the arguments of a call are a JSON object there";
            return Err(Unfit::new(format!("{path}.tool_calls"), why));
        }
        self.calls = self.calls.saturating_sub(1);
        let is_first = std::mem::replace(&mut self.is_first_call, false);
        let foreign = (self.is_new && is_first).then_some(FOREIGN_CALL);
        let signature = self.waiting.pop_front().or(foreign);
        json.object(|json| {
            json.key("functionCall").object(|json| {
                if self.api == Api::Gemini && !call.id.is_empty() {
                    json.key("id").string(&call.id);
                }
                json.key("name").string(&call.name);
                json.key("args").raw(arguments.as_bytes());
            });
            sign(signature, json);
        });
        Ok(())
    }

    fn output(
        &self,
        path: &str,
        (id, content, failed): (&str, &[Part], bool),
        json: &mut Json,
    ) -> Result<(), Unfit> {
        let call = self.called.iter().rev().find(|(known, _)| *known == id);
        let Some((_, name)) = call else {
            let why = "no call before it has this id, and there the function has to be named";
            return Err(Unfit::new(format!("{path}.tool_call_id"), why));
        };
        object(json, |json| {
            json.key("functionResponse");
            object(json, |json| {
                if self.api == Api::Gemini && !id.is_empty() {
                    json.key("id").string(id);
                }
                json.key("name").string(name);
                response(content, failed, json.key("response"));
                let media: Vec<&Part> = content.iter().filter(|part| text_of(part).is_none()).collect();
                if media.is_empty() {
                    return Ok(());
                }
                json.key("parts");
                array(json, |json| {
                    media.iter().try_for_each(|part| object(json, |json| plain(path, &part.kind, json)))
                })
            })
        })
    }
}

fn text_of(part: &Part) -> Option<&str> {
    match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) => Some(text),
        _ => None,
    }
}

/// What a function gave back: a text that is a JSON object is the whole of it, any other is its `output`, or its `error`.
pub(super) fn response(content: &[Part], failed: bool, json: &mut Json) {
    let texts: Vec<&str> = content.iter().filter_map(text_of).collect();
    let text = texts.join("\n");
    let is_whole = if failed { is_error(&text) } else { is_object(&text) };
    match (is_whole, failed) {
        (true, _) => json.raw(text.as_bytes()),
        (false, true) => json.object(|json| json.key("error").string(&text)),
        (false, false) => json.object(|json| json.key("output").string(&text)),
    }
}

/// Whether a text is a JSON object.
pub(super) fn is_object(text: &str) -> bool {
    is_such(text, |_| true)
}

/// Whether a text is a JSON object that tells of an error alone.
pub(super) fn is_error(text: &str) -> bool {
    is_such(text, |object| object.len() == 1 && object.get("error").is_some())
}

fn is_such(text: &str, such: impl FnOnce(crate::tape::Value<'_>) -> bool) -> bool {
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let mut tape = Tape::for_text(text.len());
    tape.read(text.as_bytes()).is_ok()
        && tape.root(text.as_bytes()).is_some_and(|root| root.kind() == Form::Object && such(root))
}

/// The members of JSON of this dialect without its type; `None`: it is another's.
pub(super) fn own_members(
    raw: &str,
    is_own: impl FnOnce(&str, &[String]) -> bool,
) -> Option<Vec<(String, String)>> {
    let mut tape = Tape::for_text(raw.len());
    tape.read(raw.as_bytes()).ok()?;
    let root = tape.root(raw.as_bytes())?;
    let of = root.get("type").map(|of| of.text().into_owned())?;
    let members = root.members().filter(|(key, _)| !key.is("type"));
    let (names, values): (Vec<String>, Vec<String>) = members
        .map(|(key, value)| (key.text().into_owned(), String::from_utf8_lossy(value.raw()).into_owned()))
        .unzip();
    is_own(&of, &names).then(|| names.into_iter().zip(values).collect())
}

fn thought(text: &str, signature: Option<&str>, json: &mut Json) {
    json.object(|json| {
        json.key("text").string(text);
        json.key("thought").boolean(true);
        sign(signature, json);
    });
}

fn sign(signature: Option<&str>, json: &mut Json) {
    if let Some(signature) = signature {
        json.key("thoughtSignature").string(signature);
    }
}

/// A text, or a medium.
fn plain(path: &str, kind: &Kind, json: &mut Json) -> Result<(), Unfit> {
    let blob = |media_type: &str, data: &str, name: Option<&str>, json: &mut Json| {
        json.key("inlineData").object(|json| {
            json.key("mimeType").string(media_type);
            json.key("data").string(data);
            if let Some(name) = name {
                json.key("displayName").string(name);
            }
        });
    };
    let (source, name, otherwise) = match kind {
        Kind::Text(text) | Kind::Refusal(text) => {
            json.key("text").string(text);
            return Ok(());
        }
        Kind::Audio { data, format } => {
            blob(&format!("audio/{format}"), data, None, json);
            return Ok(());
        }
        Kind::Image(source, _) => (source, None, "image/png"),
        Kind::File { source, name } => (source, name.as_deref(), "application/octet-stream"),
        _ => return Err(Unfit::new(format!("{path}.content"), "there is no place for it there")),
    };
    match source {
        Source::Data { media_type, data } => {
            let media_type = if media_type.is_empty() { otherwise } else { media_type };
            blob(media_type, data, name, json);
        }
        Source::Url(url) => json.key("fileData").object(|json| {
            if let Some(media_type) = media::of_name(url) {
                json.key("mimeType").string(media_type);
            }
            json.key("fileUri").string(url);
            if let Some(name) = name {
                json.key("displayName").string(name);
            }
        }),
        Source::Id(_) => {
            return Err(Unfit::new(format!("{path}.content.file.file_id"), "it is with another vendor"));
        }
    }
    Ok(())
}

/// An object whose writing may fail.
pub(super) fn object(
    json: &mut Json,
    write: impl FnOnce(&mut Json) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    let mut told = Ok(());
    json.object(|json| told = write(json));
    told
}

/// An array whose writing may fail.
pub(super) fn array(
    json: &mut Json,
    write: impl FnOnce(&mut Json) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    let mut told = Ok(());
    json.array(|json| told = write(json));
    told
}

/// Names of what was left out.
pub(super) fn told(left_out: Vec<&'static str>) -> impl Iterator<Item = Cow<'static, str>> {
    left_out.into_iter().map(Cow::Borrowed)
}
