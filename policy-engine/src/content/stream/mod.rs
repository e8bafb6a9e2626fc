//! The hold-back: an answer that arrives in pieces goes on masked exactly as the whole would have been.
//!
//! Law: for every chunking, the pieces let go, joined, equal the whole text masked. Only text from the first undecided candidate on
//! is held, so text without one is never held at all, and no candidate reaches further than [`HELD_MAX`] folded bytes.
//! Nothing raw is let go on any failure: a blocked stream stays blocked. One state serves one channel of one choice.
//! Absent on purpose: the events the text travels in, and keeping a held connection awake.

use std::sync::Arc;

use super::detect::{Detectors, Feed, Finding, What};
use super::mask::{Blocked, Masker, Policy, Stretch, Weave};

/// Folded bytes that can be held at most: the longest address, pattern or number with what is read behind it. Each may carry up
/// to sixteen invisible characters.
pub const HELD_MAX: usize = 512;

/// Text already let go is dropped from the buffer when that much of it has gathered, so that dropping stays cheap.
const SLACK: usize = 1024;

/// What is held back of one channel of one choice.
#[derive(Debug)]
pub struct HoldBack {
    detectors: Arc<Detectors>,
    policy: Arc<Policy>,
    feed: Feed,
    weave: Weave,
    /// The raw text from `at` on.
    raw: String,
    at: usize,
    fresh: Vec<Finding>,
    tally: Vec<(What, u32)>,
    blocked: Option<Blocked>,
}

impl HoldBack {
    /// Nothing has arrived.
    pub fn new(detectors: Arc<Detectors>, policy: Arc<Policy>) -> Self {
        Self {
            detectors,
            policy,
            feed: Feed::default(),
            weave: Weave::default(),
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
        self.fresh.clear();
        match delta {
            Some(delta) => {
                self.raw.push_str(delta);
                self.feed.push(&self.detectors, delta, &mut self.fresh);
            }
            None => self.feed.finish(&self.detectors, &mut self.fresh),
        }
        self.count_fresh();
        let stretch = Stretch { text: &self.raw, at: self.at };
        if let Err(blocked) = self.weave.replace(&stretch, &self.fresh, &self.policy, (masker, out)) {
            self.blocked = Some(blocked);
            self.raw = String::new();
            return Err(blocked);
        }
        let free = if self.policy.only_reports() { self.at + self.raw.len() } else { self.feed.decided() };
        self.weave.pass(&stretch, free, out);
        self.drop_written();
        Ok(())
    }

    fn count_fresh(&mut self) {
        for finding in &self.fresh {
            match self.tally.iter_mut().find(|(what, _)| *what == finding.what) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => self.tally.push((finding.what, 1)),
            }
        }
    }

    /// INVARIANT: a finding still to come starts at or after what is decided, and its text is needed whole.
    fn drop_written(&mut self) {
        let needed = self.weave.written().min(self.feed.decided());
        let gone = needed.saturating_sub(self.at);
        if gone == self.raw.len() || gone > SLACK {
            self.raw.drain(..gone);
            self.at = needed;
        }
    }
}
