//! Copies of requests under way, for mirrors.
//!
//! Law: they are nobody's answer: they take no place from a request, and end at once where the node ends or a drain's time is over.
//! Deliberately absent: what a copy is (`pipeline::mirror`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Copies under way at the same time, at most.
const MOST: usize = 256;

/// The copies of a node.
#[derive(Debug)]
pub(crate) struct Mirrors {
    places: Arc<Semaphore>,
    /// Copies that had no place.
    dropped: AtomicU64,
    /// Ends those that are under way.
    open: Mutex<CancellationToken>,
}

/// The place of one copy.
#[derive(Debug)]
pub(crate) struct Copying {
    /// Given back when dropped.
    _place: OwnedSemaphorePermit,
    ends: CancellationToken,
}

impl Default for Mirrors {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(MOST));
        Self { places, dropped: AtomicU64::new(0), open: Mutex::default() }
    }
}

impl Mirrors {
    /// A place, if `fits` and one is free; a copy that has none is counted.
    pub(super) fn place(&self, fits: bool) -> Option<Copying> {
        let place = fits.then(|| self.places.clone().try_acquire_owned().ok()).flatten();
        if place.is_none() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Some(Copying { _place: place?, ends: self.open.lock().clone() })
    }

    /// Copies that were not made, since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Copies under way.
    pub(crate) fn under_way(&self) -> usize {
        MOST.saturating_sub(self.places.available_permits())
    }

    /// Ends those that are under way, and waits until they have.
    pub(crate) async fn cut(&self) {
        std::mem::take(&mut *self.open.lock()).cancel();
        // Whoever has a place gives it back as soon as it is polled.
        if let Ok(all) = u32::try_from(MOST) {
            drop(self.places.acquire_many(all).await);
        }
    }
}

impl Copying {
    /// Makes the copy, unless it is to end before.
    pub(crate) async fn over(self, copy: impl Future<Output = ()>) {
        self.ends.run_until_cancelled(copy).await;
    }
}
