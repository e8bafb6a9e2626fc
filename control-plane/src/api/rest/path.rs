//! A path as segments, and a query as pairs: percent-encoding undone once, and only where nothing else can be meant.
//!
//! Law: a path that a proxy before us might read otherwise is refused, not repaired: empty and dot segments, encoded
//! slashes and control characters, bad UTF-8.

use proto::status::Refusal;

/// A path below `/v1/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Its segments, decoded.
    pub(super) segments: Vec<String>,
    /// What follows the last colon of the last segment, such as `revoke`.
    pub(super) action: Option<String>,
}

/// Reads what follows `/v1/`.
pub(super) fn parse(rest: &str) -> Result<Path, Refusal> {
    let (rest, action) = match rest.rsplit_once(':') {
        Some((rest, action)) if !action.contains('/') => (rest, Some(segment(action)?)),
        _ => (rest, None),
    };
    let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
    Ok(Path { segments, action })
}

fn segment(raw: &str) -> Result<String, Refusal> {
    let decoded = decode(raw).filter(|text| {
        !matches!(text.as_str(), "" | "." | "..")
            && !text.chars().any(|c| c.is_control() || "/\\".contains(c))
    });
    decoded.ok_or_else(|| Refusal::field("", "the path has an empty, relative or wrongly encoded segment"))
}

/// Reads a query: `application/x-www-form-urlencoded` pairs in their order.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let form = |text: &str| {
        let decoded = decode(&text.replace('+', " "));
        decoded.ok_or_else(|| Refusal::field("", "the query is not well encoded"))
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(k, v)| Ok((form(k)?, form(v)?)))
        .collect()
}

/// Undoes percent-encoding; `None` where it is cut short or what comes out is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let code = digit(rest.next())?.checked_mul(16)?.checked_add(digit(rest.next())?)?;
            bytes.push(u8::try_from(code).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_its_action_split_off() {
        let path = parse("tenants/acme/principals/ada%40example.org").unwrap();
        assert_eq!(path.segments, ["tenants", "acme", "principals", "ada@example.org"]);
        assert_eq!(path.action, None);
        let path = parse("keys/k1:revoke").unwrap();
        assert_eq!((path.segments.join("/").as_str(), path.action.as_deref()), ("keys/k1", Some("revoke")));
        assert_eq!(parse("keys/k1%3Arevoke").unwrap().segments, ["keys", "k1:revoke"]);
        assert_eq!(parse("keys/%2541").unwrap().segments, ["keys", "%41"], "once, not twice");
    }

    #[test]
    fn case_63_a_path_that_could_be_read_two_ways_is_refused() {
        for bad in [
            "",
            "/",
            "teams/",
            "/teams",
            "teams//a",
            "teams/./a",
            "teams/../a",
            "teams/%2e%2e/a",
            "teams/a%2fb",
            "teams/a%2Fb",
            "teams/a%5cb",
            "teams/a%00",
            "teams/a%0d%0ab",
            "teams/%",
            "teams/%4",
            "teams/%zz",
            "teams/%ff",
            "teams/a:",
            "teams/:revoke",
            "teams/%+1",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_query_is_read_as_a_form() {
        let read = pairs("pageSize=10&&page_token=a%2Bb+c&validateOnly").unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(read, [("pageSize", "10"), ("page_token", "a+b c"), ("validateOnly", "")]);
        assert!(pairs("a=%ff").is_err());
        assert!(pairs("%=1").is_err());
    }
}
