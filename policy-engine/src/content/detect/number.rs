//! A written number: groups of digits, and what joins them, as far as any detector of numbers cares to read.
//!
//! Law: reading stops at [`DIGITS`] digits, so a number's cost and reach are bounded; a longer one is marked and is nobody's.

use super::window::{Window, is_spaced_word};

/// Most digits, and so groups, that are read.
pub(super) const DIGITS: usize = 20;

/// What stands between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Join {
    #[default]
    Start,
    Space,
    Dash,
    Dot,
    Slash,
    /// Closes a bracket that was opened before an earlier group.
    Close,
    /// Opens a bracket.
    Open,
}

/// One run of digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) join: Join,
    pub(super) length: usize,
    /// Offset of its end.
    pub(super) end: usize,
}

/// A number from one of its groups on.
#[derive(Debug)]
pub(super) struct Number {
    digits: [u8; DIGITS],
    groups: [Group; DIGITS],
    total: usize,
    count: usize,
    /// Offset of its first digit.
    pub(super) start: usize,
    /// How it stands to the text before it.
    pub(super) touch: Touch,
    /// How a group follows that was not read, because it would hold more digits than are read.
    pub(super) beyond: Option<Join>,
}

impl Number {
    /// Reads the number whose first digit is at `start`.
    pub(super) fn read(window: &Window<'_>, start: usize, touch: Touch) -> Self {
        let mut number = Self::none(start, touch);
        let (mut index, mut join) = (start, Join::Start);
        while let Some(end) = number.read_group(window, index, join) {
            let Some((next, width)) = join_at(window, end) else { break };
            (index, join) = (end + width, next);
        }
        number
    }

    /// Reads the digits at `start` and no other group.
    pub(super) fn read_piece(window: &Window<'_>, start: usize) -> Self {
        let mut number = Self::none(start, Touch::Part);
        number.read_group(window, start, Join::Start);
        number
    }

    fn none(start: usize, touch: Touch) -> Self {
        let (digits, groups) = ([0; DIGITS], [Group::default(); DIGITS]);
        Self { digits, groups, total: 0, count: 0, start, touch, beyond: None }
    }

    fn read_group(&mut self, window: &Window<'_>, start: usize, join: Join) -> Option<usize> {
        let mut end = start;
        while let Some(digit) = window.at(end).filter(u8::is_ascii_digit) {
            let Some(place) = self.digits.get_mut(self.total) else {
                self.beyond = Some(join);
                return None;
            };
            *place = digit - b'0';
            self.total += 1;
            end += 1;
        }
        *self.groups.get_mut(self.count)? = Group { join, length: end - start, end };
        self.count += 1;
        Some(end)
    }

    /// The groups, first to last.
    pub(super) fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    /// The digits' values, first to last.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.total).unwrap_or_default()
    }
}

/// What joins the group that ends at `at` to a next one, and how many bytes it takes; nothing when no digit follows.
fn join_at(window: &Window<'_>, at: usize) -> Option<(Join, usize)> {
    let is_digit = |index| window.at(index).is_some_and(|b| b.is_ascii_digit());
    let one = window.at(at)?;
    let join = match one {
        b' ' => Join::Space,
        b'-' => Join::Dash,
        b'.' => Join::Dot,
        b'/' => Join::Slash,
        b')' => Join::Close,
        b'(' => Join::Open,
        _ => return None,
    };
    if is_digit(at + 1) {
        return Some((join, 1));
    }
    let two = window.at(at + 1)?;
    let join = match (one, two) {
        (b' ', b' ') => Join::Space,
        (b')', b' ' | b'-' | b'.' | b'/') => Join::Close,
        (b' ' | b'-', b'(') => Join::Open,
        (b' ', b'-' | b'/') | (b')', _) => return wide_join(window, at, (one, two)),
        _ => return None,
    };
    is_digit(at + 2).then_some((join, 2))
}

fn wide_join(window: &Window<'_>, at: usize, start: (u8, u8)) -> Option<(Join, usize)> {
    let join = match (start, window.at(at + 2)?) {
        ((b' ', b'-'), b' ') => Join::Dash,
        ((b' ', b'/'), b' ') => Join::Slash,
        _ => return None,
    };
    window.at(at + 3).is_some_and(|b| b.is_ascii_digit()).then_some((join, 3))
}

/// How the text before a number touches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// Not at all.
    Free,
    /// Another group of digits stands before, joined as if both were one number; by spaces alone or not.
    Joined { by_space: bool },
    /// It is part of a word, a path, a fraction or a sum.
    Part,
}

/// How what stands before `start` touches a number that begins there.
pub(super) fn touch_before(window: &Window<'_>, start: usize) -> Touch {
    let joiners = |n: &usize| {
        window.before(start - n).is_some_and(|b| matches!(b, b' ' | b'-' | b'.' | b'/' | b'(' | b')'))
    };
    let width = (0..3.min(start)).take_while(joiners).count();
    if width > 0 && window.before(start - width).is_some_and(|b| b.is_ascii_digit()) {
        return match window.slice(start - width, start) {
            // The end of a sentence, or the number of an item: `1. 4111 …`, `2) +49 …`.
            ". " | ") " | ".  " | ")  " if is_lone(window, start - width) => Touch::Free,
            between => Touch::Joined { by_space: between.bytes().all(|b| b == b' ') },
        };
    }
    let Some(before) = window.char_before(start) else { return Touch::Free };
    let behind = window.char_before(start - before.len_utf8());
    let wordy = behind.is_some_and(is_spaced_word);
    match before {
        '-' | '.' | '/' | '\\' if wordy || behind == Some('/') => Touch::Part,
        ':' if behind.is_some_and(|c| c.is_ascii_digit()) => Touch::Part,
        '@' => Touch::Part,
        c if is_spaced_word(c) => Touch::Part,
        _ => Touch::Free,
    }
}

/// Whether the digits that end at `end` are one or two, and begin a line or stand behind a blank.
fn is_lone(window: &Window<'_>, end: usize) -> bool {
    let digits =
        (0..3).take_while(|n| end > *n && window.before(end - n).is_some_and(|b| b.is_ascii_digit())).count();
    digits < 3 && window.before(end - digits).is_none_or(|b| b.is_ascii_whitespace())
}

/// Whether what follows `end` makes the number part of something longer.
pub(super) fn runs_on(window: &Window<'_>, end: usize) -> bool {
    let Some(after) = window.char_at(end) else { return false };
    match after {
        '-' | '.' | '/' | '\\' => window.char_at(end + 1).is_some_and(is_spaced_word),
        ':' => window.at(end + 1).is_some_and(|b| b.is_ascii_digit()),
        '@' | '%' | '=' => true,
        c => is_spaced_word(c),
    }
}
