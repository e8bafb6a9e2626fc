//! The node: what every request can reach, and nothing else can.
//!
//! Law: no globals and no thread-locals; the clock, the dice and the names of requests are here, so that a test can hold them.
//! Deliberately absent: ports, configuration and the way policy arrives.

mod mirrors;

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::AtomicI64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use policy_engine::vocabulary::{Geo, Instant};
use proto::code::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::{Builder, Uuid};

pub(crate) use mirrors::Copying;
use mirrors::Mirrors;

use crate::captured::Room;
use crate::drain::Drains;
use crate::freshness::Freshness;
use crate::overlay::{Overlay, Statements};
use crate::policy::Version;
use crate::quota::Ledger;
use crate::record::outbox::Outbox;
use crate::record::{Observer, RequestId};
use crate::retained::Retained;
use crate::runtime::Runtime;
use crate::runtime::tally::Revisions;
use crate::simulate::Simulator;

/// What every request can reach.
pub(crate) struct Node {
    /// The revision in force; `None` until the first has come.
    pub(crate) runtime: ArcSwapOption<Runtime>,
    /// The counters.
    pub(crate) ledger: Ledger,
    /// Where records go.
    pub(crate) outbox: Outbox,
    /// Who sees records as they are made.
    pub(crate) observer: Arc<dyn Observer>,
    /// The time.
    pub(crate) clock: Clock,
    /// Where this node runs.
    pub(crate) geo: Geo,
    /// What was taken back and what is switched off, above any revision.
    pub(crate) overlay: Arc<Overlay>,
    /// The drain that an operator asked for.
    pub(crate) drains: Drains,
    /// What is held, and what is to go of what it keeps.
    pub(crate) retained: Arc<Retained>,
    /// What decides recorded requests again, by a draft.
    pub(crate) simulator: Simulator,
    /// How old what it judges by is.
    pub(crate) freshness: Arc<Freshness>,
    /// The room that captured content has until it is written.
    pub(crate) content: Room,
    /// What became of the requests of each snapshot.
    pub(crate) revisions: Revisions,
    /// What this node takes.
    pub(crate) bounds: Bounds,
    /// Copies of requests, for mirrors.
    pub(crate) mirrors: Mirrors,
    /// Places for requests.
    places: Arc<Semaphore>,
    buffered: AtomicUsize,
    chance: AtomicU64,
}

/// What a node takes, and how long it goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The largest body, in bytes; default 32 MiB.
    pub(crate) body_bytes: usize,
    /// Bytes of bodies held at the same time, all requests together; default 256 MiB.
    pub(crate) buffered_bytes: usize,
    /// Requests in flight, all doors together; default 4096.
    pub(crate) requests: usize,
    /// The longest a request may take, attempts together; default 10 min.
    pub(crate) total: Duration,
    /// How long a caller may take nothing of its answer; default 60 s.
    pub(crate) stalled: Duration,
    /// How often a silent stream is told that it goes on; default 10 s.
    pub(crate) keep_alive: Duration,
}

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    /// The system's.
    #[default]
    System,
    /// A test's, in microseconds since the Unix epoch.
    #[cfg(test)]
    Fixed(Arc<AtomicI64>),
}

/// Part of the byte budget; given back when dropped.
pub(crate) struct Buffered {
    node: Arc<Node>,
    bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            buffered_bytes: 256 * 1024 * 1024,
            requests: 4096,
            total: Duration::from_secs(600),
            stalled: Duration::from_secs(60),
            keep_alive: Duration::from_secs(10),
        }
    }
}

impl Node {
    /// A node without policy yet.
    pub(crate) fn new(
        geo: Geo,
        bounds: Bounds,
        (ledger, outbox, statements): (Ledger, Outbox, Statements),
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (high, low) = Uuid::now_v7().as_u64_pair();
        Self {
            runtime: ArcSwapOption::empty(),
            ledger,
            outbox,
            observer,
            clock: Clock::System,
            overlay: Arc::new(Overlay::new(geo.clone(), statements)),
            drains: Drains::default(),
            retained: Arc::default(),
            simulator: Simulator::default(),
            freshness: Arc::default(),
            content: Room::default(),
            revisions: Revisions::default(),
            geo,
            mirrors: Mirrors::default(),
            places: Arc::new(Semaphore::new(bounds.requests.min(Semaphore::MAX_PERMITS))),
            bounds,
            buffered: AtomicUsize::new(0),
            chance: AtomicU64::new(high ^ low.rotate_left(17)),
        }
    }

    /// Puts a runtime in force.
    pub(crate) fn enforce(&self, runtime: Arc<Runtime>) {
        self.revisions.begin(&runtime);
        self.runtime.store(Some(runtime));
    }

    /// Counts a request that a snapshot judged, with this code where it was not answered.
    pub(crate) fn count(&self, version: &Version, code: Option<ErrorCode>) {
        let runtime = self.runtime.load();
        match runtime.as_ref().filter(|runtime| runtime.version == *version) {
            Some(runtime) => runtime.tally().count(code),
            None => self.revisions.count(version, code),
        }
    }

    /// A place for a request, if one is free; it is given back when dropped.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// A place for a copy of a request of so many bytes, if there is one: copies leave three quarters of the byte budget to what is
    /// asked. One that has none is counted, and not made.
    pub(crate) fn copy(self: &Arc<Self>, bytes: usize) -> Option<(Copying, Buffered)> {
        let held = self.buffered.load(Ordering::Relaxed).saturating_add(bytes);
        let fits = held <= self.bounds.buffered_bytes / 4;
        let place = self.mirrors.place(fits)?;
        let buffered = Buffered { node: self.clone(), bytes };
        self.buffered.fetch_add(bytes, Ordering::Relaxed);
        Some((place, buffered))
    }

    /// Requests that have a place now.
    pub(crate) fn in_flight(&self) -> usize {
        self.bounds.requests.min(Semaphore::MAX_PERMITS).saturating_sub(self.places.available_permits())
    }

    /// A new request's name: the time, then bits that no two requests share.
    pub(crate) fn name_request(&self, now: Instant) -> RequestId {
        let millis = u64::try_from(now.0 / 1000).unwrap_or(0);
        let [a, b] = [self.chance().to_le_bytes(), self.chance().to_le_bytes()];
        let mut bits = [0; 10];
        bits.iter_mut().zip(a.into_iter().chain(b)).for_each(|(to, from)| *to = from);
        RequestId(Builder::from_unix_timestamp_millis(millis, &bits).into_uuid())
    }

    /// Evenly spread bits (SplitMix64); nobody's secret.
    pub(crate) fn chance(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.chance.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Takes bytes of the shared budget, or says that too much is held already.
    pub(crate) fn buffer(self: &Arc<Self>, bytes: usize) -> Option<Buffered> {
        let before = self.buffered.fetch_add(bytes, Ordering::Relaxed);
        let part = Buffered { node: self.clone(), bytes };
        (before.saturating_add(bytes) <= self.bounds.buffered_bytes).then_some(part)
    }
}

impl Buffered {
    /// Takes more; false where too much is held already.
    pub(crate) fn grow(&mut self, by: usize) -> bool {
        let before = self.node.buffered.fetch_add(by, Ordering::Relaxed);
        self.bytes += by;
        before.saturating_add(by) <= self.node.bounds.buffered_bytes
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.node.buffered.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            #[cfg(test)]
            Self::Fixed(micros) => Instant(micros.load(Ordering::Relaxed)),
        }
    }
}
