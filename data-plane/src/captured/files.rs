//! Files of captured content on this node: where they are, and how many came and went.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What became of content, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Requests whose content was written.
    pub(crate) kept: u64,
    /// Requests whose content a rule asked for and that was lost.
    pub(crate) lost: u64,
    /// Files that were deleted because their time was over, here and in the store.
    pub(crate) deleted: u64,
    /// Files that are closed and still here.
    pub(crate) waiting: u64,
}

/// The files of a directory.
#[derive(Debug)]
pub(crate) struct Files {
    /// `None`: nothing is kept.
    dir: Option<PathBuf>,
    changed: watch::Sender<u64>,
    kept: AtomicU64,
    lost: AtomicU64,
    deleted: AtomicU64,
    waiting: AtomicU64,
}

impl Default for Files {
    fn default() -> Self {
        Self::of(None)
    }
}

impl Files {
    fn of(dir: Option<PathBuf>) -> Self {
        let none = AtomicU64::default;
        let changed = watch::channel(0).0;
        Self { dir, changed, kept: none(), lost: none(), deleted: none(), waiting: none() }
    }

    pub(super) fn at(dir: PathBuf) -> Self {
        Self::of(Some(dir))
    }

    /// Where they are.
    pub(crate) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Follows what changes: files that are closed.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What became of content.
    pub(crate) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            kept: read(&self.kept),
            lost: read(&self.lost),
            deleted: read(&self.deleted),
            waiting: read(&self.waiting),
        }
    }

    /// So many files were deleted.
    pub(crate) fn note_deleted(&self, count: u64) {
        self.deleted.fetch_add(count, Ordering::Relaxed);
    }

    /// So many closed files are here.
    pub(crate) fn note_waiting(&self, count: u64) {
        self.waiting.store(count, Ordering::Relaxed);
    }

    pub(super) fn note(&self, is_kept: bool) {
        let count = if is_kept { &self.kept } else { &self.lost };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stir(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}
