//! What an answer of the Responses API repeats of its request.
//!
//! Law: the caller is told what it wrote itself, not what was made of it for a vendor, nor what the vendor made of that; what it must show
//! nobody twice is not repeated. What is kept of an answer has none of it, for it was not masked. Deliberately absent: what else an answer
//! says.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::outline::Stated;
use super::patch::Patches;
use crate::tape::{Kind, Tape, Value};
use crate::upstream::sse::Splitter;

/// Members of a tool that show somebody else who the caller is.
const SECRETS: [&str; 3] = ["authorization", "headers", "domain_secrets"];

/// Members of a request, as the caller wrote them.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Vec<(&'static str, Bytes)>);

impl Repeated {
    /// Of a body, and where it has what.
    pub(crate) fn of(body: &[u8], stated: &Stated) -> Self {
        let copy = |at: &Range<usize>| Bytes::copy_from_slice(body.get(at.clone()).unwrap_or_default());
        let members = stated.repeated.iter().map(|(name, at)| match *name {
            "tools" => (*name, shown(copy(at))),
            _ => (*name, copy(at)),
        });
        Self(members.collect())
    }

    /// Whether a member is told as the caller wrote it.
    pub(crate) fn has(&self, key: Value<'_>) -> bool {
        self.0.iter().any(|(name, _)| key.is(name))
    }

    /// Puts the caller's own members in the place of a response's.
    pub(crate) fn patch(&self, response: Value<'_>, patches: &mut Patches) {
        for (key, value) in response.members() {
            if let Some((_, own)) = self.0.iter().find(|(name, _)| key.is(name))
                && value.raw() != &own[..]
            {
                patches.add(value.range(), own.clone());
            }
        }
    }

    /// A response without the caller's own members, as it may be kept.
    pub(crate) fn hidden(&self, response: &Bytes) -> Bytes {
        changed(response, |response, patches| self.hide_own(response, patches))
    }

    /// The same of events that leave.
    pub(crate) fn hidden_in_events(&self, events: &[u8]) -> BytesMut {
        let (mut splitter, mut kept) = (Splitter::new(usize::MAX), BytesMut::with_capacity(events.len()));
        splitter.push(Bytes::copy_from_slice(events));
        while let Ok(Some(event)) = splitter.next_event() {
            let Some((data, span)) = event.data.as_ref().zip(event.span.clone()) else {
                // A payload leaves on one line: what is on more did not.
                if event.data.is_none() {
                    kept.extend_from_slice(&event.raw);
                }
                continue;
            };
            let data = changed(data, |event, patches| {
                event.get("response").into_iter().for_each(|response| self.hide_own(response, patches));
            });
            kept.extend_from_slice(event.raw.get(..span.start).unwrap_or_default());
            kept.extend_from_slice(&data);
            kept.extend_from_slice(event.raw.get(span.end..).unwrap_or_default());
        }
        kept
    }

    fn hide_own(&self, response: Value<'_>, patches: &mut Patches) {
        for (_, value) in response.members().filter(|(key, _)| self.has(*key)) {
            patches.add(value.range(), &b"null"[..]);
        }
    }
}

/// A body without what its tools show of the caller to others.
pub(crate) fn without_secrets(body: &Bytes) -> Bytes {
    changed(body, |body, patches| {
        body.get("tools").into_iter().for_each(|tools| hide(tools, patches));
        body.get("input").into_iter().for_each(|input| hide_listed(input, patches));
    })
}

/// The same of tools by themselves.
fn shown(tools: Bytes) -> Bytes {
    changed(&tools, hide)
}

