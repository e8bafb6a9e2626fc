//! The data plane, put together: policy, ports, telemetry, and an end that loses nothing.
//!
//! Law: it starts without the control plane and without policy, says so on `/readyz`, and answers 503 until it has one.
//! At the end it first says it is not ready, then takes no more, then waits for what is in flight, then writes what is left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use proto::inference::inference_server::SERVICE_NAME;
use tokio::sync::watch::Receiver;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use uuid::Uuid;

use crate::accept::{self, Port, bind};
use crate::config::Config;
use crate::ingress;
use crate::install::Installer;
use crate::lock::DirLock;
use crate::metrics::{Both, Metrics};
use crate::node::{Bounds, Node};
use crate::ops::{self, Ops};
use crate::policy::{Control, LastKnownGood, NodeKey, PolicyState, watch};
use crate::quota::Ledger;
use crate::record::outbox::{Outbox, Settings, Writer};
use crate::telemetry::Traces;
use crate::tls;
use crate::upstream::address::{AddressPolicy, Loopback};

/// A running data plane; it runs until it is [shut down](Self::shutdown) or dropped.
pub struct DataPlane {
    inference: SocketAddr,
    ops: SocketAddr,
    policy: Arc<PolicyState>,
    ends: Ends,
    open: TaskTracker,
    traces: Option<Arc<Traces>>,
    node: Arc<Node>,
    writer: Writer,
    config: Config,
    _dropped: [DropGuard; 2],
    /// Given back last: whoever starts next finds everything written.
    _lock: DirLock,
}

/// The steps of the end, in their order.
#[derive(Clone, Default)]
struct Ends {
    /// It says that it is not ready.
    unready: CancellationToken,
    /// It takes no more, and waits for what is in flight.
    drain: CancellationToken,
    /// What is still there is cut, and everything else ends.
    stop: CancellationToken,
}

impl DataPlane {
    /// Starts a data plane with counters of its own, or with counters it shares with others in this process.
    pub async fn start(config: Config, ledger: Option<Ledger>) -> anyhow::Result<Self> {
        let (identity, endpoint) = tls::control(&config.control)?;
        let dir = config.state.dir.clone();
        let lock = DirLock::take(&dir)?;
        let key = NodeKey::open(&dir.join("node-hpke.key"))?;
        let settings = Settings {
            places: config.state.outbox_places,
            file_bytes: config.state.outbox_file_bytes,
            ..Settings::default()
        };
        let (outbox, writer) = Outbox::open(&dir.join("outbox"), settings)
            .with_context(|| format!("the outbox in `{}` can't be opened", dir.display()))?;
        let (metrics, traces) =
            (Arc::new(Metrics::new()), Traces::start(&config.telemetry, identity.geo.as_str())?);
        let ledger = ledger.unwrap_or_else(Ledger::memory);
        let counters = ledger.clone();
        let observer = Arc::new(Both(metrics.clone(), traces.clone()));
        let node = Arc::new(Node::new(identity.geo.clone(), bounds(&config), (counters, outbox), observer));
        let installer = Arc::new(installer(&config, node.clone())?);
        let policy = Arc::new(PolicyState::default());
        let (ends, open) = (Ends::default(), TaskTracker::new());
        let control = Control {
            endpoint,
            geo: identity.geo,
            spiffe_id: identity.spiffe_id,
            boot_id: Uuid::now_v7().to_string(),
            key,
            kept: LastKnownGood::at(&dir.join("policy")),
        };
        let (inference, inference_address) =
            bind(config.listen.inference).await.context("the inference port")?;
        let (ops_port, ops_address) = bind(config.listen.ops).await.context("the ops port")?;
        tokio::spawn(watch(control, installer, policy.clone(), ends.stop.clone()));
        let port = |listener, tls, drain: &CancellationToken, open: &TaskTracker| Port {
            listener,
            tls,
            connections: config.bounds.connections,
            headers: Duration::from_secs(config.bounds.header_seconds),
            stalled: Duration::from_secs(config.bounds.stalled_seconds),
            drain: drain.clone(),
            cut: ends.stop.clone(),
            open: open.clone(),
        };
        let health = HealthReporter::new();
        tell(&health, ServingStatus::NotServing).await;
        let service = ingress::service(node.clone(), &health, config.bounds.requests);
        tokio::spawn(report(health, policy.follow(), ends.clone()));
        let tls = tls::server(&config.listen)?;
        tokio::spawn(accept::serve(port(inference, tls, &ends.drain, &open), service));
        let ops_routes = ops::router(Ops {
            node: node.clone(),
            policy: policy.clone(),
            metrics,
            draining: ends.unready.clone(),
        });
        tokio::spawn(accept::serve(port(ops_port, None, &ends.stop, &TaskTracker::new()), ops_routes));
        tokio::spawn(sweep(ledger, ends.stop.clone()));
        tracing::info!(inference = %inference_address, ops = %ops_address, "a data plane serves");
        Ok(Self {
            inference: inference_address,
            ops: ops_address,
            policy,
            _dropped: [ends.drain.clone().drop_guard(), ends.stop.clone().drop_guard()],
            ends,
            open,
            traces,
            node,
            writer,
            config,
            _lock: lock,
        })
    }

