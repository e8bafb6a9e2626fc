//! Captured content as metrics tell it.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::node::Node;

/// The metrics of captured content.
#[derive(Debug, Default)]
pub(super) struct Content {
    kept: Counter,
    lost: Counter,
    deleted: Counter,
    waiting: Gauge<u64, AtomicU64>,
}

impl Content {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("captured", "Requests whose content was kept, sealed, since the start", self.kept.clone());
        r.register(
            "captured_lost",
            "Requests whose content a rule asked for and that could not be kept, since the start",
            self.lost.clone(),
        );
        r.register(
            "captured_files_deleted",
            "Files of captured content that were over and that this node deleted, here and in the store, since the start",
            self.deleted.clone(),
        );
        r.register(
            "captured_files_waiting",
            "Files of captured content on this node that are closed: not in the store yet, or there is none",
            self.waiting.clone(),
        );
    }

    pub(super) fn measure(&self, node: &Node) {
        let counts = node.outbox.content().counts();
        self.kept.inner().store(counts.kept, Ordering::Relaxed);
        self.lost.inner().store(counts.lost, Ordering::Relaxed);
        self.deleted.inner().store(counts.deleted, Ordering::Relaxed);
        self.waiting.set(counts.waiting);
    }
}
