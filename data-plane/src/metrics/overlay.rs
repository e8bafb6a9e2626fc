//! What is taken back and switched off, as metrics tell it.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::node::Node;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    because: &'static str,
}

/// The overlay's metrics.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    revocation_seq: Gauge<u64, AtomicU64>,
    kill_seq: Gauge<u64, AtomicU64>,
    keys: Gauge,
    kills: Gauge,
    unknown: Gauge,
    cut: Family<Because, Counter>,
}

impl Overlay {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "overlay_revocation_seq",
            "The seq of the revocations that hold; 0 is none",
            self.revocation_seq.clone(),
        );
        r.register("overlay_kill_seq", "The seq of the kills that hold; 0 is none", self.kill_seq.clone());
        r.register(
            "overlay_keys_revoked",
            "API keys that are refused above what the snapshot says",
            self.keys.clone(),
        );
        r.register("overlay_kills_active", "Kills that hold here and have not ended", self.kills.clone());
        r.register(
            "overlay_unknown",
            "1 while it is not known what is taken back or switched off: no request is served",
            self.unknown.clone(),
        );
        r.register(
            "overlay_requests_cut",
            "Requests that were ended midway since the start, because of their key or a kill",
            self.cut.clone(),
        );
    }

    pub(super) fn measure(&self, node: &Node) {
        let overlay = &node.overlay;
        let fit = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.revocation_seq.set(overlay.revocation_seq());
        self.kill_seq.set(overlay.kill_seq());
        self.keys.set(fit(overlay.keys_revoked()));
        self.kills.set(fit(overlay.kills_active(node.clock.now())));
        self.unknown.set(i64::from(overlay.is_unknown()));
        for (because, count) in ["revoked", "killed"].into_iter().zip(overlay.cut()) {
            self.cut.get_or_create(&Because { because }).inner().store(count, Ordering::Relaxed);
        }
    }
}
