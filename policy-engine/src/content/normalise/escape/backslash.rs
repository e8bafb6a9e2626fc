//! Characters written as in JSON: `\u0040`, `\/`, `\"`, `\\`, `\n`.
//!
//! Law: what stands at a backslash is decided by at most 14 bytes from there on. One level of double escaping is read (`\\u0040`),
//! which is JSON in a string of JSON. In a text that is no JSON the letter of `\n` may be a word's first, so an escape with a letter
//! keeps it: it matches as a mark of its own, which [`letter`] reads back. Source: RFC 8259 section 7. Absent on purpose: knowing
//! whether a text is JSON (an end that is still to come would have to tell), escapes of other languages.

use super::super::BREAK;
use super::Escape;

/// What the escapes with a letter match as, in order: control characters that nobody writes.
const LETTERS: [u8; 5] = *b"ntrbf";

/// The letter of an escape such as `\n`, by what it matches as.
pub(in crate::content) fn letter(matched: u8) -> Option<u8> {
    LETTERS.get(usize::from(matched.checked_sub(1)?)).copied()
}

/// What an escape with that letter matches as.
pub(in crate::content) fn mark(letter: u8) -> Option<u8> {
    LETTERS.iter().zip(1_u8..).find(|(known, _)| **known == letter).map(|(_, mark)| mark)
}

/// A folded text as it is compared: the escape that begins it as its letter, which is the word's, and any other as a space.
pub(in crate::content) fn spelled(mut folded: String) -> String {
    if !folded.bytes().any(|byte| (1..=LETTERS.len() as u8).contains(&byte)) {
        return folded;
    }
    let first = folded.bytes().next().and_then(letter);
    folded = folded.replace(|c: char| c.is_ascii() && letter(c as u8).is_some(), " ");
    if let Some(first) = first {
        folded.replace_range(..1, char::from(first).encode_utf8(&mut [0; 4]));
    }
    folded
}

/// What the backslash at the beginning of `bytes` begins.
pub(super) fn read(bytes: &[u8]) -> Escape {
    let doubled = bytes.get(1) == Some(&b'\\');
    let slashes = 1 + usize::from(doubled);
    let escape = match bytes.get(slashes) {
        None => return Escape::Open,
        Some(b'u') => unit(bytes, slashes),
        Some(sign @ (b'"' | b'/')) if !(doubled && *sign == b'"') => {
            Escape::Of(char::from(*sign), slashes + 1)
        }
        Some(byte) => mark(*byte).map_or(Escape::None, |mark| Escape::Of(char::from(mark), slashes + 1)),
    };
    if escape == Escape::None && doubled { Escape::Of('\\', 2) } else { escape }
}

/// A UTF-16 unit, or two that are one character, each behind so many backslashes. Half of two is a break: whole, so that no
/// finding begins within it.
fn unit(bytes: &[u8], slashes: usize) -> Escape {
    let high = match hex(bytes.get(slashes + 1..).unwrap_or_default()) {
        Ok(unit) => unit,
        Err(escape) => return escape,
    };
    let length = slashes + 5;
    if !(0xd800..0xdc00).contains(&high) {
        return Escape::Of(char::from_u32(high).map_or(BREAK, plain), length);
    }
    let rest = bytes.get(length..).unwrap_or_default();
    let opening = b"\\\\u".get(2 - slashes..).unwrap_or_default();
    let Some(digits) = rest.strip_prefix(opening) else {
        return if opening.starts_with(rest) { Escape::Open } else { Escape::Of(BREAK, length) };
    };
    let low = match hex(digits) {
        Ok(unit) => unit,
        Err(Escape::Open) => return Escape::Open,
        Err(_) => return Escape::Of(BREAK, length),
    };
    let pair = (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    pair.and_then(char::from_u32).map_or(Escape::Of(BREAK, length), |c| Escape::Of(c, 2 * length))
}

/// A control character without a name ends candidates as a break does, and is none of the marks of [`LETTERS`].
fn plain(c: char) -> char {
    if c.is_ascii_control() && !c.is_ascii_whitespace() { BREAK } else { c }
}

/// Four hexadecimal digits.
fn hex(bytes: &[u8]) -> Result<u32, Escape> {
    let digits = bytes.get(..4).unwrap_or(bytes);
    let value =
        digits.iter().try_fold(0, |value: u32, digit| Some(value << 4 | char::from(*digit).to_digit(16)?));
    match value {
        Some(value) if digits.len() == 4 => Ok(value),
        Some(_) => Err(Escape::Open),
        None => Err(Escape::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_whole_or_not_at_all() {
        for (text, c) in [
            (r"\u0040", '@'),
            (r"\\u0040", '@'),
            (r"\u00FC", 'ü'),
            (r"\ud835\udfd2", '𝟒'),
            (r"\\ud835\\udfd2", '𝟒'),
            (r"\u000a", '\n'),
            (r"\u0001", '\0'),
            (r"\/", '/'),
            (r"\\/", '/'),
            (r#"\""#, '"'),
            (r"\n", '\u{1}'),
            (r"\\n", '\u{1}'),
            (r"\f", '\u{5}'),
        ] {
            assert_eq!(read(text.as_bytes()), Escape::Of(c, text.len()), "{text}");
            assert!(text.len() <= 14, "{text}");
            for cut in 1..text.len() {
                assert_eq!(read(&text.as_bytes()[..cut]), Escape::Open, "{text} cut at {cut}");
            }
        }
        for text in [r"\ud835x", r"\ud835\n", r"\ud835\u0040", r"\ud835\u00g", r"\udfd2"] {
            assert_eq!(read(text.as_bytes()), Escape::Of(BREAK, 6), "{text}");
        }
        for text in [r"\d", r"\x40", r"\u004g", r"\ "] {
            assert_eq!(read(text.as_bytes()), Escape::None, "{text}");
        }
        for text in [r"\\x", r#"\\""#, r"\\\", r"\\u004g"] {
            assert_eq!(read(text.as_bytes()), Escape::Of('\\', 2), "{text}");
        }
    }

    #[test]
    fn an_escape_that_begins_a_word_is_its_letter() {
        assert!(LETTERS.iter().all(|letter| super::letter(mark(*letter).unwrap()) == Some(*letter)));
        assert_eq!(spelled("\u{5}alcon\u{1}eye".to_owned()), "falcon eye");
        assert_eq!(spelled("falcon".to_owned()), "falcon");
        assert_eq!((letter(1), letter(5), letter(0), letter(6)), (Some(b'n'), Some(b'f'), None, None));
    }
}
