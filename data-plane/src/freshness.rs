//! How long ago the control plane confirmed what this node judges by, and who may still be judged by it.
//!
//! Law: an age is counted by the monotonic clock from the last heartbeat; of a process that has heard none, from the last one that
//! a process before it wrote down, by the later of the wall clock and what was written. What is too old is a 503, never a 401 or a
//! 403, for it is not the caller's fault. A request that is fresh pays for one load. Deliberately absent: how it gets fresh again
//! (`policy`).
//!
//! | class | soft after | refused after | with |
//! |---|---|---|---|
//! | registry, routes, prices | 60 s | never: what there is serves on | |
//! | keys and roles | 30 s | what the tenant says, 24 h where it says nothing | `auth_stale` |
//! | revocations | 10 s | the same; 2 min for a tenant with `strictRevocation` | `auth_stale` |
//! | compliance rules | 60 s | what the tenant says, 24 h where it says nothing; 1 h for the data class `restricted` | `rules_stale` |
//! | licences | never | by their own dates, and the clock of [`Freshness::not_before`] | `licence_expired` |
//! | kill switch | never | never: it holds until it is lifted | |
//!
//! The node's own configuration may make keys and rules good for less, never for more. A node is ready for as long as some
//! tenant's keys are good there: a tenant that is refused may be served by no other node either, and the others are served.

mod kept;
mod spans;
#[cfg(test)]
pub(crate) mod tests;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant as Moment, SystemTime};

use parking_lot::Mutex;
use policy_engine::facts::Staleness;
use policy_engine::vocabulary::Instant;
use rustls_pki_types::UnixTime;

use kept::{Kept, Words};
pub(crate) use spans::{AtMost, Spans};
pub(crate) use watch::watch;

/// Between two times of writing down what was heard, in microseconds.
const WRITE: i64 = 5_000_000;

/// How far the wall clock may be from the control plane's, in microseconds.
const ASTRAY: i64 = 60_000_000;

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;

/// What is judged by, as far as its age matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Models, routes, prices and limits.
    Registry,
    /// Keys and roles.
    Keys,
    /// What was taken back.
    Revocations,
    /// Compliance rules.
    Rules,
}

/// How old that is, against what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Confirmed of late.
    Fresh,
    /// Not confirmed of late; all are served.
    Soft,
    /// So old that some request is refused for it.
    Hard,
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Microseconds of the monotonic clock since the process began.
    pub(crate) since: i64,
    /// Microseconds of the wall clock since the Unix epoch.
    pub(crate) wall: i64,
}

/// When this node heard what.
#[derive(Debug)]
pub(crate) struct Freshness {
    began: Moment,
    /// Whole seconds since everything was confirmed, as of the last look at the clock; what a request looks at.
    age: AtomicU32,
    /// What time it is at least, in microseconds since the Unix epoch, as of the last look.
    floor: AtomicI64,
    astray: AtomicBool,
    known: Mutex<Known>,
    at_most: AtMost,
    kept: Arc<Kept>,
}

/// What was heard, in microseconds since the process began; negative: before it.
#[derive(Debug, Default)]
struct Known {
    policy: Option<i64>,
    revocations: Option<i64>,
    /// The control plane's clock, and when it said so.
    reference: Option<(i64, i64)>,
    /// When the floor was last raised.
    looked: i64,
    written: Option<i64>,
    told: Option<Level>,
}

impl Class {
    /// Every class.
    pub(crate) const ALL: [Self; 4] = [Self::Registry, Self::Keys, Self::Revocations, Self::Rules];

    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Keys => "keys",
            Self::Revocations => "revocations",
            Self::Rules => "rules",
        }
    }

    /// Seconds after which it is told that it was not confirmed.
    fn soft(self) -> u32 {
        match self {
            Self::Registry | Self::Rules => 60,
            Self::Keys => 30,
            Self::Revocations => 10,
        }
    }
}

impl Level {
    /// Its word on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self::new(AtMost::default())
    }
}

