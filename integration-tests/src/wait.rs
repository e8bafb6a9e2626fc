//! Waiting for what ought to happen.
//!
//! Law: a story looks until it sees, and a look that never sees fails by the name of what was looked for. Deliberately absent:
//! pauses that hope.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::scripted::PATIENCE;

/// Between two looks at what can't wake anybody: a file, another process.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What `look` sees in the end. Errors if it sees nothing in time.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    within(what, watched(look)).await
}

/// The same of what takes its time: such as a minute that a node has to live.
pub async fn until_within<T>(most: Duration, what: &str, look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let done = tokio::time::timeout(most, watched(look)).await;
    done.with_context(|| format!("{what} did not come within {most:?}"))
}

async fn watched<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// What `work` gives. Errors if it gives nothing in time.
pub async fn within<F: Future>(what: &str, work: F) -> Result<F::Output> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.with_context(|| format!("{what} did not come within {} s", PATIENCE.as_secs()))
}
