//! Texts in quotes, by CEL's lexical rules: both quotes, three of each, raw, and its escapes.
//!
//! Source: the CEL language definition, "Syntax", rules STRING_LIT and ESCAPE.

use super::fault::{ConditionFault, shown};

/// Reads the quoted text that `source` begins with (after any `r`); gives it and the bytes it took, or a fault and
/// the offset of it.
pub(super) fn quoted(source: &str, raw: bool) -> Result<(String, usize), (ConditionFault, usize)> {
    let quote = source.get(..1).unwrap_or("'");
    let triple = quote.repeat(3);
    let (end, lines) = if source.starts_with(&triple) { (triple.as_str(), true) } else { (quote, false) };
    let mut text = String::new();
    let mut at = end.len();
    loop {
        let rest = source.get(at..).unwrap_or("");
        if rest.starts_with(end) {
            return Ok((text, at + end.len()));
        }
        match rest.chars().next() {
            None => return Err((ConditionFault::UnclosedText, 0)),
            Some('\n' | '\r') if !lines => return Err((ConditionFault::UnclosedText, 0)),
            Some('\\') if !raw => {
                let (c, took) = escape(rest).ok_or_else(|| (bad_escape(rest), at))?;
                text.push(c);
                at += took;
            }
            Some(c) => {
                text.push(c);
                at += c.len_utf8();
            }
        }
    }
}

fn bad_escape(rest: &str) -> ConditionFault {
    ConditionFault::Escape(shown(rest.get(..2).unwrap_or("\\")))
}

/// The character of the escape that `rest` begins with, and its length.
fn escape(rest: &str) -> Option<(char, usize)> {
    let simple = |c| Some((c, 2));
    match rest.chars().nth(1)? {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        c @ ('\\' | '?' | '"' | '\'' | '`') => simple(c),
        'x' | 'X' => numbered(rest, 2..4, 16),
        'u' => numbered(rest, 2..6, 16),
        'U' => numbered(rest, 2..10, 16),
        '0'..='3' => numbered(rest, 1..4, 8),
        _ => None,
    }
}

fn numbered(rest: &str, digits: std::ops::Range<usize>, radix: u32) -> Option<(char, usize)> {
    let text = rest.get(digits.clone())?;
    if !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(text, radix).ok()?;
    Some((char::from_u32(code)?, digits.end))
}
