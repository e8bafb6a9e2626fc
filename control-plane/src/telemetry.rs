//! What the control plane tells of itself: metrics, read from what is in force when they are asked for.
//!
//! Law: a metric is counted where the thing happens, or read; nothing here is a source of truth.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use proto::admin::Rollout;

/// Upper bounds of the buckets of a publication's duration, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// What a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    certificate: &'static str,
}

/// How nodes, a rollout and its stages stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    state: &'static str,
}

/// The metrics of a control plane.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// `chancery_control_revision`: the newest revision.
    pub revision: Gauge<i64, AtomicI64>,
    /// `chancery_control_api_keys`: API keys known, revoked ones included.
    pub api_keys: Gauge<i64, AtomicI64>,
    /// `chancery_control_publications_total`: revisions made since the start.
    pub publications: Counter<u64, AtomicU64>,
    /// `chancery_control_refusals_total`: changes that were refused since the start.
    pub refusals: Counter<u64, AtomicU64>,
    /// `chancery_control_snapshots_encoded_total`: snapshots and changes of them that were encoded since the start.
    pub encoded: Counter<u64, AtomicU64>,
    /// `chancery_control_answers_ignored_total`: answers of nodes to snapshots that were not sent, or were answered, since the start.
    pub ignored: Counter<u64, AtomicU64>,
    /// `chancery_control_elevations`: rights that somebody has taken for a while and not given back.
    pub elevations: Gauge<i64, AtomicI64>,
    /// `chancery_control_elevations_begun_total`: how often somebody took them since the start.
    pub elevated: Counter<u64, AtomicU64>,
    /// `chancery_control_publish_duration_seconds`: from the turn to write until it is seen.
    pub duration: Histogram,
    certificates: Family<Named, Gauge<i64, AtomicI64>>,
    nodes: Family<Standing, Gauge<i64, AtomicI64>>,
    lagging: Gauge<i64, AtomicI64>,
    rollout: Family<Standing, Gauge<i64, AtomicI64>>,
    stages: Family<Standing, Gauge<i64, AtomicI64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("chancery_control");
        let (revision, api_keys) = (Gauge::default(), Gauge::default());
        let (publications, refusals, encoded) = (Counter::default(), Counter::default(), Counter::default());
        let duration = Histogram::new(SECONDS);
        registry.register("revision", "The newest revision", revision.clone());
        registry.register("api_keys", "API keys known, revoked ones included", api_keys.clone());
        registry.register("publications", "Revisions made since the start", publications.clone());
        registry.register("refusals", "Changes that were refused since the start", refusals.clone());
        let help = "Snapshots and changes of them that were encoded since the start";
        registry.register("snapshots_encoded", help, encoded.clone());
        let ignored = Counter::default();
        let help = "Answers of nodes to snapshots that were not sent, or were answered, since the start";
        registry.register("answers_ignored", help, ignored.clone());
        let (elevations, elevated) = (Gauge::default(), Counter::default());
        let help = "Rights that somebody has taken for a while and not given back";
        registry.register("elevations", help, elevations.clone());
        registry.register(
            "elevations_begun",
            "How often somebody took them since the start",
            elevated.clone(),
        );
        registry.register_with_unit(
            "publish_duration",
            "From the turn to write until it is seen",
            Unit::Seconds,
            duration.clone(),
        );
        let certificates = Family::default();
        registry.register_with_unit(
            "certificate_not_after_timestamp",
            "When a certificate of this process ends, since the Unix epoch",
            Unit::Seconds,
            certificates.clone(),
        );
        let (nodes, lagging) = (Family::default(), Gauge::default());
        registry.register("nodes", "Data-plane nodes that are known, by state", nodes.clone());
        let help = "Connected nodes that do not enforce the newest revision yet";
        registry.register("nodes_lagging", help, lagging.clone());
        let (rollout, stages) = (Family::default(), Family::default());
        registry.register("rollout", "1 in the state of the rollout that is on its way", rollout.clone());
        let help = "Stages of the rollout that is on its way, by state";
        registry.register("rollout_stages", help, stages.clone());
        Self {
            registry,
            revision,
            api_keys,
            publications,
            refusals,
            encoded,
            ignored,
            elevations,
            elevated,
            duration,
            certificates,
            nodes,
            lagging,
            rollout,
            stages,
        }
    }
}

impl Metrics {
    /// `chancery_control_certificate_not_after_timestamp_seconds`: when a certificate of this process ends.
    pub fn ends(&self, certificate: &'static str, end: i64) {
        self.certificates.get_or_create(&Named { certificate }).set(end);
    }

    /// `chancery_control_nodes` and `chancery_control_nodes_lagging`: how nodes stand.
    pub fn nodes(&self, states: &[(&'static str, usize)], lagging: usize) {
        let fit = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (state, count) in states {
            self.nodes.get_or_create(&Standing { state }).set(fit(*count));
        }
        self.lagging.set(fit(lagging));
    }

    /// `chancery_control_rollout` and `chancery_control_rollout_stages`: how the rollout goes that is on its way.
    pub fn rollout(&self, active: Option<&Rollout>) {
        for state in ["progressing", "waiting", "paused"] {
            let is_so = active.is_some_and(|rollout| rollout.state == state);
            self.rollout.get_or_create(&Standing { state }).set(i64::from(is_so));
        }
        for state in ["pending", "running", "done"] {
            let stages = active.iter().flat_map(|rollout| &rollout.stages);
            let count = stages.filter(|stage| stage.state == state).count();
            self.stages.get_or_create(&Standing { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// All of them in the OpenMetrics text form.
    pub fn text(&self) -> String {
        let mut out = String::new();
        match encode(&mut out, &self.registry) {
            Ok(()) => out,
            Err(_) => String::new(),
        }
    }
}