    /// Where callers reach it.
    pub fn inference_address(&self) -> SocketAddr {
        self.inference
    }

    /// Where operators reach it.
    pub fn ops_address(&self) -> SocketAddr {
        self.ops
    }

    /// Follows the revision in force; 0 is none.
    pub fn revisions(&self) -> tokio::sync::watch::Receiver<i64> {
        self.policy.follow()
    }

    /// Waits until a revision at least this new is in force.
    pub async fn enforces(&self, revision: i64) -> anyhow::Result<()> {
        self.policy.follow().wait_for(|applied| *applied >= revision).await?;
        Ok(())
    }

    /// Ends it: not ready, no new requests, those in flight until the deadline, then what is left to write.
    pub async fn shutdown(self) {
        self.ends.unready.cancel();
        tokio::time::sleep(Duration::from_secs(self.config.drain.grace_seconds)).await;
        self.ends.drain.cancel();
        self.open.close();
        let deadline = Duration::from_secs(self.config.drain.seconds);
        if tokio::time::timeout(deadline, self.open.wait()).await.is_err() {
            tracing::warn!(connections = self.open.len(), "the deadline came before every request had ended");
        }
        // Cuts what is left, whose ends are then records like all others.
        self.ends.stop.cancel();
        self.write_the_rest().await;
        if let Some(traces) = self.traces {
            let _ = tokio::task::spawn_blocking(move || traces.flush()).await;
        }
        drop(self.writer);
    }

    /// Waits for the outbox's writer, which gathers for a moment before it writes; not for a disk that fails.
    async fn write_the_rest(&self) {
        let written = async {
            while self.node.outbox.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), written).await.is_err() {
            tracing::error!(
                waiting = self.node.outbox.waiting(),
                "records could not be written before the end"
            );
        }
    }
}

/// Tells by gRPC what `/readyz` tells by HTTP; who watches it is let go when the drain begins.
async fn report(mut health: HealthReporter, mut revisions: Receiver<i64>, ends: Ends) {
    let ready = async { revisions.wait_for(|applied| *applied > 0).await.is_ok() };
    if ends.unready.run_until_cancelled(ready).await == Some(true) {
        tell(&health, ServingStatus::Serving).await;
        ends.unready.cancelled().await;
    }
    tell(&health, ServingStatus::NotServing).await;
    ends.drain.cancelled().await;
    for service in ["", SERVICE_NAME] {
        health.clear_service_status(service).await;
    }
}

async fn tell(health: &HealthReporter, status: ServingStatus) {
    for service in ["", SERVICE_NAME] {
        health.set_service_status(service, status).await;
    }
}

/// Expires the holds nobody asks about any more, and follows a clock that was set back.
async fn sweep(ledger: Ledger, stop: CancellationToken) {
    let mut turn = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => ledger.sweep(jiff::Timestamp::now()),
        };
    }
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        body_bytes: config.bounds.body_bytes,
        buffered_bytes: config.bounds.buffered_bytes,
        total: Duration::from_secs(config.bounds.request_seconds),
        ..Bounds::default()
    }
}

fn installer(config: &Config, node: Arc<Node>) -> anyhow::Result<Installer> {
    let loopback = if config.upstream.allow_loopback { Loopback::Permitted } else { Loopback::Refused };
    let extra_roots = match &config.upstream.extra_roots {
        Some(path) => Some(
            std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))?,
        ),
        None => None,
    };
    Ok(Installer {
        node,
        addresses: AddressPolicy { loopback, allowed: config.upstream.allowed_networks.clone() },
        extra_roots,
    })
}

#[cfg(test)]
mod tests;
