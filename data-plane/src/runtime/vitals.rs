//! How an endpoint is doing, as this node sees it: requests in flight, the time to an answer, whether it fails or wants to be left
//! alone, and whether it was told that it refuses our credential.
//!
//! Law: approximate and never waited for; it orders candidates and permits nothing. An endpoint that is well costs a few loads and
//! neither a lock nor memory.

pub(crate) mod breaker;
mod late;
pub(crate) mod rest;
pub(crate) mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use policy_engine::vocabulary::Instant;

use breaker::{Breaker, Entry, State};
use late::Late;
use rest::{Rest, UNSAID};
use verdict::{Health, Verdict, Wish};

/// After so long a time to an answer counts for a third of what it did, in microseconds.
const MEMORY: f64 = 10_000_000.0;

/// How long a refusal of our credential is not told again, in microseconds.
const SILENCE: i64 = 60_000_000;

/// One endpoint's vital signs.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    busy: AtomicU32,
    /// Microseconds; 0 until something was measured.
    latency: AtomicU64,
    /// When that was, in microseconds since the Unix epoch.
    measured: AtomicI64,
    /// Of whole answers, and of the beginnings of streams.
    late: [Late; 2],
    /// When it was last told that it refuses our credential; 0 where it never was.
    refusal_told: AtomicI64,
    breaker: Breaker,
    rest: Rest,
}

/// A request in flight; ends when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    vitals: Arc<Vitals>,
    entry: Entry,
}

/// Whether an endpoint is to be asked, or others before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It is.
    Ready,
    /// It refused of late and did not say for how long, or has nothing left for now.
    CoolingOff,
    /// It fails too often.
    Ejected,
    /// It asked to be left alone for so long.
    Resting(Duration),
}

impl Standing {
    /// Its name, of few: a label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::CoolingOff => "cooling_off",
            Self::Ejected => "ejected",
            Self::Resting(_) => "resting",
        }
    }

    /// The same in words.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Ready => "the endpoint is ready",
            Self::CoolingOff => "the endpoint refused of late",
            Self::Ejected => "the endpoint failed too often of late",
            Self::Resting(_) => "the endpoint asked to be left alone",
        }
    }
}

impl Vitals {
    /// Counts a request until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>, now: impl FnOnce() -> Instant) -> InFlight {
        self.busy.fetch_add(1, Ordering::Relaxed);
        let entry = if self.breaker.is_closed() { Entry::Free } else { self.breaker.enter(now()) };
        InFlight { vitals: self.clone(), entry }
    }

    /// Whether it is to be asked.
    pub(crate) fn standing(&self, now: impl FnOnce() -> Instant) -> Standing {
        if self.breaker.is_closed() && self.rest.is_over() {
            return Standing::Ready;
        }
        let now = now();
        match self.rest.asked(now) {
            Some(left) => Standing::Resting(left),
            None if self.breaker.is_shut(now) => Standing::Ejected,
            None if self.rest.guessed(now).is_some() => Standing::CoolingOff,
            None => Standing::Ready,
        }
    }

    /// It answered, and said that it has nothing left for so long.
    pub(crate) fn spent(&self, now: Instant, wait: Duration) {
        self.rest.guess(now, wait);
    }

    /// The state of its breaker.
    pub(crate) fn state(&self, now: Instant) -> State {
        self.breaker.state(now)
    }

    /// How often it was ejected since the start.
    pub(crate) fn ejections(&self) -> u64 {
        self.breaker.ejections()
    }

    /// Requests in flight.
    pub(crate) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// The time to an answer of late, in microseconds: a slow one counts at once and is forgotten by and by, so that who was slow is
    /// asked again (a peak-sensitive moving average, as in Finagle's `PeakEwma`). 0 where nothing was measured.
    pub(crate) fn latency(&self, now: Instant) -> u64 {
        match self.latency.load(Ordering::Relaxed) {
            0 => 0,
            latency => (latency as f64 * self.remembered(now)) as u64,
        }
    }

    /// Takes in a time to an answer. A race between two loses one of them, which an average survives.
    pub(crate) fn measured(&self, took: Duration, now: Instant) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let before = self.latency.load(Ordering::Relaxed);
        let weight = self.remembered(now);
        let average = before as f64 * weight + micros as f64 * (1.0 - weight);
        self.latency.store(micros.max(average as u64), Ordering::Relaxed);
        self.measured.store(now.0, Ordering::Relaxed);
    }

    /// Takes in after how long an answer came, or a stream began.
    pub(crate) fn timed(&self, took: Duration, streams: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let [whole, stream] = &self.late;
        if streams { stream } else { whole }.measured(micros);
    }

    /// After how long an answer is late, or a stream: 19 of 20 are sooner. `None` where too few were timed.
    pub(crate) fn late(&self, streams: bool) -> Option<Duration> {
        let [whole, stream] = &self.late;
        if streams { stream } else { whole }.after()
    }

    /// Which part of what was measured last still counts.
    fn remembered(&self, now: Instant) -> f64 {
        let since = now.0.abs_diff(self.measured.load(Ordering::Relaxed));
        (-(since as f64) / MEMORY).exp()
    }

    /// What a request there is likely to cost in time: what an answer takes, for each that is under way.
    pub(crate) fn load(&self, now: Instant) -> u64 {
        self.latency(now).saturating_mul(u64::from(self.busy()) + 1)
    }

    /// Whether it is to be told now that the endpoint refuses our credential: once a minute at most, by one of all who ask.
    pub(crate) fn tells_refusal(&self, now: Instant) -> bool {
        let told = self.refusal_told.load(Ordering::Relaxed);
        let is_due = told == 0 || now.0.abs_diff(told) >= SILENCE.unsigned_abs();
        let order = Ordering::Relaxed;
        is_due && self.refusal_told.compare_exchange(told, now.0, order, order).is_ok()
    }
}

