//! What an answer of the Responses API repeats of its request.
//!
//! Law: the caller is told what it wrote itself, not what was made of it for a vendor, nor what the vendor made of that; what it must show
//! nobody twice is not repeated. Deliberately absent: what else an answer says.

use std::ops::Range;

use bytes::Bytes;

use super::outline::Stated;
use super::patch::Patches;
use crate::tape::{Kind, Tape, Value};

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
}

/// A body without what its tools show of the caller to others.
pub(crate) fn without_secrets(body: &Bytes) -> Bytes {
    within(body, Some("tools"))
}

/// The same of tools by themselves.
fn shown(tools: Bytes) -> Bytes {
    within(&tools, None)
}

/// A text without the secrets within it, or within a member of it.
fn within(text: &Bytes, member: Option<&str>) -> Bytes {
    let (mut tape, mut patches) = (Tape::for_text(text.len()), Patches::default());
    let read = tape.read(text).is_ok();
    let root = tape.root(text).filter(|_| read);
    if let Some(tools) = root.and_then(|root| member.map_or(Some(root), |name| root.get(name))) {
        hide(tools, &mut patches);
    }
    patches.apply(text)
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
                "metadata":{"authorization":"mine"}}"#,
        );
        let shown = String::from_utf8(without_secrets(&body).to_vec()).unwrap();
        for secret in ["tok", "x-key", "\"v\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains(r#""properties":{"authorization":{"type":"string"}}"#), "{shown}");
        assert!(shown.contains(r#""metadata":{"authorization":"mine"}"#), "{shown}");
        assert_eq!(without_secrets(&Bytes::from_static(b"{")), "{", "what is no JSON has no tools");
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
