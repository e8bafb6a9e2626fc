//! How old what a node judges by is, and which revisions it holds, as metrics tell it.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::freshness::{Class, Level};
use crate::node::Node;
use crate::policy::PolicyState;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    class: &'static str,
}

/// The metrics of freshness.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    staleness: Family<Of, Gauge>,
    astray: Gauge,
    offset: Gauge<f64, AtomicU64>,
    alive: Gauge,
}

impl Freshness {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "policy_staleness",
            "How old a class of policy is: 0 confirmed of late, 1 not, 2 so old that some request is refused for it",
            self.staleness.clone(),
        );
        r.register(
            "clock_astray",
            "1 while this machine's clock is more than a minute from the control plane's, or was set back",
            self.astray.clone(),
        );
        r.register_with_unit(
            "clock_offset",
            "This machine's clock minus the control plane's, at the last heartbeat",
            Unit::Seconds,
            self.offset.clone(),
        );
        r.register(
            "snapshots_alive",
            "Runtimes in memory: the one in force, and each older one that a request still holds",
            self.alive.clone(),
        );
    }

    pub(super) fn measure(&self, node: &Node, policy: &PolicyState) {
        let freshness = &node.freshness;
        let now = freshness.reading();
        if let Some(runtime) = node.runtime.load().as_ref() {
            for class in Class::ALL {
                let level = match freshness.level(class, runtime.spans(), now) {
                    Level::Fresh => 0,
                    Level::Soft => 1,
                    Level::Hard => 2,
                };
                self.staleness.get_or_create(&Of { class: class.as_str() }).set(level);
            }
        }
        self.astray.set(i64::from(freshness.is_astray()));
        self.offset.set(policy.clock_offset_ms() as f64 / 1e3);
        self.alive.set(i64::try_from(node.revisions.alive()).unwrap_or(i64::MAX));
    }
}