/// A text with changes to it; what is no JSON stays as it is.
fn changed(text: &Bytes, change: impl FnOnce(Value<'_>, &mut Patches)) -> Bytes {
    let (mut tape, mut patches) = (Tape::for_text(text.len()), Patches::default());
    let read = tape.read(text).is_ok();
    if let Some(root) = tape.root(text).filter(|_| read) {
        change(root, &mut patches);
    }
    patches.apply(text)
}

/// Hides the secrets of tools that are listed somewhere within a value.
fn hide_listed(value: Value<'_>, patches: &mut Patches) {
    value.elements().for_each(|element| hide_listed(element, patches));
    for (key, member) in value.members() {
        if key.is("tools") { hide(member, patches) } else { hide_listed(member, patches) }
    }
}

fn hide(value: Value<'_>, patches: &mut Patches) {
    value.elements().for_each(|element| hide(element, patches));
    for (key, member) in value.members() {
        if SECRETS.iter().any(|secret| key.is(secret)) {
            patches.add(member.range(), &b"null"[..]);
        } else if !key.is("parameters") || member.kind() != Kind::Object {
            // What a schema names is nobody's secret.
            hide(member, patches);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_a_caller_to_others_is_kept_from_all_but_them() {
        let body = Bytes::from_static(
            br#"{"tools":[{"type":"mcp","server_url":"https://x.example","authorization":"tok","headers":{"x-key":"k"}},
                {"type":"function","name":"f","parameters":{"properties":{"authorization":{"type":"string"}}}},
                {"type":"shell","environment":{"network_policy":{"domain_secrets":[{"name":"n","value":"v"}]}}}],
                "input":[{"type":"additional_tools","tools":[{"type":"mcp","authorization":"tok","headers":{"x-key":"k"}}]},
                {"role":"user","content":"hi","authorization":"own"}],
                "metadata":{"authorization":"mine"}}"#,
        );
        let shown = String::from_utf8(without_secrets(&body).to_vec()).unwrap();
        for secret in ["tok", "x-key", "\"v\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains(r#""properties":{"authorization":{"type":"string"}}"#), "{shown}");
        assert!(shown.contains(r#""metadata":{"authorization":"mine"}"#), "{shown}");
        assert!(shown.contains(r#""authorization":"own""#), "{shown}");
        assert_eq!(without_secrets(&Bytes::from_static(b"{")), "{", "what is no JSON has no tools");
    }

    #[test]
    fn what_is_kept_of_an_answer_has_nothing_of_the_callers_own() {
        let own = |name, value: &'static str| (name, Bytes::from_static(value.as_bytes()));
        let repeated = Repeated(vec![own("instructions", r#""for bob@example.org""#), own("tools", "[]")]);
        let response = r#"{"id":"r","instructions":"for bob@example.org","output":[{"instructions":"x"}]}"#;
        let hidden = r#"{"id":"r","instructions":null,"output":[{"instructions":"x"}]}"#;
        assert_eq!(repeated.hidden(&Bytes::from_static(response.as_bytes())), hidden);
        let events = |response: &str| {
            format!(
                "event: response.created\ndata: {{\"response\":{response}}}\n\n: keep-alive\n\n\
                 event: response.output_text.delta\ndata: {{\"delta\":\"instructions\"}}\n\n"
            )
        };
        assert_eq!(repeated.hidden_in_events(events(response).as_bytes()), events(hidden).as_bytes());
    }

    #[test]
    fn a_response_repeats_what_the_caller_wrote() {
        let body = br#"{"instructions":"for bob@example.org","tools":[{"type":"mcp","authorization":"t"}]}"#;
        let at = |text: &str| {
            let start = std::str::from_utf8(body).unwrap().find(text).unwrap();
            start..start + text.len()
        };
        let repeated = vec![
            ("instructions", at(r#""for bob@example.org""#)),
            ("tools", at(r#"[{"type":"mcp","authorization":"t"}]"#)),
        ];
        let repeated = Repeated::of(body, &Stated { repeated, ..Stated::default() });
        let told = Bytes::from_static(
            br#"{"id":"r","instructions":"for [EMAIL_1]","tools":[{"type":"mcp"}],"user":"vendor"}"#,
        );
        let (mut tape, mut patches) = (Tape::default(), Patches::default());
        tape.read(&told).unwrap();
        repeated.patch(tape.root(&told).unwrap(), &mut patches);
        assert_eq!(
            &patches.apply(&told)[..],
            br#"{"id":"r","instructions":"for bob@example.org","tools":[{"type":"mcp","authorization":null}],"user":"vendor"}"#
        );
    }
}
