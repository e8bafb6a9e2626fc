//! The hold-back: an answer that arrives in pieces goes on masked exactly as the whole would have been.
//!
//! Law: for every chunking, the pieces let go, joined, equal the whole text masked. Only text from the first undecided candidate on
//! is held, so text without one is never held at all, and no candidate reaches further than [`HELD_MAX`] folded bytes.
//! Nothing raw is let go on any failure: a blocked stream stays blocked. One state serves one channel of one choice.
//! Absent on purpose: the events the text travels in, and keeping a held connection awake.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::detect::{Detectors, Finding, Kinds, Sieve, What};
use super::mask::{self, Blocked, Masker, Stretch, Weave};
use crate::decision::Actions;
use crate::vocabulary::MaskAction;

/// Folded bytes that can be held at most: the longest address, pattern, number or coded run with what is read behind it. Each may carry up
/// to sixteen invisible characters.
pub const HELD_MAX: usize = 512;

/// Text already let go is dropped from the buffer when that much of it has gathered, so that dropping stays cheap.
const SLACK: usize = 1024;

/// What is held back of one channel of one choice.
#[derive(Debug)]
pub struct HoldBack {
    detectors: Arc<Detectors>,
    actions: Arc<Actions>,
    /// Looks for what is masked or blocked; its undecided text is held.
    acting: Sieve,
    /// Looks for what is only reported, and holds nothing.
    reporting: Option<Sieve>,
    weave: Weave,
    /// The raw text from `at` on.
    raw: String,
    at: usize,
    fresh: Vec<Finding>,
    tally: Vec<(What, u32)>,
    blocked: Option<Blocked>,
}

impl HoldBack {
    /// Nothing has arrived. Kinds of findings without an action are not looked for.
    pub fn new(detectors: Arc<Detectors>, actions: Arc<Actions>) -> Self {
        let acting = Kinds::of(&actions, |action| action != MaskAction::Detect);
        let reporting = Kinds::of(&actions, |action| action == MaskAction::Detect);
        Self {
            detectors,
            actions,
            acting: Sieve::new(acting),
            reporting: (!reporting.is_empty()).then(|| Sieve::new(reporting)),
            weave: if acting.is_empty() { Weave::unchanged() } else { Weave::default() },
            raw: String::new(),
            at: 0,
            fresh: Vec::new(),
            tally: Vec::new(),
            blocked: None,
        }
    }

    /// Takes the next piece and appends to `out` what may go on, masked. The masker is the request's, shared by its choices.
    ///
    /// # Errors
    /// When something that must not pass was found, now or before; `out` then has what stood before it and nothing else follows.
    pub fn push(&mut self, delta: &str, masker: &mut Masker, out: &mut String) -> Result<(), Blocked> {
        self.advance(Some(delta), masker, out)
    }

    /// Says that no piece follows, and lets go of the rest.
    ///
    /// # Errors
    /// As [`HoldBack::push`].
    pub fn finish(&mut self, masker: &mut Masker, out: &mut String) -> Result<(), Blocked> {
        self.advance(None, masker, out)
    }

    /// Bytes of original text held at this moment.
    pub fn held(&self) -> usize {
        (self.at + self.raw.len()).saturating_sub(self.weave.written())
    }

    /// What was found so far and how often, reported findings included.
    pub fn found(&self) -> &[(What, u32)] {
        &self.tally
    }

    fn advance(&mut self, delta: Option<&str>, masker: &mut Masker, out: &mut String) -> Result<(), Blocked> {
        if let Some(blocked) = self.blocked {
            return Err(blocked);
        }
        self.report(delta);
        self.fresh.clear();
        match delta {
            Some(delta) => {
                self.raw.push_str(delta);
                self.acting.push(&self.detectors, delta, &mut self.fresh);
            }
            None => self.acting.finish(&self.detectors, &mut self.fresh),
        }
        let acts =
            |what| mask::action(&self.actions, what).is_some_and(|action| action != MaskAction::Detect);
        self.fresh.retain(|finding| acts(finding.what));
        count(&mut self.tally, &self.fresh);
        let stretch = Stretch { text: &self.raw, at: self.at };
        if let Err(blocked) = self.weave.replace(&stretch, &self.fresh, &self.actions, (masker, out)) {
            self.blocked = Some(blocked);
            self.raw = String::new();
            return Err(blocked);
        }
        match delta {
            Some(_) => self.weave.pass_so_far(&stretch, self.acting.decided(), out),
            None => self.weave.pass(&stretch, self.acting.decided(), out),
        }
        self.drop_written();
        Ok(())
    }

    /// Counts what is only reported.
    fn report(&mut self, delta: Option<&str>) {
        let Some(feed) = &mut self.reporting else { return };
        self.fresh.clear();
        match delta {
            Some(delta) => feed.push(&self.detectors, delta, &mut self.fresh),
            None => feed.finish(&self.detectors, &mut self.fresh),
        }
        self.fresh.retain(|finding| mask::action(&self.actions, finding.what) == Some(MaskAction::Detect));
        count(&mut self.tally, &self.fresh);
    }

    /// INVARIANT: a finding still to come starts at or after what is decided, and its text is needed whole.
    fn drop_written(&mut self) {
        let needed = self.weave.written().min(self.acting.decided());
        let gone = needed.saturating_sub(self.at);
        if gone == self.raw.len() || gone > SLACK {
            self.raw.drain(..gone);
            self.at = needed;
        }
    }
}

fn count(tally: &mut Vec<(What, u32)>, findings: &[Finding]) {
    for finding in findings {
        match tally.iter_mut().find(|(what, _)| *what == finding.what) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => tally.push((finding.what, 1)),
        }
    }
}
