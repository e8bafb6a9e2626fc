//! Detectors: what to look for, compiled once, and the one scan that whole texts and streams share.
//!
//! Law: every decision is a function of bounded text to the left, the candidate, and bounded text to the right of it; what needs
//! more than has arrived is undecided, and nothing from its start on is reported. Hence chunking cannot change a finding.
//! Absent on purpose: actions (a detector reports; `mask` acts), backtracking, and patterns without a bound.

mod card;
mod context;
mod email;
mod feed;
mod iban;
mod number;
mod phone;
#[cfg(test)]
mod tests;
mod window;
mod words;

use std::cmp::Reverse;
use std::fmt;

use thiserror::Error;

use crate::decision::Actions;
use crate::vocabulary::{Entity, MaskAction};
use context::Context;
pub(super) use feed::Feed;
use number::Number;
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

    fn has(self, entity: Entity) -> bool {
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

    /// Appends everything found in a whole text, by start, longer first. Findings may overlap: `mask` resolves that.
    pub fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        let kinds = self.kinds;
        if kinds.is_empty() {
            return;
        }
        if text.is_ascii() {
            self.scan_window(kinds, &Window::new(text, End::Known), 0, findings);
            return;
        }
        let mut feed = Feed::new(kinds);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(PIECE));
            feed.push(self, piece, findings);
            rest = tail;
        }
        feed.finish(self, findings);
    }

    /// Appends, in order, every finding of the window that starts at or after `from` and before the first undecided candidate,
    /// and gives where that one starts; the window's end when there is none.
    fn scan_window(
        &self,
        kinds: Kinds,
        window: &Window<'_>,
        from: usize,
        findings: &mut Vec<Finding>,
    ) -> usize {
        let kept = findings.len();
        let mut live = window.len();
        if kinds.entities != 0 {
            live = live.min(self.scan_entities(kinds, window, from, findings));
        }
        if kinds.words {
            let mut report = |list, start, end| findings.push(Finding { what: What::Word(list), start, end });
            live = live.min(self.words.find(window, from, &mut report).unwrap_or(live));
        }
        let mut index = kept;
        while let Some(finding) = findings.get(index) {
            if finding.start < live && finding.start >= from {
                index += 1;
            } else {
                findings.swap_remove(index);
            }
        }
        if let Some(fresh) = findings.get_mut(kept..) {
            fresh.sort_unstable_by_key(|finding| (finding.start, Reverse(finding.end), finding.what));
        }
        live
    }

    fn scan_entities(
        &self,
        kinds: Kinds,
        window: &Window<'_>,
        from: usize,
        findings: &mut Vec<Finding>,
    ) -> usize {
        let mut live = if window.is_open() { live_tail(kinds, window) } else { window.len() };
        let mut index = from;
        while let Some(trigger) = next_trigger(window.bytes(), index) {
            let mut judge = |start: usize, verdict: Option<Option<Finding>>| match verdict {
                Some(finding) => findings.extend(finding),
                None => live = live.min(start),
            };
            index = trigger + 1;
            if window.bytes().get(trigger) == Some(&b'@') {
                if kinds.has(Entity::Email) {
                    let start = email::local_start(window, trigger);
                    judge(
                        start,
                        window.decide(|window| {
                            let end = email::end_of_address(window, start, trigger)?;
                            Some(Finding { what: What::Entity(Entity::Email), start, end })
                        }),
                    );
                }
                continue;
            }
            if !window.before(trigger).is_some_and(|b| b.is_ascii_digit()) {
                self.judge_number(kinds, window, trigger, &mut judge);
            }
            index += window
                .bytes()
                .get(index..)
                .map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
        }
        live
    }

    fn judge_number(
        &self,
        kinds: Kinds,
        window: &Window<'_>,
        first: usize,
        judge: &mut impl FnMut(usize, Option<Option<Finding>>),
    ) {
        let before = window.char_before(first);
        if before.is_some_and(|c| c.is_ascii_alphabetic()) {
            if kinds.has(Entity::InternationalBankAccountNumber)
                && let Some(start) = iban::start_before(window, first)
            {
                judge(
                    start,
                    window.decide(|window| {
                        let end = iban::end_of_iban(window, start)?;
                        Some(Finding {
                            what: What::Entity(Entity::InternationalBankAccountNumber),
                            start,
                            end,
                        })
                    }),
                );
            }
            return;
        }
        if before.is_some_and(window::is_spaced_word)
            || !(kinds.has(Entity::CreditDebitCardNumber) || kinds.has(Entity::Phone))
        {
            return;
        }
        let signed = phone::start_of_phone(window, first);
        judge(
            signed,
            window.decide(|window| {
                let number = Number::read(window, first);
                if kinds.has(Entity::CreditDebitCardNumber)
                    && let Some(end) = card::end_of_card(window, first, &number)
                {
                    return Some(Finding {
                        what: What::Entity(Entity::CreditDebitCardNumber),
                        start: first,
                        end,
                    });
                }
                if !kinds.has(Entity::Phone) {
                    return None;
                }
                let (start, end) = phone::find_phone(window, &self.context, first, &number)?;
                Some(Finding { what: What::Entity(Entity::Phone), start, end })
            }),
        );
    }
}

/// Where a candidate may start whose anchor (an `@`, a digit) has not arrived.
fn live_tail(kinds: Kinds, window: &Window<'_>) -> usize {
    let mut live = window.len();
    if kinds.has(Entity::Email) {
        live = live.min(email::local_start(window, window.len()));
    }
    if kinds.has(Entity::Phone) {
        live = live.min(phone::live_tail(window).unwrap_or(live));
    }
    if kinds.has(Entity::InternationalBankAccountNumber) {
        live = live.min(iban::live_tail(window).unwrap_or(live));
    }
    live
}

/// The next digit or `@`. Text without either is passed over in blocks.
fn next_trigger(bytes: &[u8], from: usize) -> Option<usize> {
    let is_trigger = |b: &u8| b.is_ascii_digit() || *b == b'@';
    let mut rest = bytes.get(from..)?;
    while let Some((block, tail)) = rest.split_first_chunk::<32>() {
        if block.iter().fold(false, |hit, b| hit | is_trigger(b)) {
            break;
        }
        rest = tail;
    }
    rest.iter().position(is_trigger).map(|at| bytes.len() - rest.len() + at)
}
