//! How the node stands towards the control plane: what it enforces, and how fresh that is known to be.
//!
//! Law: freshness is proved by heartbeats alone; an open stream proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use policy_engine::vocabulary::Instant;
use tokio::sync::watch;
use tokio::time::Instant as Moment;

use crate::freshness::Freshness;

/// What is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Version {
    /// The line of succession.
    pub(crate) epoch: i64,
    /// The revision.
    pub(crate) revision: i64,
    /// SHA-256 of the manifest.
    pub(crate) digest: [u8; 32],
}

impl Version {
    /// The version as the wire has it.
    pub(crate) fn to_wire(self) -> proto::sync::Version {
        proto::sync::Version { epoch: self.epoch, revision: self.revision, digest: self.digest.to_vec() }
    }
}

/// How the control plane's audit log stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many events were seen; 0: none.
    pub(crate) size: u64,
    /// What was shown last is wrong.
    pub(crate) inconsistent: bool,
}

/// Shared between the watch, readiness, metrics and the tests.
pub(crate) struct PolicyState {
    applied: ArcSwapOption<Version>,
    changed: watch::Sender<i64>,
    heartbeat: Mutex<Option<Moment>>,
    connected: AtomicBool,
    revoked: AtomicBool,
    persisted: AtomicBool,
    clock_offset_ms: AtomicI64,
    took_us: AtomicU64,
    log: Mutex<Standing>,
    alarms: AtomicU64,
    freshness: Arc<Freshness>,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self::of(Arc::default())
    }
}

impl PolicyState {
    /// Nothing enforced yet, by a node that is told how fresh it is.
    pub(crate) fn of(freshness: Arc<Freshness>) -> Self {
        Self {
            applied: ArcSwapOption::empty(),
            changed: watch::channel(0).0,
            heartbeat: Mutex::new(None),
            connected: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            persisted: AtomicBool::new(false),
            clock_offset_ms: AtomicI64::new(0),
            took_us: AtomicU64::new(0),
            log: Mutex::default(),
            alarms: AtomicU64::new(0),
            freshness,
        }
    }

    /// What is enforced; `None` before the first snapshot.
    pub(crate) fn applied(&self) -> Option<Arc<Version>> {
        self.applied.load_full()
    }

    /// Follows the enforced revision; 0 is none.
    pub(crate) fn follow(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    /// What is taken over while a stream is open came over it, and is what holds now; what is taken over before is from the disk.
    pub(super) fn set_applied(&self, version: Version) {
        let revision = version.revision;
        match self.connected() {
            true => self.freshness.brought(self.freshness.reading()),
            false => self.set_persisted(true),
        }
        self.applied.store(Some(Arc::new(version)));
        self.changed.send_replace(revision);
    }

    /// Seconds since the last heartbeat; `None` before the first of this process.
    pub(crate) fn confirmed_age(&self) -> Option<f64> {
        self.heartbeat.lock().map(|at| at.elapsed().as_secs_f64())
    }

    /// A heartbeat came, with the control plane's clock, to a node that knows all revocations or lacks some.
    pub(super) fn heard(&self, theirs: Option<Instant>, revocations_known: bool) {
        let now = self.freshness.reading();
        *self.heartbeat.lock() = Some(Moment::now());
        let offset = theirs.map_or(0, |theirs| now.wall.saturating_sub(theirs.0) / 1000);
        self.clock_offset_ms.store(offset, Ordering::Relaxed);
        self.freshness.heard(now, theirs, revocations_known);
    }

    /// Whether what is enforced is on disk too.
    pub(crate) fn persisted(&self) -> bool {
        self.persisted.load(Ordering::Relaxed)
    }

    pub(super) fn set_persisted(&self, persisted: bool) {
        self.persisted.store(persisted, Ordering::Relaxed);
    }

    /// This node's clock minus the control plane's, in milliseconds, by the last heartbeat.
    pub(crate) fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// From the last byte of the newest policy that came over a stream until it was in force.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_micros(self.took_us.load(Ordering::Relaxed))
    }

    pub(super) fn set_took(&self, microseconds: u64) {
        self.took_us.store(microseconds, Ordering::Relaxed);
    }

    /// How the control plane's audit log stands, and how often it was found to be another since the start.
    pub(crate) fn log(&self) -> (Standing, u64) {
        (*self.log.lock(), self.alarms.load(Ordering::Relaxed))
    }

    pub(super) fn set_log(&self, standing: Standing) {
        let before = std::mem::replace(&mut *self.log.lock(), standing);
        if standing.inconsistent && !before.inconsistent {
            self.alarms.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a stream to the control plane is open.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Whether the control plane said last that it lets this node in no more; nobody is asked while it is away.
    pub(crate) fn revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    /// The control plane said that this node was revoked; true where that is news.
    pub(super) fn set_revoked(&self) -> bool {
        !self.revoked.swap(true, Ordering::Relaxed)
    }

    /// Whoever is connected was let in.
    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
        if connected {
            self.revoked.store(false, Ordering::Relaxed);
        }
    }
}
