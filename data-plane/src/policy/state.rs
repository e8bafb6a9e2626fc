//! How the node stands towards the control plane: what it enforces, and how fresh that is known to be.
//!
//! Law: freshness is proved by heartbeats alone; an open stream proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;

/// What is enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub(crate) fn to_wire(&self) -> proto::sync::Version {
        proto::sync::Version { epoch: self.epoch, revision: self.revision, digest: self.digest.to_vec() }
    }
}

/// Shared between the watch, readiness, metrics and the tests.
#[derive(Debug)]
pub(crate) struct PolicyState {
    applied: ArcSwapOption<Version>,
    changed: watch::Sender<i64>,
    heartbeat: Mutex<Option<Instant>>,
    connected: AtomicBool,
    clock_offset_ms: AtomicI64,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self {
            applied: ArcSwapOption::empty(),
            changed: watch::channel(0).0,
            heartbeat: Mutex::new(None),
            connected: AtomicBool::new(false),
            clock_offset_ms: AtomicI64::new(0),
        }
    }
}

impl PolicyState {
    /// What is enforced; `None` before the first snapshot.
    pub(crate) fn applied(&self) -> Option<Arc<Version>> {
        self.applied.load_full()
    }

    /// Follows the enforced revision; 0 is none.
    pub(crate) fn follow(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    pub(super) fn set_applied(&self, version: Version) {
        let revision = version.revision;
        self.applied.store(Some(Arc::new(version)));
        self.changed.send_replace(revision);
    }

    /// Seconds since the last heartbeat; `None` before the first of this process.
    pub(crate) fn confirmed_age(&self) -> Option<f64> {
        self.heartbeat.lock().map(|at| at.elapsed().as_secs_f64())
    }

    pub(super) fn heard(&self, clock_offset_ms: i64) {
        *self.heartbeat.lock() = Some(Instant::now());
        self.clock_offset_ms.store(clock_offset_ms, Ordering::Relaxed);
    }

    /// This node's clock minus the control plane's, in milliseconds, by the last heartbeat.
    pub(crate) fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// Whether a stream to the control plane is open.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }
}
