//! The control plane's audit log as this node has seen it, as metrics tell it.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::policy::PolicyState;

/// The metrics of a witness.
#[derive(Debug, Default)]
pub(super) struct Audit {
    seen: Gauge<u64, AtomicU64>,
    inconsistent: Gauge,
    alarms: Counter,
}

impl Audit {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "audit_log_seen_events",
            "Events of the control plane's audit log that it is held to; 0: it showed none yet",
            self.seen.clone(),
        );
        r.register(
            "audit_log_inconsistent",
            "1 while the audit log is shown to be another than the one that was seen: no newer policy is taken",
            self.inconsistent.clone(),
        );
        r.register(
            "audit_log_alarms",
            "How often since the start the audit log was found to be another than the one that was seen",
            self.alarms.clone(),
        );
    }

    pub(super) fn measure(&self, policy: &PolicyState) {
        let (standing, alarms) = policy.log();
        self.seen.set(standing.size);
        self.inconsistent.set(i64::from(standing.inconsistent));
        self.alarms.inner().store(alarms, Ordering::Relaxed);
    }
}
