//! E-mail addresses: anchored at the `@`, local part to its left, domain to its right.
//!
//! Law: an address is what stands around the `@` within [`LOCAL`] and [`DOMAIN`] bytes; a longer local part is masked in its last
//! bytes rather than let through. Source: RFC 5321 sections 4.1.2 and 4.5.3.1, in the practical subset (no quoted local parts,
//! no address literals, a dotted domain with an alphabetic or `xn--` top label), with RFC 6531 letters.

use super::window::{Window, is_spaced_word};
use crate::content::normalise::letter;

/// Longest local part, bytes.
const LOCAL: usize = 64;
/// Longest domain, bytes: 254 for the whole address.
const DOMAIN: usize = 189;
/// Longest label of a domain, bytes.
const LABEL: usize = 63;
/// Top labels that name a picture's scale (`icon@2x.png`), not a host.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "svg"];

/// A local part that is a program's on every host that has it (`git@github.com:org/repository`).
const PROGRAM: &str = "git";

/// The start of the local part that an `@` at `at` would have; `at` itself when it has none.
pub(super) fn local_start(window: &Window<'_>, at: usize) -> usize {
    let bytes = window.bytes();
    let floor = at.saturating_sub(LOCAL);
    let mut start = at;
    while start > floor {
        let Some(c) = window.char_before(start) else { break };
        let next = bytes.get(start).copied();
        let local = match c {
            '.' => next != Some(b'.'),
            '\'' => {
                next.is_none_or(|b| b.is_ascii_alphanumeric())
                    && window.before(start - 1).is_some_and(|b| b.is_ascii_alphanumeric())
            }
            '%' | '+' | '-' => true,
            c => is_spaced_word(c),
        };
        if !local || start - c.len_utf8() < floor {
            start -= usize::from(c.is_ascii() && is_letter(c as u8));
            break;
        }
        start -= c.len_utf8();
    }
    let opens = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii() || is_letter(*b);
    bytes.get(start..at).and_then(|local| local.iter().position(opens)).map_or(at, |skip| start + skip)
}

/// Whether an escape is more likely the first letter of a name behind a backslash (`DOMAIN\bob`) than the control character it
/// stands for. Of the others, which end lines, no letter is an address's: `\n@pytest.fixture` begins a line.
fn is_letter(byte: u8) -> bool {
    matches!(letter(byte), Some(b'b' | b'f'))
}

/// The address around the `@` at `at`, given where its local part starts: the offset of its end.
pub(super) fn end_of_address(window: &Window<'_>, start: usize, at: usize) -> Option<usize> {
    let is_program = window.slice(start, at).eq_ignore_ascii_case(PROGRAM);
    (start < at && !is_program).then(|| end_of_domain(window, at + 1)).flatten()
}

fn end_of_domain(window: &Window<'_>, from: usize) -> Option<usize> {
    let mut best = None;
    let mut label = Label::at(from);
    let mut dotted = false;
    let mut index = from;
    loop {
        let c = if index < from + DOMAIN { window.char_at(index) } else { None };
        match c {
            Some('-') if index > label.start => {
                if dotted && label.is_top(window, index) && !label.hyphen {
                    best = Some(index);
                }
                label.hyphen = true;
            }
            Some(c) if c != '_' && is_spaced_word(c) => label.letters &= c.is_alphabetic(),
            stop => {
                if !label.ends_well(window, index) {
                    return best;
                }
                if dotted && label.is_top(window, index) {
                    best = Some(index);
                }
                if stop != Some('.') || is_picture(window, from, index) {
                    return best;
                }
                dotted = true;
                label = Label::at(index + 1);
            }
        }
        index += c.map_or(1, char::len_utf8);
    }
}

/// One label of a domain, as far as it was read.
struct Label {
    start: usize,
    letters: bool,
    hyphen: bool,
}

impl Label {
    fn at(start: usize) -> Self {
        Self { start, letters: true, hyphen: false }
    }

    fn ends_well(&self, window: &Window<'_>, end: usize) -> bool {
        end > self.start && end - self.start <= LABEL && window.before(end) != Some(b'-')
    }

    fn is_top(&self, window: &Window<'_>, end: usize) -> bool {
        let text = window.slice(self.start, end);
        let plain = self.letters && !self.hyphen && text.len() >= 2;
        plain || (text.len() > 4 && text.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--")))
    }
}

/// Whether the label that ends at `index` is a scale such as `2x`, and what follows it a picture's extension.
fn is_picture(window: &Window<'_>, from: usize, index: usize) -> bool {
    let scale = window.slice(from, index).as_bytes();
    let is_scale = matches!(scale, [digit, b'x' | b'X'] if digit.is_ascii_digit());
    is_scale
        && PICTURES.iter().any(|extension| {
            let mut letters = extension.bytes().enumerate();
            letters.all(|(i, b)| window.at(index + 1 + i).is_some_and(|found| found.eq_ignore_ascii_case(&b)))
        })
}
