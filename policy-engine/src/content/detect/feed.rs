//! A scan that is fed a text in pieces.
//!
//! Law: the findings are those of the whole text, in the same order, each reported as soon as it cannot change.

use super::window::{End, LEFT, Window};
use super::{Detectors, Finding, Kinds};
use crate::content::normalise::Folded;

/// Folded text is trimmed to its left context when that much can go.
const SLACK: usize = 256;

/// Where a scan stands.
#[derive(Debug)]
pub(in crate::content) struct Feed {
    kinds: Kinds,
    folded: Folded,
    /// View offset of the first start that is not decided.
    from: usize,
}

impl Feed {
    /// Nothing has been read; only findings of these kinds are looked for.
    pub(in crate::content) fn new(kinds: Kinds) -> Self {
        Self { kinds, folded: Folded::default(), from: 0 }
    }

    /// The same, with room for a piece of that many bytes.
    pub(super) fn with_capacity(kinds: Kinds, bytes: usize) -> Self {
        Self { kinds, folded: Folded::with_capacity(bytes + SLACK), from: 0 }
    }

    /// What is looked for.
    pub(super) fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Takes the next piece; appends what has become certain, in offsets of the whole text.
    pub(in crate::content) fn push(
        &mut self,
        detectors: &Detectors,
        piece: &str,
        findings: &mut Vec<Finding>,
    ) {
        self.folded.push(piece);
        self.scan(detectors, End::Open, findings);
        if self.from > LEFT + SLACK {
            self.from -= self.folded.forget(self.from - LEFT);
        }
    }

    /// Says that no piece follows; appends what that made certain.
    pub(in crate::content) fn finish(&mut self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        self.folded.finish();
        self.scan(detectors, End::Known, findings);
    }

    fn scan(&mut self, detectors: &Detectors, end: End, findings: &mut Vec<Finding>) {
        let kept = findings.len();
        self.from =
            detectors.scan_window(self.kinds, &Window::new(self.folded.text(), end), self.from, findings);
        for finding in findings.iter_mut().skip(kept) {
            finding.start = self.folded.start_of(finding.start);
            finding.end = self.folded.end_of(finding.end);
        }
    }

    /// Offset in the whole text before whose characters no further finding starts.
    pub(in crate::content) fn decided(&self) -> usize {
        // Who looks for nothing waits for nothing, not even the rest of an escape.
        if self.kinds.is_empty() { self.folded.arrived() } else { self.folded.start_of(self.from) }
    }
}
