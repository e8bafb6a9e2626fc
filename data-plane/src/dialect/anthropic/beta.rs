//! What a caller asks for that the vendor does not have for all yet: the header `anthropic-beta`.
//!
//! Law: between the door and the vendor it is a member of the body, so that policy and the record see it as any that nobody published; a
//! vendor of another dialect is not told, and the caller is told that. Absent on purpose: knowing what any of them means.

use http::{HeaderMap, HeaderValue};

use super::super::chat::{Chat, Raw};
use super::super::field::BodyFault;
use super::super::json::Json;
use super::super::untold::BETAS;
use crate::tape::{Kind, Tape};

/// The header, at the door and at the vendor.
pub(crate) const HEADER: &str = "anthropic-beta";

/// The member in between, which is also what the vendor's models are told by at other houses.
pub(crate) const MEMBER: &str = BETAS;

/// The most names of one request.
const MOST: usize = 32;

/// Notes what the headers of a request ask for.
///
/// # Errors
/// One of it is no name, there are too many, or the body says it too.
pub(crate) fn read(headers: &HeaderMap, chat: &mut Chat) -> Result<(), BodyFault> {
    let mut names = Vec::new();
    for value in headers.get_all(HEADER) {
        let told = value.to_str().map_err(|_| BodyFault::wrong(HEADER, NAMES))?;
        names.extend(told.split(',').map(str::trim).filter(|name| !name.is_empty()));
    }
    if names.is_empty() {
        return Ok(());
    }
    if names.len() > MOST || !names.iter().all(|name| is_name(name)) {
        return Err(BodyFault::wrong(HEADER, NAMES));
    }
    if chat.others.iter().any(|(name, _)| name == MEMBER) {
        return Err(BodyFault::wrong(MEMBER, "absent: the header says it"));
    }
    let mut json = Json::default();
    json.array(|json| names.iter().for_each(|name| json.string(name)));
    let written = String::from_utf8_lossy(&json.done()).into_owned();
    chat.others.push((MEMBER.to_owned(), written.into()));
    Ok(())
}

const NAMES: &str = "at most 32 names, with commas between";

/// The names of the member; `None`: it is no array of them.
pub(in super::super) fn names(member: &Raw) -> Option<Vec<String>> {
    let bytes = member.as_bytes();
    let mut tape = Tape::default();
    tape.read(bytes).ok()?;
    let root = tape.root(bytes).filter(|root| root.kind() == Kind::Array)?;
    let names: Vec<_> = root.elements().map(|name| (name.kind(), name.text())).collect();
    // Numbers are no nodes: they show in the count alone.
    let whole = names.len() == root.len() && names.len() <= MOST;
    let fits = whole && names.iter().all(|(kind, name)| *kind == Kind::String && is_name(name));
    fits.then(|| names.into_iter().map(|(_, name)| name.into_owned()).collect())
}

/// The member as the header; `None`: it is no array of names.
pub(super) fn header(member: &Raw) -> Option<HeaderValue> {
    HeaderValue::from_str(&names(member)?.join(",")).ok()
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(values: &[&'static str]) -> Result<Option<HeaderValue>, BodyFault> {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| {
            headers.append(HEADER, HeaderValue::from_static(value));
        });
        let mut chat = Chat::default();
        read(&headers, &mut chat)?;
        Ok(chat.others.iter().find(|(name, _)| name == MEMBER).and_then(|(_, member)| header(member)))
    }

    #[test]
    fn names_are_told_as_they_were_asked_for_whatever_headers_they_came_in() {
        assert_eq!(asked(&[]), Ok(None));
        assert_eq!(asked(&["", " , "]), Ok(None));
        let told = asked(&["interleaved-thinking-2025-05-14, context-1m-2025-08-07", "x.y_z"]);
        let whole = HeaderValue::from_static("interleaved-thinking-2025-05-14,context-1m-2025-08-07,x.y_z");
        assert_eq!(told, Ok(Some(whole)));
    }

    #[test]
    fn what_is_no_name_is_refused_on_both_ways() {
        for odd in ["two words", "a;b", "ü", "\"quoted\"", "a,b\tc"] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(odd.as_bytes()).unwrap());
            let fault = read(&headers, &mut Chat::default()).unwrap_err();
            assert_eq!(fault.field(), Some(HEADER), "{odd}");
        }
        for odd in [r#""a""#, "[1]", r#"["a b"]"#, r#"["a\r\nx-api-key: y"]"#, r#"[["a"]]"#, "null"] {
            assert_eq!(header(&odd.into()), None, "{odd}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("\"b{n}\"")).collect();
        assert_eq!(header(&format!("[{}]", many.join(",")).into()), None);
    }

    #[test]
    fn what_the_body_says_already_is_not_said_twice() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("a"));
        let mut chat = Chat { others: vec![(MEMBER.to_owned(), "[]".into())], ..Chat::default() };
        assert_eq!(read(&headers, &mut chat).unwrap_err().field(), Some(MEMBER));
    }
}
