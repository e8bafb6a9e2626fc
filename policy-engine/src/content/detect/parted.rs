//! Payment card numbers whose groups are set apart by more than a blank, a hyphen or a stop: signs, line breaks, marks and tags.
//!
//! Law: four groups of four, or four, six and the rest, or digit by digit, all set apart in one way, issued, with a Luhn digit, and
//! no fifth group on either side. Each separator is worth what it costs: of four random numbers of four digits, one in forty is
//! issued and passes Luhn, so a separator that usually stands between *values* counts only where nothing else shows a list.
//!
//! | separator | stands between groups | counts |
//! |---|---|---|
//! | `_`, `*`, `` ` ``, `~`, tags of running text | when a text is marked up or a name made | always |
//! | `/` | when typed so | unless it is part of a path |
//! | `+` | as the blank of form data | without blanks around, and where no `=` makes it a sum |
//! | line break, tab | when a line was wrapped, a form pasted | unless numbers of four digits stand above, below or beside |
//! | `,` | when typed so, and in every row of values | as a line break; neither in brackets nor beside other values |
//!
//! Absent on purpose: `:`, which joins groups of addresses; `;`, `|`, quotes, a comma with a blank, and tags of tables and lists,
//! which hold values; digit by digit with anything but marks and `/`.

use super::window::{Window, is_spaced_word};
use crate::content::normalise::letter;
use crate::content::validate;

/// Most digits of a card, and so groups.
const DIGITS: usize = 19;
/// Most bytes between two groups.
const PART: usize = 24;
/// Tags that set type within a line, and the line break.
const TAGS: &str =
    "a b bdi big br code del em font i ins kbd mark s samp small span strike strong sub sup tt u var wbr";

/// The end of the card number in groups whose first digit is at `start`.
pub(super) fn end_of_parted(window: &Window<'_>, start: usize) -> Option<usize> {
    let groups = Groups::read(window, start)?;
    let glued = window.before(start) == Some(b'_');
    let digits = groups.digits.get(..groups.total)?;
    let is_card = groups.is_whole()
        && (groups.unusual || glued)
        && validate::is_issued(digits)
        && validate::luhn(digits)
        && begins_here(window, start, &groups)
        && ends_here(window, &groups);
    is_card.then_some(groups.end)
}

/// What stands between two groups.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// The sign that joins them; none where blanks and marks do.
    sign: Option<u8>,
    /// Marks or tags stand in it.
    marked: bool,
    /// Blanks stand in it.
    blank: bool,
    /// A line break or a tab stands in it, or values are set apart by its sign.
    listed: bool,
    /// Offset of its end, where a digit stands.
    end: usize,
}

impl Part {
    /// Reads what stands at `at` up to a digit; nothing where that could not stand within a card number.
    fn read(window: &Window<'_>, at: usize) -> Option<Self> {
        let (mut part, mut lines, mut index) = (Self::default(), 0, at);
        while index < at + PART {
            match window.at(index)? {
                b'0'..=b'9' => {
                    return (lines <= 1).then_some(Self { end: index, ..part }).filter(Self::joins);
                }
                mark if is_mark(mark) => part.marked = true,
                b'<' => (part.marked, index) = (true, last_of_tag(window, index, at + PART)?),
                sign @ (b'/' | b'+' | b',' | b'-' | b'.') if part.sign.is_none() => {
                    (part.sign, part.listed) = (Some(sign), part.listed || sign == b',');
                }
                byte => match blank(byte)? {
                    b'\n' => (part.blank, part.listed, lines) = (true, true, lines + 1),
                    b'\t' => (part.blank, part.listed) = (true, true),
                    _ => part.blank = true,
                },
            }
            index += 1;
        }
        None
    }

    fn joins(&self) -> bool {
        !(self.blank && matches!(self.sign, Some(b'+' | b',')))
    }

    /// Whether digits one by one may be joined so.
    fn joins_digits(&self) -> bool {
        !self.blank && (self.sign == Some(b'/') || (self.sign.is_none() && self.marked))
    }

    /// Whether a number as it is commonly written is not joined so.
    fn is_unusual(&self) -> bool {
        self.marked || self.listed || matches!(self.sign, Some(b'/' | b'+'))
    }
}

