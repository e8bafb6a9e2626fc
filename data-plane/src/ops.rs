//! The operator's port: `/livez`, `/readyz`, `/metrics`. Nothing of it is on the port that callers reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::freshness::Level;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::policy::PolicyState;
use crate::runtime::Runtime;

/// What the operator's port answers from.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) node: Arc<Node>,
    pub(crate) policy: Arc<PolicyState>,
    pub(crate) metrics: Arc<Metrics>,
    /// A signal said to end.
    pub(crate) draining: CancellationToken,
}

/// The operator's routes.
pub(crate) fn router(ops: Ops) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ops)
}

impl Ops {
    /// Why it is not ready, if it is not: it is once a policy is in force and what is switched off is known, until a signal says to
    /// end or an operator drains it, while it was not revoked, and while the policy is not too old for every tenant.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() || self.node.drains.stands() {
            return Some("draining\n");
        }
        if self.policy.revoked() {
            return Some("revoked: the control plane lets this node in no more\n");
        }
        if self.node.overlay.is_unknown() {
            return Some("what is switched off is not known yet\n");
        }
        if self.policy.applied().is_none() {
            return Some("no policy yet\n");
        }
        let too_old = |runtime: &Arc<Runtime>| self.node.freshness.serves_nobody(runtime.spans());
        let too_old = self.node.runtime.load().as_ref().is_some_and(too_old);
        too_old.then_some("the policy is too old for every tenant: the control plane is not heard\n")
    }

    /// How old its policy is, where that is worth a line.
    fn age(&self) -> String {
        let (freshness, runtime) = (&self.node.freshness, self.node.runtime.load());
        let Some(runtime) = runtime.as_ref() else { return String::new() };
        let seconds = freshness.age();
        match freshness.worst(runtime.spans(), freshness.reading()) {
            Level::Fresh => String::new(),
            Level::Soft => format!("stale: confirmed {seconds} s ago\n"),
            Level::Hard => format!("stale: confirmed {seconds} s ago, too long for some requests\n"),
        }
    }
}

async fn ready(State(ops): State<Ops>) -> Response {
    if let Some(why) = ops.unready() {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], why).into_response();
    }
    let revision = ops.policy.applied().map_or(0, |version| version.revision);
    format!("ok, revision {revision}\n{}", ops.age()).into_response()
}

async fn metrics(State(ops): State<Ops>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], ops.metrics.render(&ops.node, &ops.policy)).into_response()
}
