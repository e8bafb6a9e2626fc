//! Counters and gauges of the node, in Prometheus' text form.
//!
//! Law: every label has a bounded set of values: models and endpoints are the registry's own names, never what a caller
//! wrote; no principal, key or prompt is a label.

mod audit;
mod content;
mod freshness;
mod overlay;
mod routing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use policy_engine::vocabulary::{Currency, Id, Money};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::node::Node;
use crate::policy::PolicyState;
use crate::record::{Attempt, Observer, Record};
use audit::Audit;
use content::Content;
use freshness::Freshness;
use overlay::Overlay;
use routing::Routing;

/// Upper bounds of durations, in seconds.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// What an attempt is called that gave an answer.
const ANSWERED: &str = "answered";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requests {
    door: &'static str,
    operation: &'static str,
    model: String,
    endpoint: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    model: String,
    r#type: &'static str,
}

/// No label: a family of it is a series that may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Plain {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    certificate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Coded {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Findings {
    direction: &'static str,
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempts {
    endpoint: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Costs {
    model: String,
    currency: String,
}

/// The counters one kind of request moves, found once and kept: looking a label up costs more than counting.
#[derive(Debug)]
struct Bound {
    requests: Counter,
    input: Counter,
    output: Counter,
    cost: Option<Counter>,
    /// Of the endpoint that answered: how often, and how soon.
    upstream: Option<(Counter, Histogram)>,
}

/// Door, operation, model, endpoint, outcome, and the currency of what it cost.
type BoundKey = (&'static str, &'static str, Option<Id>, Option<Id>, &'static str, Option<Currency>);

/// Every metric of a node.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Requests, Counter>,
    refusals: Family<Coded, Counter>,
    tokens: Family<Tokens, Counter>,
    costs: Family<Costs, Counter>,
    findings: Family<Findings, Counter>,
    attempts: Family<Attempts, Counter>,
    upstream: Family<Called, Histogram, fn() -> Histogram>,
    duration: Histogram,
    first_byte: Histogram,
    unrecorded: Counter,
    written: Counter,
    lost: Counter,
    in_flight: Gauge,
    waiting: Gauge,
    held: Gauge,
    unanchored: Gauge,
    unshipped: Gauge,
    unusable: Gauge,
    overlay: Overlay,
    freshness: Freshness,
    audit: Audit,
    content: Content,
    routing: Routing,
    revision: Gauge,
    connected: Gauge,
    revoked: Gauge,
    certificates: Family<Named, Gauge>,
    /// Left out before the first heartbeat: no number would be true, and a small one would silence an alert.
    confirmed_age: Family<Plain, Gauge<f64, AtomicU64>>,
    apply: Gauge<f64, AtomicU64>,
    bound: RwLock<std::collections::HashMap<BoundKey, Bound>>,
}

impl Metrics {
    /// Metrics that all stand at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let metrics = Self {
            requests: Family::default(),
            refusals: Family::default(),
            tokens: Family::default(),
            costs: Family::default(),
            findings: Family::default(),
            attempts: Family::default(),
            upstream: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            duration: Histogram::new(SECONDS),
            first_byte: Histogram::new(SECONDS),
            unrecorded: Counter::default(),
            written: Counter::default(),
            lost: Counter::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            held: Gauge::default(),
            unanchored: Gauge::default(),
            unshipped: Gauge::default(),
            unusable: Gauge::default(),
            overlay: Overlay::default(),
            freshness: Freshness::default(),
            audit: Audit::default(),
            content: Content::default(),
            routing: Routing::default(),
            revision: Gauge::default(),
            connected: Gauge::default(),
            revoked: Gauge::default(),
            certificates: Family::default(),
            confirmed_age: Family::default(),
            apply: Gauge::default(),
            bound: RwLock::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("build", "What is running", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        r.register("requests_in_flight", "Requests that have a place now", metrics.in_flight.clone());
        r.register("requests", "Requests that ended, by how", metrics.requests.clone());
        r.register("refusals", "Requests that were refused or failed, by code", metrics.refusals.clone());
        r.register("tokens", "Tokens used, input and output", metrics.tokens.clone());
        r.register(
            "cost_nano_units",
            "Cost in thousand-millionths of a unit of its currency",
            metrics.costs.clone(),
        );
        r.register("findings", "Findings in what was sent and answered, by type", metrics.findings.clone());
        r.register_with_unit(
            "request_duration",
            "From received to ended",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        r.register_with_unit(
            "first_byte",
            "From received to the answer's first byte",
            Unit::Seconds,
            metrics.first_byte.clone(),
        );
        r.register("upstream_attempts", "Calls to endpoints, by how each began", metrics.attempts.clone());
        r.register_with_unit(
            "upstream_first_byte",
            "From sent to the first of an endpoint's answer",
            Unit::Seconds,
            metrics.upstream.clone(),
        );
        r.register("unrecorded_requests", "Requests that could not be recorded", metrics.unrecorded.clone());
        r.register(
            "records_written",
            "Records the outbox has written since the start",
            metrics.written.clone(),
        );
        r.register("records_lost", "Records that had no place since the start", metrics.lost.clone());
        r.register("records_waiting", "Places of the outbox that are taken", metrics.waiting.clone());
        r.register(
            "records_held_bytes",
            "Bytes of records and manifests in the outbox's directory",
            metrics.held.clone(),
        );
        r.register(
            "segments_unanchored",
            "Sealed segments of the decision log that the control plane has not said to be in the audit log",
            metrics.unanchored.clone(),
        );
        r.register(
            "segments_unshipped",
            "Sealed segments of the decision log that are not in a store",
            metrics.unshipped.clone(),
        );
        r.register(
            "endpoints_unusable",
            "Endpoints in force that can't be called: no credential, or no way there",
            metrics.unusable.clone(),
        );
        metrics.overlay.register(r);
        metrics.freshness.register(r);
        metrics.audit.register(r);
        metrics.content.register(r);
        metrics.routing.register(r);
        r.register("policy_revision", "The revision in force; 0 is none", metrics.revision.clone());
        r.register(
            "policy_connected",
            "1 while a stream to the control plane is open",
            metrics.connected.clone(),
        );
        r.register(
            "policy_revoked",
            "1 while the control plane's last word is that this node was revoked",
            metrics.revoked.clone(),
        );
        r.register_with_unit(
            "policy_confirmed_age",
            "Since the last heartbeat of the control plane; left out before the first since the start",
            Unit::Seconds,
            metrics.confirmed_age.clone(),
        );
        r.register_with_unit(
            "policy_apply",
            "What the newest policy that came took until it was in force; 0 before the first",
            Unit::Seconds,
            metrics.apply.clone(),
        );
        r.register_with_unit(
            "certificate_not_after_timestamp",
            "When a certificate of this node ends, since the Unix epoch",
            Unit::Seconds,
            metrics.certificates.clone(),
        );
        Self { registry, ..metrics }
    }

    /// Says when a certificate ends, in seconds since the Unix epoch.
    pub(crate) fn ends(&self, certificate: &'static str, end: i64) {
        self.certificates.get_or_create(&Named { certificate }).set(end);
    }

    /// The whole text of `/metrics`.
    pub(crate) fn render(&self, node: &Node, policy: &PolicyState) -> String {
        let (written, lost) = node.outbox.tally();
        self.written.inner().store(written, Ordering::Relaxed);
        self.lost.inner().store(lost, Ordering::Relaxed);
        self.in_flight.set(i64::try_from(node.in_flight()).unwrap_or(i64::MAX));
        self.held.set(i64::try_from(node.outbox.bytes()).unwrap_or(i64::MAX));
        let (unanchored, unshipped) = node.outbox.shelf().waiting();
        self.unanchored.set(i64::try_from(unanchored).unwrap_or(i64::MAX));
        self.unshipped.set(i64::try_from(unshipped).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(node.outbox.waiting()).unwrap_or(i64::MAX));
        let runtime = node.runtime.load();
        let endpoints = runtime.as_ref().map_or(&[][..], |runtime| runtime.endpoints());
        let unusable = endpoints.iter().filter(|endpoint| endpoint.upstream.is_err()).count();
        self.unusable.set(i64::try_from(unusable).unwrap_or(i64::MAX));
        self.overlay.measure(node);
        self.freshness.measure(node, policy);
        self.audit.measure(policy);
        self.content.measure(node);
        self.routing.measure(endpoints, (node.clock.now(), node.mirrors.dropped()));
        self.revision.set(policy.applied().map_or(0, |v| v.revision));
        self.connected.set(i64::from(policy.connected()));
        self.revoked.set(i64::from(policy.revoked()));
        self.apply.set(policy.took().as_secs_f64());
        match policy.confirmed_age() {
            Some(age) => {
                self.confirmed_age.get_or_create(&Plain {}).set(age);
            }
            None => self.confirmed_age.clear(),
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("metrics can't be written as text");
        }
        text
    }

    fn bind(&self, record: &Record) -> Bound {
        let name = |id: &Option<Id>| id.as_ref().map(ToString::to_string).unwrap_or_default();
        let tokens =
            |r#type| self.tokens.get_or_create(&Tokens { model: name(&record.model), r#type }).clone();
        let labels = Requests {
            door: record.door.as_str(),
            operation: record.operation.as_str(),
            model: name(&record.model),
            endpoint: name(&record.endpoint),
            outcome: record.outcome.as_str(),
        };
        let requests = self.requests.get_or_create(&labels).clone();
        let cost = cost(record).map(|cost| {
            let labels = Costs { model: name(&record.model), currency: cost.currency.to_string() };
            self.costs.get_or_create(&labels).clone()
        });
        let upstream = record.endpoint.as_ref().map(|endpoint| {
            let called = Called { endpoint: endpoint.to_string() };
            let answered = Attempts { endpoint: endpoint.to_string(), outcome: ANSWERED };
            (self.attempts.get_or_create(&answered).clone(), self.upstream.get_or_create(&called).clone())
        });
        Bound { requests, input: tokens("input"), output: tokens("output"), cost, upstream }
    }

    /// Counts the calls that gave no answer: of these there are few, and their labels are looked up each time.
    fn count_failed(&self, record: &Record) {
        for attempt in &record.attempts {
            if let Some(failure) = &attempt.failure {
                let labels = Attempts { endpoint: attempt.endpoint.to_string(), outcome: failure.kind };
                self.attempts.get_or_create(&labels).inc();
            }
        }
    }

    fn count(&self, record: &Record) {
        let key: BoundKey = (
            record.door.as_str(),
            record.operation.as_str(),
            record.model.clone(),
            record.endpoint.clone(),
            record.outcome.as_str(),
            cost(record).map(|cost| cost.currency),
        );
        if let Some(bound) = self.bound.read().get(&key) {
            return bound.count(record);
        }
        let bound = self.bind(record);
        bound.count(record);
        self.bound.write().insert(key, bound);
    }
}

impl Bound {
    fn count(&self, record: &Record) {
        self.requests.inc();
        self.input.inc_by(record.usage.amounts.input);
        self.output.inc_by(record.usage.amounts.output);
        if let (Some(counter), Some(cost)) = (&self.cost, cost(record)) {
            counter.inc_by(cost.nanos.unsigned_abs());
        }
        if let (
            Some((answered, first_byte)),
            Some(Attempt { failure: None, latency_us: Some(latency), .. }),
        ) = (&self.upstream, record.attempts.last())
        {
            answered.inc();
            first_byte.observe(*latency as f64 / 1e6);
        }
    }
}

/// What a request cost, if it cost anything.
fn cost(record: &Record) -> Option<Money> {
    record.cost.filter(|cost| cost.nanos > 0)
}

impl Observer for Metrics {
    fn ended(&self, record: &Record, recorded: bool) {
        self.count(record);
        self.count_failed(record);
        self.routing.count(&record.attempts);
        self.duration.observe(record.latency_us as f64 / 1e6);
        if let Some(first) = record.first_byte_us {
            self.first_byte.observe(first as f64 / 1e6);
        }
        if let Some(code) = record.code {
            self.refusals.get_or_create(&Coded { code }).inc();
        }
        for (direction, found) in [("input", &record.found_input), ("output", &record.found_output)] {
            for (r#type, count) in found {
                self.findings.get_or_create(&Findings { direction, r#type }).inc_by(u64::from(*count));
            }
        }
        if !recorded {
            self.unrecorded.inc();
        }
    }
}

/// Several observers as one.
pub(crate) struct Both<A, B>(pub(crate) Arc<A>, pub(crate) Option<Arc<B>>);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn ended(&self, record: &Record, recorded: bool) {
        self.0.ended(record, recorded);
        if let Some(second) = &self.1 {
            second.ended(record, recorded);
        }
    }
}
