//! Whether an endpoint fails so much that others are tried before it.
//!
//! Law: only failures of the endpoint's own making count. While it is open nobody is sent there whom another can answer; when its time
//! is over one request is, and what becomes of that one decides. It orders candidates and refuses nothing: who has nobody else is
//! sent there all the same. Atomics alone; an endpoint that is well costs a load. Deliberately absent: what counts as a failure
//! (`verdict`).
//!
//! | state | begins | others are tried first |
//! |---|---|---|
//! | closed | at the start; when a request that was sent there since it opened is answered | no |
//! | open | after [`IN_A_ROW`] failures in a row, or when more than [`SHARE`] of the latest failed; when the probe failed | yes |
//! | half open | when its time is over: 1 s, doubled with each opening, up to a minute | once a probe is out |

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use policy_engine::vocabulary::Instant;

/// Failures in a row that open it: with no whole answer between them. One that its caller gave up says nothing, and ends no row.
const IN_A_ROW: u32 = 5;

/// All of the latest failed, as the moving average counts.
const ALL: u32 = 1 << 16;

/// The share of failures among the latest that opens it: two of five.
const SHARE: u32 = ALL / 5 * 2;

/// The weight of the latest in the moving average, as a power of two: a sixteenth.
const SMOOTHING: u32 = 4;

/// The shortest and the longest time that it stays open, in microseconds, but for chance.
const SPAN: (i64, i64) = (1_000_000, 60_000_000);

/// An opening so long after the last closing is the first again, in microseconds.
const CALM: i64 = 120_000_000;

/// One endpoint's circuit breaker.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Failures since the last whole answer.
    row: AtomicU32,
    /// Which share of the latest failed, of [`ALL`].
    share: AtomicU32,
    /// Until when it is open, in microseconds since the Unix epoch; 0 while it is closed.
    until: AtomicI64,
    /// How often it opened without a calm time between.
    openings: AtomicU32,
    closed: AtomicI64,
    probing: AtomicBool,
    ejections: AtomicU64,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    /// Its time is over, and nobody knows yet.
    HalfOpen,
    Open,
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It was closed.
    Free,
    /// As the one that finds out.
    Probe,
    /// There was nobody else.
    Forced,
}

impl Breaker {
    /// Whether it is closed, whatever the time is.
    pub(crate) fn is_closed(&self) -> bool {
        self.until.load(Relaxed) == 0
    }