/// Whether a byte marks up a text.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b'*' | b'_' | b'`' | b'~')
}

/// The blank that a byte is, or that an escape of JSON (`\n`) stands for.
fn blank(byte: u8) -> Option<u8> {
    match letter(byte) {
        Some(b'n') => Some(b'\n'),
        Some(b't') => Some(b'\t'),
        Some(b'r') => Some(b'\r'),
        Some(_) => None,
        None => Some(byte).filter(|byte| matches!(byte, b' ' | b'\r' | b'\t' | b'\n')),
    }
}

/// The `>` of the tag at `at`, where it is one of running text and ends before `most`.
fn last_of_tag(window: &Window<'_>, at: usize, most: usize) -> Option<usize> {
    let start = at + 1 + usize::from(window.at(at + 1)? == b'/');
    let letters =
        (0..7).take_while(|n| window.at(start + n).is_some_and(|b| b.is_ascii_alphabetic())).count();
    let name = window.slice(start, start + letters).to_ascii_lowercase();
    let known = TAGS.split(' ').any(|known| known == name);
    let stops = |index: &usize| window.at(*index).is_none_or(|b| matches!(b, b'<' | b'>'));
    let last = known.then(|| (start + letters..most).find(stops)).flatten()?;
    (window.at(last) == Some(b'>')).then_some(last)
}

/// Groups of digits, as far as they have the shape of a card's.
#[derive(Debug, Default)]
struct Groups {
    digits: [u8; DIGITS],
    total: usize,
    lengths: [u8; DIGITS],
    count: usize,
    /// Offset of their end.
    end: usize,
    /// The sign that joins them.
    sign: Option<u8>,
    /// Some are joined as values in a list are.
    listed: bool,
    /// Some are joined as no number commonly is.
    unusual: bool,
}

impl Groups {
    /// Reads from `start` on; nothing where no card begins so.
    fn read(window: &Window<'_>, start: usize) -> Option<Self> {
        if !may_begin(window, start) {
            return None;
        }
        let mut groups = Self::default();
        groups.take(window, start)?;
        while !(groups.is_whole() && groups.total > groups.count) {
            let Some(part) = Part::read(window, groups.end) else { break };
            let first = groups.count == 1;
            let spelled = groups.total == groups.count;
            if !(first || part.sign == groups.sign)
                || (spelled && !part.joins_digits())
                || groups.take(window, part.end).is_none()
            {
                break;
            }
            groups.sign = part.sign;
            groups.listed |= part.listed;
            groups.unusual |= part.is_unusual();
        }
        Some(groups)
    }

    /// Adds the group at `start`, where a card may go on with one so long.
    fn take(&mut self, window: &Window<'_>, start: usize) -> Option<()> {
        let digit = |index| window.at(index).filter(u8::is_ascii_digit);
        let length = (0..=6).take_while(|n| digit(start + n).is_some()).count();
        let shape = self.lengths.get(..self.count)?;
        let fits = match (shape, length) {
            ([], 1 | 4) | ([4], 4 | 6) | ([4, 4] | [4, 4, 4], 4) | ([4, 6], 4 | 5) => true,
            ([1, ..], 1) => self.count < DIGITS,
            _ => false,
        };
        for index in (start..start + length).filter(|_| fits) {
            *self.digits.get_mut(self.total)? = digit(index)? - b'0';
            self.total += 1;
        }
        *self.lengths.get_mut(self.count).filter(|_| fits)? = u8::try_from(length).unwrap_or(u8::MAX);
        self.count += 1;
        self.end = start + length;
        Some(())
    }

    /// Whether they are as many as a card has.
    fn is_whole(&self) -> bool {
        match self.lengths.get(..self.count) {
            Some([4, 4, 4, 4] | [4, 6, 4 | 5]) => true,
            Some([1, ..]) => self.count >= 13,
            _ => false,
        }
    }
}