impl Freshness {
    /// Of a node that keeps nothing, and that counts as fresh until the clock is looked at.
    pub(crate) fn new(at_most: AtMost) -> Self {
        Self {
            began: Moment::now(),
            age: AtomicU32::new(0),
            floor: AtomicI64::new(i64::MIN),
            astray: AtomicBool::new(false),
            known: Mutex::default(),
            at_most,
            kept: Arc::new(Kept::nowhere()),
        }
    }

    /// Goes on from what a process before this one wrote down in a directory.
    pub(crate) fn open(directory: &Path, at_most: AtMost) -> Self {
        let kept = Kept::at(directory);
        let words = kept.read();
        let freshness = Self { kept: Arc::new(kept), ..Self::new(at_most) };
        let now = freshness.reading();
        if let Some(Words { heard, now: latest }) = words {
            let age = now.wall.max(latest).saturating_sub(heard).max(0);
            let before = now.since.saturating_sub(age);
            freshness.floor.store(latest, Ordering::Relaxed);
            let mut known = freshness.known.lock();
            (known.policy, known.revocations) = (Some(before), Some(before));
        }
        freshness.look(now);
        freshness
    }

    /// Now.
    pub(crate) fn reading(&self) -> Reading {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let fit = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        Reading { since: fit(self.began.elapsed()), wall: fit(wall) }
    }

    /// A snapshot came over the stream: it is what holds now, and what was taken back came before it.
    pub(crate) fn brought(&self, now: Reading) {
        {
            let mut known = self.known.lock();
            (known.policy, known.revocations) = (Some(now.since), Some(now.since));
        }
        self.look(now);
    }

    /// A heartbeat came: with the control plane's clock, and of a node that knows all revocations or lacks some.
    pub(crate) fn heard(&self, now: Reading, theirs: Option<Instant>, revocations_known: bool) {
        {
            let mut known = self.known.lock();
            known.policy = Some(now.since);
            if revocations_known {
                known.revocations = Some(now.since);
            }
            if let Some(theirs) = theirs {
                known.reference = Some((theirs.0, now.since));
            }
        }
        self.look(now);
    }

    /// Looks at the clock: how old everything is now.
    pub(crate) fn look(&self, now: Reading) {
        let mut known = self.known.lock();
        let age = Class::ALL.iter().map(|class| known.age(*class, now)).max().unwrap_or(u32::MAX);
        let passed = now.since.saturating_sub(known.looked).max(0);
        let floor = match known.reference {
            Some((theirs, at)) => theirs.saturating_add(now.since.saturating_sub(at)),
            None => self.floor.load(Ordering::Relaxed).saturating_add(passed).max(now.wall),
        };
        known.looked = now.since;
        self.age.store(age, Ordering::Relaxed);
        self.floor.store(floor, Ordering::Relaxed);
        let off = now.wall.saturating_sub(floor);
        let astray = off.unsigned_abs() > ASTRAY.unsigned_abs();
        if self.astray.swap(astray, Ordering::Relaxed) != astray {
            let seconds = off / SECOND;
            match astray {
                true => tracing::error!(
                    seconds,
                    "this machine's clock is not the control plane's; keys and licences end by the later of both"
                ),
                false => tracing::info!("this machine's clock is the control plane's again"),
            }
        }
    }

    /// What time it is for whatever ends at a time: a wall clock that was set back makes nothing good again.
    pub(crate) fn not_before(&self, wall: Instant) -> Instant {
        wall.max(Instant(self.floor.load(Ordering::Relaxed)))
    }

    /// The same for certificates, now.
    pub(crate) fn unix_time(&self) -> UnixTime {
        let now = self.not_before(Instant(self.reading().wall));
        UnixTime::since_unix_epoch(Duration::from_micros(now.0.unsigned_abs()))
    }