    /// Its state.
    pub(crate) fn state(&self, now: Instant) -> State {
        let until = self.until.load(Relaxed);
        // More than the longest is left where a clock was set back.
        match until.saturating_sub(now.0) {
            _ if until == 0 => State::Closed,
            left if left > 0 && left <= SPAN.1.saturating_mul(2) => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Whether others are to be tried first.
    pub(crate) fn is_shut(&self, now: Instant) -> bool {
        match self.state(now) {
            State::Closed => false,
            State::HalfOpen => self.probing.load(Relaxed),
            State::Open => true,
        }
    }

    /// A request goes in. Where it is half open one of all who ask is the probe, which [`Self::release`] ends.
    pub(crate) fn enter(&self, now: Instant) -> Entry {
        let entry = match self.state(now) {
            State::Closed => return Entry::Free,
            State::HalfOpen => self.probing.compare_exchange(false, true, Relaxed, Relaxed),
            State::Open => Err(true),
        };
        if entry.is_ok() { Entry::Probe } else { Entry::Forced }
    }

    /// The probe is not out any more.
    pub(crate) fn release(&self) {
        self.probing.store(false, Relaxed);
    }

    /// A request that came in so begins to be answered.
    pub(crate) fn answers(&self, entry: Entry, now: impl FnOnce() -> Instant) {
        if entry != Entry::Free && self.until.swap(0, Relaxed) != 0 {
            self.closed.store(now().0, Relaxed);
            self.row.store(0, Relaxed);
            self.share.store(0, Relaxed);
        }
    }

    /// A request was answered to the end.
    pub(crate) fn well(&self) {
        if self.row.load(Relaxed) != 0 {
            self.row.store(0, Relaxed);
        }
        let share = self.share.load(Relaxed);
        if share != 0 {
            self.share.store(share - (share >> SMOOTHING).max(1), Relaxed);
        }
    }

    /// A request that came in so failed, and the endpoint is to blame; `chance` spreads who tries it again when.
    pub(crate) fn ill(&self, entry: Entry, now: Instant, chance: u64) {
        let row = self.row.fetch_add(1, Relaxed).saturating_add(1);
        let before = self.share.load(Relaxed);
        let share = before + ((ALL - before.min(ALL)) >> SMOOTHING);
        self.share.store(share, Relaxed);
        match entry {
            Entry::Free if row >= IN_A_ROW || share > SHARE => self.open(0, now, chance),
            Entry::Probe => self.open(self.until.load(Relaxed), now, chance),
            Entry::Free | Entry::Forced => {}
        }
    }

    /// How often it opened since the start.
    pub(crate) fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// Opens it, if it is as it was seen: of several who would, one does.
    fn open(&self, seen: i64, now: Instant, chance: u64) {
        let calm = now.0.abs_diff(self.closed.load(Relaxed)) > CALM.unsigned_abs();
        let before = if seen == 0 && calm { 0 } else { self.openings.load(Relaxed) };
        let span = SPAN.0.saturating_mul(1 << before.min(6)).min(SPAN.1);
        // Up to half as long again: nodes that saw it fail together do not all come back together.
        let more = i64::try_from(chance >> 1).unwrap_or(0).checked_rem(span / 2).unwrap_or(0);
        let until = now.0.saturating_add(span).saturating_add(more);
        if self.until.compare_exchange(seen, until, Relaxed, Relaxed).is_ok() {
            self.openings.store(before.saturating_add(1), Relaxed);
            self.ejections.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Instant {
        Instant(1_000_000_000_000 + millis * 1000)
    }

    fn fail(breaker: &Breaker, now: Instant) {
        let entry = breaker.enter(now);
        breaker.ill(entry, now, 0);
        if entry == Entry::Probe {
            breaker.release();
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_finds_out() {
        let breaker = Breaker::default();
        (0..4).for_each(|_| fail(&breaker, at(0)));
        assert_eq!(breaker.state(at(0)), State::Closed);
        breaker.well();
        (0..4).for_each(|_| fail(&breaker, at(0)));
        assert_eq!(breaker.state(at(0)), State::Closed, "what was answered between begins the row anew");
        fail(&breaker, at(0));
        assert_eq!((breaker.state(at(0)), breaker.ejections()), (State::Open, 1));
        assert!(breaker.is_shut(at(999)));
        assert_eq!(breaker.state(at(1000)), State::HalfOpen);
        assert!(!breaker.is_shut(at(1000)));
        assert_eq!(breaker.enter(at(1000)), Entry::Probe);
        assert!(breaker.is_shut(at(1000)), "one probe is out");
        assert_eq!(breaker.enter(at(1000)), Entry::Forced);
        breaker.answers(Entry::Probe, || at(1001));
        breaker.release();
        assert_eq!(breaker.state(at(1001)), State::Closed);
        fail(&breaker, at(1002));
        assert_eq!(breaker.state(at(1002)), State::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer_up_to_a_minute() {
        let breaker = Breaker::default();
        let mut now = 0;
        (0..5).for_each(|_| fail(&breaker, at(now)));
        for span in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(breaker.is_shut(at(now + span * 1000 - 1)), "{span}");
            now += span * 1000;
            assert!(!breaker.is_shut(at(now)), "{span}");
            fail(&breaker, at(now));
        }
        assert_eq!(breaker.ejections(), 9);
        // An answer ends it; soon after it is still the longest time, and after a calm while the shortest.
        breaker.answers(Entry::Forced, || at(now));
        (0..5).for_each(|_| fail(&breaker, at(now + 1000)));
        assert!(breaker.is_shut(at(now + 1000 + 59_999)));
        breaker.answers(Entry::Forced, || at(now));
        (0..5).for_each(|_| fail(&breaker, at(now + 200_000)));
        assert!(!breaker.is_shut(at(now + 201_000)));
    }

    #[test]
    fn an_endpoint_that_fails_every_other_time_is_ejected_and_one_that_seldom_does_is_not() {
        let half = Breaker::default();
        for _ in 0..40 {
            fail(&half, at(0));
            half.well();
        }
        assert_eq!(half.state(at(0)), State::Open);
        let seldom = Breaker::default();
        for turn in 0..1000 {
            if turn % 5 == 0 { fail(&seldom, at(0)) } else { seldom.well() }
        }
        assert_eq!(seldom.state(at(0)), State::Closed);
        (0..1000).for_each(|_| seldom.well());
        assert_eq!(seldom.share.load(Relaxed), 0, "what is long past is forgotten");
    }

    #[test]
    fn answers_to_what_was_asked_before_it_opened_do_not_close_it() {
        let breaker = Breaker::default();
        let before = breaker.enter(at(0));
        (0..5).for_each(|_| fail(&breaker, at(0)));
        breaker.answers(before, || at(1));
        breaker.well();
        assert_eq!(breaker.state(at(1)), State::Open);
        // Nor do late failures open it for longer.
        (0..50).for_each(|_| breaker.ill(before, at(500), 0));
        assert!(!breaker.is_shut(at(1000)));
    }

    #[test]
    fn chance_lengthens_it_by_half_at_most_and_a_clock_set_back_does_not() {
        for chance in [1, u64::MAX / 3, u64::MAX] {
            let breaker = Breaker::default();
            (0..5).for_each(|_| breaker.ill(Entry::Free, at(0), chance));
            assert!(breaker.is_shut(at(999)) && !breaker.is_shut(at(1500)), "{chance}");
            assert_eq!(breaker.state(at(-3_600_000)), State::HalfOpen);
        }
    }
}
