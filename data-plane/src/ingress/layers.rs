//! What has no opinion: a wall around a panic.
//!
//! Law: a panic ends one request and is logged with what it said.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// A request panicked.
pub(super) struct Panicked;

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
