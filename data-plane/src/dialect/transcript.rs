//! What was said, as OpenAI's dialect writes it: an object, or bare text of some form.
//!
//! Law: the pipeline reads objects alone, so that bare text is the one member of one while it is there. Deliberately absent: what the
//! forms of bare text mean.

use crate::dialect::json::Json;
use crate::tape::{Kind, Tape};

/// The media type of bare text in a form; `None` for what is an object.
pub(crate) fn plain(format: &str) -> Option<&'static str> {
    match format {
        "text" => Some("text/plain; charset=utf-8"),
        "srt" => Some("application/x-subrip; charset=utf-8"),
        "vtt" => Some("text/vtt; charset=utf-8"),
        _ => None,
    }
}

/// Bare text as an object; `None` where it is no text.
pub(crate) fn wrap(plain: &[u8]) -> Option<Vec<u8>> {
    let (text, mut json) = (std::str::from_utf8(plain).ok()?, Json::default());
    json.object(|json| json.key("text").string(text));
    Some(json.done())
}

/// The bare text of such an object; `None` where it is none.
pub(crate) fn unwrap(object: &[u8]) -> Option<String> {
    let mut tape = Tape::for_text(object.len());
    tape.read(object).ok()?;
    let text = tape.root(object)?.get("text")?;
    (text.kind() == Kind::String).then(|| text.text().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_text_comes_back_as_it_was() {
        for text in ["", "one", "1\n00:00:00,000 --> 00:00:01,000\n\"Ä\" \\ \u{1}\n", "😀"] {
            assert_eq!(unwrap(&wrap(text.as_bytes()).unwrap()).as_deref(), Some(text));
        }
        assert_eq!(wrap(b"\xff"), None);
        assert_eq!(unwrap(b"{\"text\":7}"), None);
    }
}