impl InFlight {
    /// Whether it came in though others are to be tried first.
    pub(crate) fn is_forced(&self) -> bool {
        self.entry == Entry::Forced
    }

    /// The first of an answer came: an endpoint that was ejected is back.
    pub(crate) fn answers(&mut self, now: impl FnOnce() -> Instant) {
        self.vitals.breaker.answers(self.entry, now);
        self.end_probe();
    }

    /// All of the answer came.
    pub(crate) fn well(self) {
        self.vitals.breaker.well();
    }

    /// It failed; `chance` is spread evenly.
    pub(crate) fn failed(mut self, verdict: Verdict, now: Instant, chance: u64) {
        let Vitals { breaker, rest, .. } = &*self.vitals;
        match verdict.health {
            Some(Health::Well) => {
                breaker.answers(self.entry, || now);
                breaker.well();
            }
            Some(Health::Ill) => breaker.ill(self.entry, now, chance),
            None => {}
        }
        match verdict.rest {
            Some(Wish::Asked(wait)) => rest.ask(now, wait),
            Some(Wish::Unsaid) => rest.guess(now, UNSAID),
            None => {}
        }
        self.end_probe();
    }

    fn end_probe(&mut self) {
        if self.entry == Entry::Probe {
            self.vitals.breaker.release();
            self.entry = Entry::Forced;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.end_probe();
        self.vitals.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_not_in_flight_and_averages_follow() {
        let vitals = Arc::new(Vitals::default());
        let now = || Instant(1);
        let (one, two) = (vitals.begin(now), vitals.begin(now));
        assert_eq!(vitals.busy(), 2);
        drop((one, two));
        assert_eq!(vitals.busy(), 0);
        let at = |seconds: i64| Instant(1_000_000_000_000 + seconds * 1_000_000);
        assert_eq!(vitals.latency(at(0)), 0);
        vitals.measured(Duration::from_micros(800), at(0));
        assert_eq!(vitals.latency(at(0)), 800);
        vitals.measured(Duration::from_micros(9000), at(0));
        vitals.measured(Duration::from_micros(800), at(0));
        assert_eq!(vitals.latency(at(0)), 9000, "a peak counts at once");
        assert!((3200..3400).contains(&vitals.latency(at(10))), "{}", vitals.latency(at(10)));
        (1..=60).for_each(|second| vitals.measured(Duration::from_micros(800), at(second)));
        assert!((800..900).contains(&vitals.latency(at(60))), "{}", vitals.latency(at(60)));
        let _busy = vitals.begin(now);
        assert_eq!(vitals.load(at(60)), 2 * vitals.latency(at(60)));
    }

    #[test]
    fn a_refusal_is_told_once_a_minute() {
        let vitals = Vitals::default();
        let told = [5, 6, 60_000_004, 60_000_005, 60_000_006].map(|now| vitals.tells_refusal(Instant(now)));
        assert_eq!(told, [true, false, false, true, false]);
    }

    #[test]
    fn what_a_vendor_asks_for_stands_above_what_is_guessed() {
        let vitals = Arc::new(Vitals::default());
        let at = |seconds: i64| move || Instant(1_000_000_000_000 + seconds * 1_000_000);
        let fail = |verdict: Verdict| vitals.begin(at(0)).failed(verdict, at(0)(), 0);
        assert_eq!(vitals.standing(at(0)), Standing::Ready);
        let unsaid = Verdict { health: Some(Health::Well), rest: Some(Wish::Unsaid) };
        fail(unsaid);
        assert_eq!(vitals.standing(at(0)), Standing::CoolingOff);
        (0..5).for_each(|_| fail(Verdict { health: Some(Health::Ill), rest: None }));
        assert_eq!(vitals.standing(at(0)), Standing::Ejected);
        fail(Verdict { health: None, rest: Some(Wish::Asked(Duration::from_secs(9))) });
        assert_eq!(vitals.standing(at(2)), Standing::Resting(Duration::from_secs(7)));
        // Its time is over: a probe that is given up lets another one in.
        assert_eq!(vitals.standing(at(9)), Standing::Ready);
        let probe = vitals.begin(at(9));
        assert_eq!(vitals.standing(at(9)), Standing::Ejected);
        drop(probe);
        assert_eq!(vitals.standing(at(9)), Standing::Ready);
        let mut probe = vitals.begin(at(9));
        probe.answers(at(9));
        assert_eq!(vitals.standing(at(9)), Standing::Ready);
        assert_eq!((vitals.busy(), vitals.ejections()), (1, 1));
    }
}
