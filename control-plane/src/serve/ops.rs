//! The ops port: alive, ready, metrics. Nothing here is authenticated, and nothing here is anybody's.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::nodes::NodeRegistry;
use crate::publish::Publisher;

/// What the ops port needs to know.
#[derive(Debug, Clone)]
struct Ops {
    publisher: Publisher,
    nodes: NodeRegistry,
    stop: CancellationToken,
}

/// `/livez`, `/readyz`, `/metrics`.
pub(super) fn router(publisher: Publisher, nodes: NodeRegistry, stop: CancellationToken) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Ops { publisher, nodes, stop })
}

async fn ready(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    if ops.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match ops.publisher.store().ping().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    let (states, lagging) = ops.nodes.tally(ops.publisher.current().head.revision);
    ops.publisher.metrics().nodes(&states, lagging);
    let active = ops.publisher.lines().borrow().rollout.clone();
    ops.publisher.metrics().rollout(active.as_ref().map(|active| &active.record));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], ops.publisher.metrics().text())
}