    /// What time it is as far as this node was told, since the Unix epoch, as of the last look: by the control plane's clock once that
    /// was heard.
    pub(crate) fn reckoned(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.floor.load(Ordering::Relaxed)).unwrap_or_default())
    }

    /// Whether the wall clock is far from what it should be.
    pub(crate) fn is_astray(&self) -> bool {
        self.astray.load(Ordering::Relaxed)
    }

    /// Whether a tenant's keys and roles are known well enough; without a tenant, those of every tenant.
    pub(crate) fn trusts_keys(&self, spans: &Spans, tenant: Option<&Staleness>) -> bool {
        let age = self.age.load(Ordering::Relaxed);
        if age < spans.first(self.at_most) {
            return true;
        }
        let allowed = tenant.map_or(spans.keys.0, spans::of_keys);
        age < allowed.min(self.at_most.keys)
    }

    /// Whether the rules that hold for a tenant's request of these declared data classes are known well enough.
    pub(crate) fn trusts_rules<'c>(
        &self,
        spans: &Spans,
        tenant: &Staleness,
        classes: impl Iterator<Item = &'c str>,
    ) -> bool {
        let age = self.age.load(Ordering::Relaxed);
        if age < spans.first(self.at_most) {
            return true;
        }
        age < spans::seconds(tenant.of_rules(classes)).min(self.at_most.rules)
    }

    /// Whether no tenant's keys are known well enough.
    pub(crate) fn serves_nobody(&self, spans: &Spans) -> bool {
        self.age.load(Ordering::Relaxed) >= spans.keys.1.min(self.at_most.keys)
    }

    /// How a class stands now, for the strictest tenant.
    pub(crate) fn level(&self, class: Class, spans: &Spans, now: Reading) -> Level {
        let age = self.known.lock().age(class, now);
        let hard = match class {
            Class::Registry => u32::MAX,
            Class::Keys | Class::Revocations => spans.keys.0.min(self.at_most.keys),
            Class::Rules => spans.rules.min(self.at_most.rules),
        };
        match age {
            _ if age >= hard => Level::Hard,
            _ if age >= class.soft() => Level::Soft,
            _ => Level::Fresh,
        }
    }

    /// How the worst of the classes stands now.
    pub(crate) fn worst(&self, spans: &Spans, now: Reading) -> Level {
        Class::ALL.iter().map(|class| self.level(*class, spans, now)).max().unwrap_or(Level::Hard)
    }

    /// Whole seconds since everything was confirmed, as of the last look at the clock; the greatest number: never.
    pub(crate) fn age(&self) -> u32 {
        self.age.load(Ordering::Relaxed)
    }

    /// Says once how it stands, where that is news.
    fn tell(&self, level: Level) {
        let before = self.known.lock().told.replace(level);
        let age_seconds = self.age();
        match level {
            _ if before.unwrap_or(Level::Fresh) == level => {}
            Level::Fresh => tracing::info!("policy is confirmed again"),
            Level::Soft => tracing::warn!(age_seconds, "policy is not confirmed; it serves on"),
            Level::Hard => tracing::error!(
                age_seconds,
                "policy is too old for some: they are refused until it is confirmed"
            ),
        }
    }

    /// What is to be written down now, if it is time.
    fn words(&self, now: Reading) -> Option<Words> {
        let mut known = self.known.lock();
        let heard = known.policy?;
        if known.written.is_some_and(|at| now.since.saturating_sub(at) < WRITE) {
            return None;
        }
        known.written = Some(now.since);
        let floor = self.floor.load(Ordering::Relaxed);
        Some(Words { heard: floor.saturating_sub(now.since.saturating_sub(heard)), now: floor })
    }
}

impl Known {
    /// Whole seconds since a class was confirmed; the greatest number: never.
    fn age(&self, class: Class, now: Reading) -> u32 {
        let confirmed = match class {
            Class::Revocations => self.revocations,
            Class::Registry | Class::Keys | Class::Rules => self.policy,
        };
        confirmed.map_or(u32::MAX, |at| {
            u32::try_from(now.since.saturating_sub(at).max(0) / SECOND).unwrap_or(u32::MAX)
        })
    }
}
