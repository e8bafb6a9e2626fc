//! Detectors: what to look for, compiled once, and the one scan that whole texts and streams share.
//!
//! Law: every decision is a function of bounded text to the left, the candidate, and bounded text to the right of it; what needs
//! more than has arrived is undecided, and nothing from its start on is reported. Hence chunking cannot change a finding.
//! Absent on purpose: actions (a detector reports; `mask` acts), backtracking, and patterns without a bound.

mod card;
mod code;
mod coded;
mod context;
mod email;
mod feed;
mod held;
mod iban;
mod number;
mod parted;
mod phone;
mod scan;
mod sieve;
#[cfg(test)]
mod tests;
mod window;
mod words;

use std::cmp::Reverse;
use std::fmt;

use thiserror::Error;

use super::normalise::{has_escape, is_plain};
use crate::decision::Actions;
use crate::vocabulary::{Entity, MaskAction};
use coded::Coded;
use context::Context;
use feed::Feed;
pub use held::Held;
pub(super) use sieve::Sieve;
#[cfg(test)]
pub(super) use window::READS;
use window::{End, Window};
use words::Words;

/// Lists in one set.
const MAX_LISTS: u32 = 4_096;
/// Words and phrases in one set, all lists together.
const MAX_WORDS: usize = 50_000;
/// Bytes of them, once folded, all lists together.
const MAX_WORD_BYTES: usize = 1 << 20;
/// Non-ASCII text is folded in pieces of this many bytes, so that a large text needs no large copy.
const PIECE: usize = 8 * 1024;

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Personal data of that type.
    Entity(Entity),
    /// A word of the list at that place in what the set was compiled from.
    Word(u32),
}

impl What {
    /// What placeholders and reports call it: the entity's name, or `WORD`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Entity(entity) => entity.as_str(),
            Self::Word(_) => WORD_LABEL,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What a word of any list is called in placeholders.
pub const WORD_LABEL: &str = "WORD";

/// Something found, in byte offsets of the text as it was given, both character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub what: What,
    /// Where its first byte is.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// By start, longer first.
pub(super) fn order(finding: &Finding) -> (usize, Reverse<usize>, What) {
    (finding.start, Reverse(finding.end), finding.what)
}

/// Words and phrases to find, whole and in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordList {
    /// The caller's name for it, for errors.
    pub id: String,
    /// The words; at most 200 bytes each once folded.
    pub words: Vec<String>,
}

/// Why a set of detectors could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileError {
    /// More lists than 4,096.
    #[error("there are more than 4096 word lists")]
    TooManyLists,
    /// More words than 50,000, or more text in them than 1 MiB.
    #[error("the word lists together hold more than 50000 words or 1 MiB of text")]
    TooManyWords,
    /// A word longer than 200 bytes.
    #[error("the word of list `{list}` that starts `{start}` is longer than 200 bytes")]
    WordTooLong {
        /// The list.
        list: String,
        /// The word's first 32 characters.
        start: String,
    },
    /// A word without a visible character.
    #[error("a word of list `{list}` has no visible character")]
    BlankWord {
        /// The list.
        list: String,
    },
}

/// The kinds of finding a scan is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds {
    entities: u32,
    words: bool,
}

impl Kinds {
    /// Those with an action that `wanted` says yes to.
    pub(super) fn of(actions: &Actions, wanted: impl Fn(MaskAction) -> bool) -> Self {
        let is_wanted = |entity: &&Entity| actions.on(**entity).is_some_and(&wanted);
        let entities = Entity::ALL.iter().filter(is_wanted).fold(0, |set, entity| set | entity.bit());
        Self { entities, words: actions.word_lists.iter().any(|(_, action)| wanted(*action)) }
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(self) -> bool {
        self.entities == 0 && !self.words
    }

    pub(super) fn has(self, entity: Entity) -> bool {
        self.entities & entity.bit() != 0
    }
}

/// What to look for: immutable, shared by every request of a snapshot.
#[derive(Debug)]
pub struct Detectors {
    kinds: Kinds,
    words: Words,
    context: Context,
}

impl Detectors {
    /// Builds the set; [`What::Word`] names a list by its place in `lists`.
    ///
    /// # Errors
    /// When the lists exceed a limit, or a word could never be found.
    pub fn compile(
        entities: impl IntoIterator<Item = Entity>,
        lists: impl IntoIterator<Item = WordList>,
    ) -> Result<Self, CompileError> {
        let mut tree = Words::new();
        let (mut count, mut bytes) = (0, 0);
        for (list, place) in lists.into_iter().zip(0_u32..) {
            if place >= MAX_LISTS {
                return Err(CompileError::TooManyLists);
            }
            for word in &list.words {
                let pattern = words::pattern_of(word);
                (count, bytes) = (count + 1, bytes + pattern.len());
                if count > MAX_WORDS || bytes > MAX_WORD_BYTES {
                    return Err(CompileError::TooManyWords);
                }
                if words::is_blank(&pattern) {
                    return Err(CompileError::BlankWord { list: list.id });
                }
                if pattern.len() > words::PATTERN {
                    return Err(CompileError::WordTooLong {
                        list: list.id,
                        start: word.chars().take(32).collect(),
                    });
                }
                tree.insert(&pattern, place);
            }
        }
        let entities = entities.into_iter().fold(0, |set, entity| set | entity.bit());
        Ok(Self { kinds: Kinds { entities, words: !tree.is_empty() }, words: tree, context: Context::new() })
    }

    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Appends everything found in a whole text, by start, longer first. Findings may overlap: `mask` resolves that.
    pub fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        if self.kinds.is_empty() {
            return;
        }
        let kept = findings.len();
        let ascii = text.is_ascii();
        let digits = self.scan_text(self.kinds, (text, ascii), findings);
        if coded::may_be_in(text)
            || (digits == Digits::Possible && code::may_hold_hex(text.as_bytes()))
            || (!ascii && coded::may_hold_tags(text))
        {
            let mut coded = Coded::new(self.kinds);
            coded.push(self, text, findings);
            coded.finish(self, findings);
            if let Some(fresh) = findings.get_mut(kept..) {
                fresh.sort_unstable_by_key(order);
            }
        }
    }

    /// Appends what a whole text, of ASCII or not, says; coded runs are left aside.
    fn scan_text(&self, kinds: Kinds, (text, ascii): (&str, bool), findings: &mut Vec<Finding>) -> Digits {
        if ascii && !has_escape(text) {
            // Where no digit and no `@` stands there is no entity either.
            let (kinds, digits) = match scan::next_trigger(text.as_bytes(), 0) {
                Some(_) => (kinds, Digits::Possible),
                None => (Kinds { entities: 0, ..kinds }, Digits::None),
            };
            if !kinds.is_empty() {
                self.scan_window(kinds, &Window::new(text, End::Known), 0, findings);
            }
            return digits;
        }
        if !kinds.words && is_plain(text) {
            return Digits::None;
        }
        let mut feed = Feed::with_capacity(kinds, text.len().min(PIECE));
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(PIECE));
            feed.push(self, piece, findings);
            rest = tail;
        }
        feed.finish(self, findings);
        Digits::Possible
    }
}

/// Whether a text has digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    None,
    Possible,
}
