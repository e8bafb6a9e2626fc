//! What has no opinion: places for requests, and a wall around a panic.
//!
//! Law: a request without a place is refused at once, never queued; a panic ends one request and is logged with its place.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for requests.
pub(super) struct Places(Arc<Semaphore>);

/// One request's place; given back when dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// A request panicked.
pub(super) struct Panicked;

impl Places {
    /// So many places.
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if one is free.
    pub(super) fn take(&self) -> Option<Place> {
        self.0.clone().try_acquire_owned().ok()
    }
}

/// Runs a request so that its panic is its own.
pub(super) async fn contain<F: Future>(request: F) -> Result<F::Output, Panicked> {
    // What a request shares with others is behind locks that do not poison, or is counted in guards that a panic drops.
    AssertUnwindSafe(request).catch_unwind().await.map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a request panicked");
        Panicked
    })
}
