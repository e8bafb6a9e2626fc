//! How stories wait: for a vendor, and vendors for them.
//!
//! Law: every wait ends, by what was waited for or with an error that names it. Deliberately absent: sleeping.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::sync::Semaphore;

/// How long a story waits for something that ought to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Holds a script back until the story opens it; each opening lets one script pass.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets one script pass, now or when it comes.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Waits until it was opened, and closes it again.
    pub async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

/// What `work` gives, unless it takes longer than a story waits.
pub(super) async fn patiently<F: Future>(what: &str, work: F) -> Result<F::Output> {
    let within = tokio::time::timeout(PATIENCE, work).await;
    within.with_context(|| format!("{what} did not come within {} s", PATIENCE.as_secs()))
}
