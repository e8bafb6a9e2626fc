//! Whether what is replaced stands where JSON has a number, so that its replacement is written as a JSON string.
//!
//! Law: a text that begins as JSON does is read as JSON from its beginning on, one byte after the other and none twice, so that how
//! it arrives is immaterial. Whatever else a text is, it is prose, in which nothing is quoted. Absent on purpose: the grammar; a
//! text that only begins like JSON has its bare numbers quoted where JSON would have values, and loses nothing by it.

/// The most bytes of a number that are kept together.
pub(super) const NUMBER: usize = 64;

/// How far a text was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    place: Place,
    /// The last byte outside strings that is neither blank nor a number's.
    last: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Nothing but blanks was read.
    #[default]
    Start,
    /// The first bracket was read.
    Opened,
    /// Outside strings.
    Bare,
    /// Within a string.
    Text,
    /// Behind a backslash within a string.
    Escaped,
    /// In what is no JSON.
    Prose,
}

impl Reading {
    /// Of a text in which nothing is replaced.
    pub(super) fn prose() -> Self {
        Self { place: Place::Prose, last: 0 }
    }

    /// Whether it is known to be no JSON.
    pub(super) fn is_prose(&self) -> bool {
        self.place == Place::Prose
    }

    /// Goes on.
    pub(super) fn advance(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let (Some((byte, tail)), false) = (rest.split_first(), self.place == Place::Prose) {
            rest = tail;
            self.place = match self.place {
                Place::Start if is_blank(*byte) => Place::Start,
                Place::Start if matches!(byte, b'{' | b'[') => {
                    self.last = *byte;
                    Place::Opened
                }
                Place::Opened if is_blank(*byte) => Place::Opened,
                Place::Opened if self.may_begin(*byte) => self.bare(*byte),
                Place::Start | Place::Opened | Place::Prose => Place::Prose,
                Place::Bare => self.bare(*byte),
                Place::Escaped => Place::Text,
                Place::Text => {
                    let special = matches!(byte, b'"' | b'\\');
                    let skip =
                        if special { Some(0) } else { memchr::memchr2(b'"', b'\\', rest).map(|at| at + 1) };
                    let Some(skip) = skip else { return };
                    let end = if skip == 0 { *byte } else { rest.get(skip - 1).copied().unwrap_or_default() };
                    rest = rest.get(skip..).unwrap_or_default();
                    if end == b'"' { Place::Bare } else { Place::Escaped }
                }
            };
        }
    }

    /// Whether a number that began here would be a value; where a number was begun, whether that is one.
    pub(super) fn expects_value(&self) -> bool {
        matches!((self.place, self.last), (Place::Bare, b':' | b',' | b'[') | (Place::Opened, b'['))
    }

    /// Says that a value was written which was not read.
    pub(super) fn skip_value(&mut self) {
        (self.place, self.last) = (Place::Bare, b'"');
    }

    fn bare(&mut self, byte: u8) -> Place {
        if !is_blank(byte) && !is_numeric(byte) {
            self.last = byte;
        }
        if byte == b'"' { Place::Text } else { Place::Bare }
    }

    /// Whether JSON may go on so behind its first bracket.
    fn may_begin(&self, byte: u8) -> bool {
        match self.last {
            b'{' => matches!(byte, b'"' | b'}'),
            _ => {
                byte.is_ascii_digit() || matches!(byte, b'"' | b'{' | b'[' | b']' | b'-' | b't' | b'f' | b'n')
            }
        }
    }
}

/// Bytes at the end of a text that a number may consist of, [`NUMBER`] at most.
pub(super) fn number_at_end(text: &str) -> usize {
    text.bytes().rev().take(NUMBER).take_while(|byte| is_numeric(*byte)).count()
}

/// The text without the rest of a number that it begins with.
pub(super) fn behind_number(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii() && is_numeric(c as u8))
}

/// Whether a number may consist of this byte.
pub(super) fn is_numeric(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_expected_where_json_has_them() {
        for (text, expected) in [
            (r#"{"a":"#, true),
            (r#" {"a": "#, true),
            (r#"{"a": -"#, true),
            ("[", true),
            ("[1, 2,", true),
            (r#"{"a":["x\"y\\", "#, true),
            (r#"{"a":"b", "#, true),
            ("{", false),
            (r#"{"a"#, false),
            (r#"{"a": "b"#, false),
            (r#"{"a\": "#, false),
            (r#"{"a": {"#, false),
            (r#"{"a":1}"#, false),
            ("a: [", false),
            ("[EMAIL_1] [1, ", false),
            ("{a: ", false),
            ("", false),
        ] {
            let mut whole = Reading::default();
            whole.advance(text);
            let mut pieced = Reading::default();
            text.chars().for_each(|c| pieced.advance(c.encode_utf8(&mut [0; 4])));
            assert_eq!((whole.expects_value(), pieced.expects_value()), (expected, expected), "{text}");
        }
        assert!(!Reading::prose().expects_value());
    }
}
