//! What is counted of a segment while it is written, or read again after a crash.

use aws_lc_rs::digest::{Context, SHA256};
use policy_engine::vocabulary::Instant;
use proto::segment::{Chain, Digest};

/// A segment's sums so far.
#[derive(Clone)]
pub(super) struct Tally {
    chain: Chain,
    whole: Context,
    seqs: Option<(u64, u64)>,
    count: u64,
    revisions: (i64, i64),
    times: (Instant, Instant),
}

/// The first number, revisions and times.
pub(super) type Spans = (u64, (i64, i64), (Instant, Instant));

/// What is counted of one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) seq: u64,
    pub(super) revision: i64,
    pub(super) received: Instant,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tally({:?}, {})", self.seqs, self.count)
    }
}

impl Tally {
    /// Of a segment that follows a manifest with this hash.
    pub(super) fn after(previous: Digest) -> Self {
        Self {
            chain: Chain::after(previous),
            whole: Context::new(&SHA256),
            seqs: None,
            count: 0,
            revisions: (i64::MAX, i64::MIN),
            times: (Instant(i64::MAX), Instant(i64::MIN)),
        }
    }

    /// Counts a line.
    pub(super) fn count_line(&mut self, line: Counted) {
        self.seqs = Some((self.seqs.map_or(line.seq, |(first, _)| first), line.seq));
        self.count += 1;
        self.revisions = (self.revisions.0.min(line.revision), self.revisions.1.max(line.revision));
        self.times = (self.times.0.min(line.received), self.times.1.max(line.received));
    }

    /// Lines were written whose last has this hash.
    pub(super) fn wrote(&mut self, lines: &[u8], chain: Chain) {
        self.whole.update(lines);
        self.chain = chain;
    }

    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn sha256(&self) -> Digest {
        self.whole.clone().finish().as_ref().try_into().unwrap_or_default()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The first number, the lowest and the highest revision, and the earliest and the latest time; `None` without lines.
    pub(super) fn spans(&self) -> Option<Spans> {
        Some((self.seqs?.0, self.revisions, self.times))
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.seqs.map_or(0, |(_, last)| last)
    }
}
