//! The operator's port: `/livez`, `/readyz`, `/metrics`. Nothing of it is on the port that callers reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::node::Node;
use crate::policy::PolicyState;

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

/// Ready once a policy is in force and what is switched off is known, until a signal says to end.
async fn ready(State(ops): State<Ops>) -> Response {
    let not_yet = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], why);
    if ops.draining.is_cancelled() {
        return not_yet("draining\n").into_response();
    }
    if ops.node.overlay.is_unknown() {
        return not_yet("what is switched off is not known yet\n").into_response();
    }
    match ops.policy.applied() {
        None => not_yet("no policy yet\n").into_response(),
        Some(version) => format!("ok, revision {}\n", version.revision).into_response(),
    }
}

async fn metrics(State(ops): State<Ops>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], ops.metrics.render(&ops.node, &ops.policy)).into_response()
}
