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
mod window;
mod words;

use std::cmp::Reverse;
use std::fmt;

use thiserror::Error;

use crate::vocabulary::Entity;
use context::Context;
pub(super) use feed::Feed;
use number::Number;
use window::{End, Window};
use words::Words;

/// Lists in one set.
const MAX_LISTS: usize = 64;
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
    /// A word of the list at that place in [`Detectors::lists`].
    Word(u16),
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
    /// The caller's name for it.
    pub id: String,
    /// The words; at most 200 bytes each once folded.
    pub words: Vec<String>,
}

/// Why a set of detectors could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileError {
    /// More lists than 64.
    #[error("{0} word lists, at most 64 are possible")]
    TooManyLists(usize),
    /// More words than 50,000, or more text in them than 1 MiB.
    #[error("word lists hold too much: at most 50000 words and 1 MiB of text are possible")]
    TooManyWords,
    /// A word longer than 200 bytes.
    #[error("word `{0}...` of list `{1}` is longer than 200 bytes")]
    WordTooLong(String, String),
    /// A word without a visible character.
    #[error("list `{0}` has a word without a visible character")]
    BlankWord(String),
}

/// What to look for: immutable, shared by every request of a snapshot.
#[derive(Debug)]
pub struct Detectors {
    entities: u32,
    lists: Vec<String>,
    words: Words,
    context: Context,
}

impl Detectors {
    /// Builds the set.
    ///
    /// # Errors
    /// When the lists exceed a limit, or a word could never be found.
    pub fn compile(
        entities: impl IntoIterator<Item = Entity>,
        lists: impl IntoIterator<Item = WordList>,
    ) -> Result<Self, CompileError> {
        let entities = entities.into_iter().fold(0, |set, entity| set | entity.bit());
        let mut made = Self { entities, lists: Vec::new(), words: Words::new(), context: Context::new() };
        let (mut count, mut bytes) = (0, 0);
        for list in lists {
            let Some(index) = u16::try_from(made.lists.len()).ok().filter(|n| usize::from(*n) < MAX_LISTS)
            else {
                return Err(CompileError::TooManyLists(MAX_LISTS + 1));
            };
            for word in &list.words {
                let pattern = words::pattern_of(word);
                (count, bytes) = (count + 1, bytes + pattern.len());
                if count > MAX_WORDS || bytes > MAX_WORD_BYTES {
                    return Err(CompileError::TooManyWords);
                }
                if words::is_blank(&pattern) {
                    return Err(CompileError::BlankWord(list.id));
                }
                if pattern.len() > words::PATTERN {
                    return Err(CompileError::WordTooLong(word.chars().take(32).collect(), list.id));
                }
                made.words.insert(&pattern, index);
            }
            made.lists.push(list.id);
        }
        Ok(made)
    }

    /// The ids of the word lists, in the order findings name them.
    pub fn lists(&self) -> &[String] {
        &self.lists
    }

    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.entities == 0 && self.words.is_empty()
    }

    /// Appends everything found in a whole text, by start, longer first. Findings may overlap: `mask` resolves that.
    pub fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        if self.is_empty() {
            return;
        }
        if text.is_ascii() {
            let window = Window::new(text, End::Known);
            self.scan_window(&window, 0, findings);
            return;
        }
        let mut feed = Feed::with_capacity(text.len().min(PIECE));
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(PIECE));
            feed.push(self, piece, findings);
            rest = tail;
        }
        feed.finish(self, findings);
    }

    fn finds(&self, entity: Entity) -> bool {
        self.entities & entity.bit() != 0
    }

    /// Appends, in order, every finding of the window that starts at or after `from` and before the first undecided candidate,
    /// and gives where that one starts; the window's end when there is none.
    fn scan_window(&self, window: &Window<'_>, from: usize, findings: &mut Vec<Finding>) -> usize {
        let kept = findings.len();
        let mut live = window.len();
        if self.entities != 0 {
            live = live.min(self.scan_entities(window, from, findings));
        }
        if !self.words.is_empty() {
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

    fn scan_entities(&self, window: &Window<'_>, from: usize, findings: &mut Vec<Finding>) -> usize {
        let mut live = if window.is_open() { self.live_tail(window) } else { window.len() };
        let mut index = from;
        while let Some(trigger) = next_trigger(window.bytes(), index) {
            let mut judge = |start: usize, verdict: Option<Option<Finding>>| match verdict {
                Some(finding) => findings.extend(finding),
                None => live = live.min(start),
            };
            index = trigger + 1;
            if window.bytes().get(trigger) == Some(&b'@') {
                if self.finds(Entity::Email) {
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
                self.judge_number(window, trigger, &mut judge);
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
        window: &Window<'_>,
        first: usize,
        judge: &mut impl FnMut(usize, Option<Option<Finding>>),
    ) {
        let before = window.char_before(first);
        if before.is_some_and(|c| c.is_ascii_alphabetic()) {
            if self.finds(Entity::InternationalBankAccountNumber)
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
            || !(self.finds(Entity::CreditDebitCardNumber) || self.finds(Entity::Phone))
        {
            return;
        }
        let signed = phone::start_of_phone(window, first);
        judge(
            signed,
            window.decide(|window| {
                let number = Number::read(window, first);
                if self.finds(Entity::CreditDebitCardNumber)
                    && let Some(end) = card::end_of_card(window, first, &number)
                {
                    return Some(Finding {
                        what: What::Entity(Entity::CreditDebitCardNumber),
                        start: first,
                        end,
                    });
                }
                if !self.finds(Entity::Phone) {
                    return None;
                }
                let (start, end) = phone::find_phone(window, &self.context, first, &number)?;
                Some(Finding { what: What::Entity(Entity::Phone), start, end })
            }),
        );
    }

    /// Where a candidate may start whose anchor (an `@`, a digit) has not arrived.
    fn live_tail(&self, window: &Window<'_>) -> usize {
        let mut live = window.len();
        if self.finds(Entity::Email) {
            live = live.min(email::local_start(window, window.len()));
        }
        if self.finds(Entity::Phone) {
            live = live.min(phone::live_tail(window).unwrap_or(live));
        }
        if self.finds(Entity::InternationalBankAccountNumber) {
            live = live.min(iban::live_tail(window).unwrap_or(live));
        }
        live
    }
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
