//! Both scans of a text that is fed in pieces: of what it says, and of the coded runs in it.
//!
//! Law: the findings are those of the whole text, in the same order, each reported once no earlier one can follow.

use super::coded::Coded;
use super::feed::Feed;
use super::{Detectors, Finding, Kinds, order};

/// Where both scans stand.
#[derive(Debug)]
pub(in crate::content) struct Sieve {
    feed: Feed,
    coded: Coded,
    /// Findings of one scan that the other has not come to.
    waiting: Vec<Finding>,
}

impl Sieve {
    /// Nothing has been read; only findings of these kinds are looked for.
    pub(in crate::content) fn new(kinds: Kinds) -> Self {
        Self { feed: Feed::new(kinds), coded: Coded::new(kinds), waiting: Vec::new() }
    }

    /// Takes the next piece; appends what has become certain, in offsets of the whole text.
    pub(in crate::content) fn push(
        &mut self,
        detectors: &Detectors,
        piece: &str,
        findings: &mut Vec<Finding>,
    ) {
        self.feed.push(detectors, piece, &mut self.waiting);
        self.coded.push(detectors, piece, &mut self.waiting);
        self.release(self.decided(), findings);
    }

    /// Says that no piece follows; appends what that made certain.
    pub(in crate::content) fn finish(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        self.feed.finish(detectors, &mut self.waiting);
        self.coded.finish(detectors, &mut self.waiting);
        self.release(usize::MAX, findings);
    }

    /// Offset in the whole text before whose characters no further finding starts.
    pub(in crate::content) fn decided(&self) -> usize {
        self.feed.decided().min(self.coded.decided())
    }

    fn release(&mut self, decided: usize, findings: &mut Vec<Finding>) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_unstable_by_key(order);
        let certain = self.waiting.partition_point(|finding| finding.start < decided);
        findings.extend(self.waiting.drain(..certain));
    }
}
