//! What was in force at earlier revisions, rebuilt and compiled, the last few kept.
//!
//! Law: a revision never changes, so what is kept of it is never stale. One is rebuilt at a time, however many ask: a large policy twice
//! in memory is enough.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::ChangeError;
use crate::publish::{Published, Publisher};

/// Revisions that are kept at most.
const MOST: usize = 4;

/// Resources of all that are kept, at most; one is kept whatever it has.
const MOST_RESOURCES: usize = 200_000;

/// The revisions that were asked for last. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Past {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<VecDeque<Arc<Published>>>,
    building: tokio::sync::Mutex<()>,
}

impl Past {
    /// What was in force at a revision; `None` where it was never published.
    pub async fn at(
        &self,
        publisher: &Publisher,
        revision: i64,
    ) -> Result<Option<Arc<Published>>, ChangeError> {
        let current = publisher.current();
        if current.head.revision == revision {
            return Ok(Some(current));
        }
        if let Some(kept) = self.kept(revision) {
            return Ok(Some(kept));
        }
        let _turn = self.shared.building.lock().await;
        if let Some(kept) = self.kept(revision) {
            return Ok(Some(kept));
        }
        let Some(built) = publisher.at(revision).await?.map(Arc::new) else { return Ok(None) };
        self.keep(built.clone());
        Ok(Some(built))
    }

    fn kept(&self, revision: i64) -> Option<Arc<Published>> {
        let mut kept = self.shared.kept.lock();
        let place = kept.iter().position(|published| published.head.revision == revision)?;
        let found = kept.remove(place)?;
        kept.push_front(found.clone());
        Some(found)
    }

    fn keep(&self, published: Arc<Published>) {
        let mut kept = self.shared.kept.lock();
        kept.push_front(published);
        let sizes = |kept: &VecDeque<Arc<Published>>| -> usize {
            kept.iter().map(|published| published.registry.size().0).sum()
        };
        while kept.len() > MOST || (kept.len() > 1 && sizes(&kept) > MOST_RESOURCES) {
            kept.pop_back();
        }
    }

    #[cfg(test)]
    pub(crate) fn revisions(&self) -> Vec<i64> {
        self.shared.kept.lock().iter().map(|published| published.head.revision).collect()
    }
}
