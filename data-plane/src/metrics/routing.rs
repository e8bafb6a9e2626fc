//! How endpoints stand, and what was asked a second time, as metrics tell it.
//!
//! Law: one series of its standing for an endpoint in force; reasons are of the few kinds of failures.

use std::sync::atomic::Ordering;

use policy_engine::vocabulary::Instant;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Called;
use crate::record::Attempt;
use crate::runtime::Endpoint;
use crate::runtime::vitals::Standing;
use crate::runtime::vitals::breaker::State;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stands {
    endpoint: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    reason: &'static str,
}

/// The metrics of routing.
#[derive(Debug, Default)]
pub(super) struct Routing {
    states: Family<Stands, Gauge>,
    ejections: Family<Called, Counter>,
    retries: Family<Because, Counter>,
    unmirrored: Counter,
}

impl Routing {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "endpoint_state",
            "1 for how an endpoint in force stands: ready, cooling_off, half_open, ejected or resting",
            self.states.clone(),
        );
        r.register(
            "endpoint_ejections",
            "How often the circuit breaker of an endpoint in force opened",
            self.ejections.clone(),
        );
        r.register(
            "upstream_retries",
            "Calls that were made because the one before gave no answer, by why it gave none",
            self.retries.clone(),
        );
        r.register(
            "mirrors_dropped",
            "Copies of requests for mirrors that were not made, because too many were under way",
            self.unmirrored.clone(),
        );
    }

    pub(super) fn measure(&self, endpoints: &[Endpoint], (now, unmirrored): (Instant, u64)) {
        self.unmirrored.inner().store(unmirrored, Ordering::Relaxed);
        self.states.clear();
        self.ejections.clear();
        for Endpoint { id, vitals, .. } in endpoints {
            let state = match (vitals.standing(|| now), vitals.state(now)) {
                (Standing::Ready | Standing::Ejected, State::HalfOpen) => "half_open",
                (standing, _) => standing.as_str(),
            };
            self.states.get_or_create(&Stands { endpoint: id.to_string(), state }).set(1);
            let ejections = self.ejections.get_or_create(&Called { endpoint: id.to_string() });
            ejections.inner().store(vitals.ejections(), Ordering::Relaxed);
        }
    }

    /// Counts the calls of a request after its first.
    pub(super) fn count(&self, attempts: &[Attempt]) {
        if attempts.len() < 2 {
            return;
        }
        // Who was not called has no latency; nor has who was called when the request ended.
        let called = attempts.iter().filter(|attempt| attempt.latency_us.is_some());
        for failure in called.clone().zip(called.skip(1)).filter_map(|(before, _)| before.failure.as_ref()) {
            self.retries.get_or_create(&Because { reason: failure.kind }).inc();
        }
    }
}
