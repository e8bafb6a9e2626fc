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
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    within(what, seen).await
}

/// What `work` gives. Errors if it gives nothing in time.
pub async fn within<F: Future>(what: &str, work: F) -> Result<F::Output> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.with_context(|| format!("{what} did not come within {} s", PATIENCE.as_secs()))
}
