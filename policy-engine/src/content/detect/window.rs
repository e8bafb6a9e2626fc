//! A stretch of folded text, read so that it is known whether a decision needed what has not arrived yet.
//!
//! Law: forward reads go through [`Window::at`]; one that falls off an open end marks the window short, and what was decided
//! with a short window is not decided. Backward reads stay within [`LEFT`] bytes, which every window carries.

use std::cell::Cell;

use crate::content::normalise::letter;

/// Bytes of folded text before the first undecided one that a window must hold: no detector looks further back.
pub(in crate::content) const LEFT: usize = 160;

/// Bytes before a candidate that are read to tell what it is called.
const NEAR: usize = 16;

/// Whether the end of what is there is the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::content) enum End {
    /// More may follow.
    Open,
    /// Nothing follows.
    Known,
}

/// Folded text that ends, or that may go on.
#[derive(Debug)]
pub(in crate::content) struct Window<'a> {
    text: &'a str,
    open: bool,
    short: Cell<bool>,
}

impl<'a> Window<'a> {
    /// A text as far as it is there.
    pub(in crate::content) fn new(text: &'a str, end: End) -> Self {
        Self { text, open: end == End::Open, short: Cell::new(false) }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether more may follow.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The byte at `index`; nothing at the end of the text.
    pub(super) fn at(&self, index: usize) -> Option<u8> {
        self.count();
        let found = self.text.as_bytes().get(index).copied();
        if found.is_none() && self.open {
            self.short.set(true);
        }
        found
    }

    /// The byte before `index`; nothing at the start of the text.
    pub(super) fn before(&self, index: usize) -> Option<u8> {
        self.count();
        self.text.as_bytes().get(index.checked_sub(1)?).copied()
    }

    /// The character at `index`.
    pub(super) fn char_at(&self, index: usize) -> Option<char> {
        match self.at(index)? {
            byte if byte.is_ascii() => Some(char::from(byte)),
            _ => self.text.get(index..)?.chars().next(),
        }
    }

    /// The character that ends before `index`.
    pub(super) fn char_before(&self, index: usize) -> Option<char> {
        match self.before(index)? {
            byte if byte.is_ascii() => Some(char::from(byte)),
            _ => self.text.get(..index)?.chars().next_back(),
        }
    }

    /// Whether a character starts, or the text ends, at `index`.
    pub(super) fn is_boundary(&self, index: usize) -> bool {
        self.text.is_char_boundary(index)
    }

    /// The text between two offsets, both character boundaries.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// At most `reach` bytes before `end`, whole characters.
    pub(super) fn reach_back(&self, end: usize, reach: usize) -> &'a str {
        let mut from = end.saturating_sub(reach);
        while from < end && !self.text.is_char_boundary(from) {
            from += 1;
        }
        self.slice(from, end)
    }

    /// Runs a decision on the text around `start`, with the escape that stands there (`\f`) read as its letter.
    pub(super) fn lettered<T>(&self, start: usize, decision: impl FnOnce(&Window<'_>, usize) -> T) -> T {
        let letter = self.bytes().get(start).copied().and_then(letter).map(char::from);
        let before = self.reach_back(start, NEAR);
        let to = self.text.ceil_char_boundary((start + LEFT).min(self.len()));
        let text: String = before.chars().chain(letter).chain(self.slice(start + 1, to).chars()).collect();
        let near = Window { text: &text, open: self.open || to < self.len(), short: Cell::new(false) };
        let made = decision(&near, before.len());
        self.short.set(self.short.get() || near.short.get());
        made
    }

    /// Runs one decision; nothing when it needed what has not arrived.
    pub(super) fn decide<T>(&self, decision: impl FnOnce(&Self) -> T) -> Option<T> {
        self.short.set(false);
        let made = decision(self);
        (!self.short.replace(false)).then_some(made)
    }

    #[cfg(test)]
    fn count(&self) {
        READS.set(READS.get() + 1);
    }

    #[cfg(not(test))]
    #[inline(always)]
    fn count(&self) {}
}

#[cfg(test)]
thread_local! {
    /// Reads of any window by this thread, for tests of how much work is done.
    pub(in crate::content) static READS: Cell<u64> = const { Cell::new(0) };
}

/// Whether a character is part of a word written with spaces around it.
pub(super) fn is_spaced_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    c.is_alphanumeric() && !crate::content::normalise::is_continuous_script(c)
}