/// Whether a card may begin with the digits at `start`, set apart from others as here: a quick look that errs to yes.
fn may_begin(window: &Window<'_>, start: usize) -> bool {
    let digit = |n: usize| window.at(start + n).filter(u8::is_ascii_digit);
    let mark = |n: usize| window.at(start + n).is_some_and(|b| is_mark(b) || matches!(b, b'<' | b'/'));
    let Some(first) = digit(0) else { return false };
    let Some(second) = digit(1) else { return matches!(first, b'2'..=b'9') && mark(1) };
    let issued = match first {
        b'2' => matches!(second, b'2'..=b'7'),
        b'3' => matches!(second, b'0' | b'4'..=b'9'),
        b'4' => true,
        b'5' => second <= b'8',
        b'6' => matches!(second, b'0' | b'2'..=b'5' | b'7'),
        b'8' => matches!(second, b'1' | b'2'),
        _ => (first, second) == (b'9', b'7'),
    };
    let sign = |b: u8| matches!(b, b'+' | b',' | b'-' | b'.') || blank(b).is_some();
    issued && digit(2).is_some() && digit(3).is_some() && (mark(4) || window.at(start + 4).is_some_and(sign))
}

/// Whether no group, path or list that goes on here stands before.
fn begins_here(window: &Window<'_>, start: usize, groups: &Groups) -> bool {
    let sign = groups.sign;
    let between = |at: usize| {
        let byte = window.before(at);
        byte.filter(|b| blank(*b).is_some() || is_mark(*b) || Some(*b) == sign)
    };
    let gap = (0..PART.min(start)).take_while(|n| between(start - n).is_some()).count();
    let before = start - gap;
    let is_digit =
        |back: &usize| *back < before && window.before(before - back).is_some_and(|b| b.is_ascii_digit());
    let digits = (0..5).take_while(is_digit).count();
    let joined = sign.is_some() && window.before(start) == sign;
    // A cell of a row, unless what stands there names it.
    let is_tab = window.before(start).and_then(blank) == Some(b'\t');
    let tabbed = groups.listed && is_tab && window.before(before) != Some(b':');
    let bracketed = sign == Some(b',') && matches!(window.before(start), Some(b'[' | b'(' | b'{'));
    let named = gap > 0 && window.before(start) == Some(b'_');
    let row = sign == Some(b',') && window.slice(before, start).bytes().any(|b| blank(b) == Some(b'\n'));
    let group = digits == 4 || (digits > 4 && groups.listed);
    !(joined || bracketed || group || tabbed || (digits > 0 && (named || row)))
}

/// Whether no group, path or list goes on behind.
fn ends_here(window: &Window<'_>, groups: &Groups) -> bool {
    let end = groups.end;
    if let Some(part) = Part::read(window, end) {
        let digits =
            (0..5).take_while(|n| window.at(part.end + n).is_some_and(|b| b.is_ascii_digit())).count();
        let same = part.sign.is_some() || !part.blank || groups.count > 4;
        let row = groups.sign == Some(b',') && part.listed;
        if digits == 4 || (digits > 4 && groups.listed) || same || row {
            return false;
        }
    }
    let next = window.at(end + 1);
    let is_tab = window.at(end).and_then(blank) == Some(b'\t');
    match window.char_at(end) {
        Some(c) if groups.listed && (is_tab || c == ',') => {
            next.is_none_or(|b| matches!(blank(b), Some(b' ' | b'\n')))
        }
        Some('_') => !next.is_some_and(|b| b.is_ascii_digit()),
        Some('/' | '+') => !next.is_some_and(|b| b.is_ascii_alphanumeric()),
        Some('=') => groups.sign != Some(b'+'),
        Some(' ') => !(groups.sign == Some(b'+') && next == Some(b'=')),
        Some(c) => !is_spaced_word(c),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::End;
    use super::*;

    #[test]
    fn the_quick_look_passes_over_no_card_that_is_issued() {
        for head in 0_u32..10_000 {
            let groups = format!("{head:04}/0000/0000/0000");
            let issued = |length: usize| {
                let digits = groups.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0');
                validate::is_issued(&digits.chain([0; 3]).take(length).collect::<Vec<u8>>())
            };
            let may = may_begin(&Window::new(&groups, End::Known), 0);
            assert!(may || !(13..=19).any(issued), "{head:04}");
        }
        assert!(!may_begin(&Window::new("1234/", End::Known), 0), "it is worth looking");
    }
}
