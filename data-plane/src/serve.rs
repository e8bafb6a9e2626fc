//! The data plane, put together: policy, ports, telemetry, and an end that loses nothing.
//!
//! Law: it starts without the control plane and without policy, says so on `/readyz`, and answers 503 until it has one.
//! At the end it first says it is not ready, then takes no more, then waits for what is in flight, then writes what is left.

mod drained;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use proto::inference::inference_server::SERVICE_NAME;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use uuid::Uuid;

use crate::accept::{self, Port, bind};
use crate::config::Config;
use crate::drain::Cuts;
use crate::enrol::{self, Member, Renewal};
use crate::freshness::{self, AtMost, Freshness};
use crate::ingress;
use crate::install::{self, Installer};
use crate::lock::DirLock;
use crate::metrics::{Both, Metrics};
use crate::node::{Bounds, Node};
use crate::ops::{self, Ops};
use crate::overlay::Statements;
use crate::policy::{Control, Enforced, LastKnownGood, Log, NodeKey, Place, PolicyState, Trust, restore};
use crate::quota::Ledger;
use crate::record::outbox::{Outbox, Settings, Writer};
use crate::record::{Keeping, Seal};
use crate::secrets::{self, Remote};
use crate::ship::prune::Places;
use crate::ship::{self, Store};
use crate::simulate::Simulator;
use crate::telemetry::Traces;
use crate::tls::{self, NodeIdentity, Way};
use crate::upstream::address::{AddressPolicy, Loopback};
use crate::validity;

/// A running data plane; it runs until it is [shut down](Self::shutdown) or dropped.
pub struct DataPlane {
    inference: SocketAddr,
    ops: SocketAddr,
    policy: Arc<PolicyState>,
    following: JoinHandle<()>,
    ends: Ends,
    open: TaskTracker,
    traces: Option<Arc<Traces>>,
    node: Arc<Node>,
    writer: Writer,
    config: Config,
    _dropped: [DropGuard; 3],
    /// Given back last: whoever starts next finds everything written.
    _lock: DirLock,
}

/// Between two looks whether it is still ready, which policy that grows old ends.
const LOOK: Duration = Duration::from_secs(1);

/// Seconds that the last segment is given to be in the store and in the audit log.
const LAST: u64 = 5;

/// The steps of the end, in their order.
#[derive(Clone, Default)]
struct Ends {
    /// It says that it is not ready.
    unready: CancellationToken,
    /// It takes no more, and waits for what is in flight.
    drain: CancellationToken,
    /// What is still there is cut, and everything else ends.
    stop: CancellationToken,
    /// It says no more to the control plane.
    silent: CancellationToken,
}

impl DataPlane {
    /// Starts a data plane with counters of its own, or with counters it shares with others in this process.
    pub async fn start(config: Config, ledger: Option<Ledger>) -> anyhow::Result<Self> {
        let dir = config.state.dir.clone();
        let lock = DirLock::take(&dir)?;
        let freshness = Arc::new(Freshness::open(&dir.join("policy"), at_most(&config)));
        let Member { way, renewal } = enrol::member(&config, &freshness).await?;
        let identity = way.identity().clone();
        let boot_id = Uuid::now_v7().to_string();
        let (outbox, writer) = outbox(&config, &way, &boot_id)?;
        let (metrics, traces) =
            (Arc::new(Metrics::new()), Traces::start(&config.telemetry, identity.geo.as_str())?);
        let ledger = ledger.unwrap_or_else(Ledger::memory);
        let observer = Arc::new(Both(metrics.clone(), traces.clone()));
        let counted = (ledger.clone(), outbox, Statements::at(&dir.join("policy")));
        let mut node = Node::new(identity.geo.clone(), bounds(&config), counted, observer);
        node.freshness = freshness;
        node.simulator = simulator(&config, &way);
        let node = Arc::new(node);
        let installer = Arc::new(installer(&config, node.clone())?);
        let policy = Arc::new(PolicyState::of(node.freshness.clone()));
        let (ends, open) = (Ends::default(), TaskTracker::new());
        let place = place(&config, &way, node.freshness.clone())?;
        let shown = way.end();
        let control = Control { way, boot_id, place };
        let tls = tls::server(&config.listen)?;
        let inference = listen("listen.inference", config.listen.inference).await?;
        let ops_port = listen("listen.ops", config.listen.ops).await?;
        tokio::spawn(secrets::run(installer.remote.clone(), installer.clone(), ends.stop.clone()));
        let follower = restore(control, installer, policy.clone()).await;
        let following = tokio::spawn(follower.follow(ends.silent.clone()));
        let plane = Self {
            inference: inference.1,
            ops: ops_port.1,
            policy,
            following,
            _dropped: [&ends.drain, &ends.stop, &ends.silent].map(|end| end.clone().drop_guard()),
            ends,
            open,
            traces,
            node,
            writer,
            config,
            _lock: lock,
        };
        plane.tell_start(&identity, tls.is_some());
        plane.serve((inference.0, tls), (ops_port.0, metrics.clone())).await;
        plane.follow_certificates((shown, renewal), metrics);
        tokio::spawn(sweep(ledger, plane.ends.stop.clone()));
        plane.ship(identity.spiffe_id.rsplit('/').next().unwrap_or_default());
        tokio::spawn(freshness::watch(plane.node.clone(), plane.ends.stop.clone()));
        Ok(plane)
    }

    /// Brings what is decided to the store, where there is one, and captured content, which goes when it is over.
    fn ship(&self, node: &str) {
        let store = self.store();
        let (content, kept) = (self.node.outbox.content().clone(), (store.clone(), self.node.geo.clone()));
        let (shelf, retained) = (self.node.outbox.shelf().clone(), self.node.retained.clone());
        tokio::spawn(ship::content::run((content, retained.clone()), kept, self.ends.stop.clone()));
        let (geo, node) = (self.node.geo.clone(), node.to_owned());
        let places = Places { shelf: shelf.clone(), store: store.clone(), geo, node };
        tokio::spawn(ship::prune::run(retained, places, self.ends.stop.clone()));
        if let Some(store) = store {
            let keep = self.config.decisions.keep_bytes;
            tokio::spawn(ship::run(shelf, (store, keep), self.ends.stop.clone()));
        }
    }

    /// The geo's store, where there is one.
    fn store(&self) -> Option<Store> {
        // A configuration with a store that is none was refused when it was read.
        Store::of(&self.config.decisions, |name| std::env::var(name).ok()).ok().flatten()
    }

    /// Renews the node's certificate, and tells when certificates end. One that is renewed is not warned of.
    fn follow_certificates(
        &self,
        (shown, renewal): (Receiver<Option<i64>>, Option<Renewal>),
        metrics: Arc<Metrics>,
    ) {
        let stop = &self.ends.stop;
        let inference = tls::end(&self.config.listen);
        inference.iter().for_each(|(certificate, end)| metrics.ends(certificate, *end));
        let brought = renewal.is_none().then(|| shown.clone());
        let ending = move || {
            let node = brought.as_ref().and_then(|end| Some(("node", (*end.borrow())?)));
            node.into_iter().chain(inference).collect()
        };
        tokio::spawn(validity::watch(ending, stop.clone()));
        tokio::spawn(tell_end(shown, metrics, stop.clone()));
        if let Some(renewal) = renewal {
            tokio::spawn(renewal.run(stop.clone()));
        }
    }

    /// Serves both ports, and tells on both doors whether it is ready.
    async fn serve(
        &self,
        (inference, tls): (TcpListener, Option<Arc<ServerConfig>>),
        (ops, metrics): (TcpListener, Arc<Metrics>),
    ) {
        let health = HealthReporter::new();
        tell(&health, ServingStatus::NotServing).await;
        let service = ingress::service(self.node.clone(), &health);
        let told = Ops {
            node: self.node.clone(),
            policy: self.policy.clone(),
            metrics,
            draining: self.ends.unready.clone(),
        };
        tokio::spawn(report(health, told.clone(), self.ends.clone()));
        let (drain, stop) = (&self.ends.drain, &self.ends.stop);
        let inference = self.port((inference, tls), drain, &self.open);
        tokio::spawn(drained::run(self.node.clone(), inference.cut.clone(), stop.clone()));
        tokio::spawn(accept::serve(inference, service));
        tokio::spawn(accept::serve(self.port((ops, None), stop, &TaskTracker::new()), ops::router(told)));
    }

    fn port(
        &self,
        (listener, tls): (TcpListener, Option<Arc<ServerConfig>>),
        drain: &CancellationToken,
        open: &TaskTracker,
    ) -> Port {
        let bounds = &self.config.bounds;
        Port {
            listener,
            tls,
            connections: bounds.connections,
            headers: Duration::from_secs(bounds.header_seconds),
            stalled: self.node.bounds.stalled,
            drain: drain.clone(),
            cut: Arc::new(Cuts::under(self.ends.stop.clone())),
            open: open.clone(),
        }
    }

    fn tell_start(&self, identity: &NodeIdentity, tls: bool) {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            geo = identity.geo.as_str(),
            node = identity.spiffe_id,
            inference = %self.inference,
            tls,
            ops = %self.ops,
            control = self.config.control.url,
            revision = self.policy.applied().map_or(0, |version| version.revision),
            "a data plane has started"
        );
        if is_exposed(self.inference, tls) {
            tracing::warn!(
                inference = %self.inference,
                "the inference port speaks plain text to other machines: keys and prompts can be read on the way; set \
                 `listen.tls_certificate` and `listen.tls_key`, or let nothing but a proxy that ends TLS reach it"
            );
        }
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
        let began = Instant::now();
        let drain = &self.config.drain;
        tracing::info!(
            in_flight = self.node.in_flight(),
            grace_seconds = drain.grace_seconds,
            seconds = drain.seconds,
            "the drain begins"
        );
        self.ends.unready.cancel();
        tokio::time::sleep(Duration::from_secs(drain.grace_seconds)).await;
        self.ends.drain.cancel();
        self.open.close();
        let deadline = Duration::from_secs(drain.seconds);
        if tokio::time::timeout(deadline, self.open.wait()).await.is_err() {
            let (connections, in_flight) = (self.open.len(), self.node.in_flight());
            tracing::warn!(connections, in_flight, "the deadline came before every request had ended");
        }
        // Cuts what is left, whose ends are then records like all others.
        self.ends.stop.cancel();
        self.node.mirrors.cut().await;
        self.write_the_rest().await;
        self.hand_over().await;
        self.ends.silent.cancel();
        // It notes that the process was told to end.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.following).await;
        if let Some(traces) = self.traces {
            let _ = tokio::task::spawn_blocking(move || traces.flush()).await;
        }
        drop(self.writer);
        let (written, lost) = self.node.outbox.tally();
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(took_ms, records_written = written, records_lost = lost, "a data plane has stopped");
    }

    /// Waits for the outbox's writer, which gathers for a moment before it writes, and seals what it has; not for a disk that fails.
    async fn write_the_rest(&self) {
        let written = async {
            while self.node.outbox.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.node.outbox.end().await;
        };
        if tokio::time::timeout(Duration::from_secs(5), written).await.is_err() {
            tracing::error!(
                waiting = self.node.outbox.waiting(),
                "records could not be written before the end"
            );
        }
    }

    /// Brings the last segment and what it has of content to the store and has it anchored, since a disk may go with its process; waits for neither that is away.
    async fn hand_over(&self) {
        let shelf = self.node.outbox.shelf();
        let shipped = async {
            match self.store() {
                Some(store) => {
                    ship::rest(shelf, &store).await?;
                    ship::content::rest(self.node.outbox.content(), &store, &self.node.geo).await
                }
                None => Ok(()),
            }
        };
        let anchored = async {
            let mut changed = shelf.follow();
            while self.policy.connected() && shelf.waiting().0 > 0 && changed.changed().await.is_ok() {}
        };
        let within = Duration::from_secs(LAST);
        let (shipped, anchored) =
            tokio::join!(tokio::time::timeout(within, shipped), tokio::time::timeout(within, anchored));
        if let Ok(Err(error)) = &shipped {
            let error = error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "what was decided last is not in the store: it waits here for the next start"
            );
        }
        if shipped.is_err() || anchored.is_err() {
            let (unanchored, unshipped) = shelf.waiting();
            tracing::warn!(unanchored, unshipped, "segments wait here for the next start");
        }
    }
}

/// Says when the node's certificate ends, each time another is shown.
async fn tell_end(mut end: Receiver<Option<i64>>, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        if let Some(end) = *end.borrow_and_update() {
            metrics.ends("node", end);
        }
        if !matches!(stop.run_until_cancelled(end.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}

/// Tells by gRPC what `/readyz` tells by HTTP; who watches it is let go when the drain begins.
async fn report(mut health: HealthReporter, ops: Ops, ends: Ends) {
    let (mut revisions, mut told) = (ops.policy.follow(), false);
    while !ends.unready.is_cancelled() {
        let ready = ops.unready().is_none();
        if std::mem::replace(&mut told, ready) != ready {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            tell(&health, status).await;
        }
        tokio::select! {
            () = ends.unready.cancelled() => {}
            changed = revisions.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(LOOK) => {}
        }
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

/// Binds a port; an error names the key and the address, for there are several of both.
async fn listen(key: &str, address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    bind(address).await.with_context(|| format!("`{key}` can't be bound to {address}"))
}

/// Whether others than this machine can reach a port that speaks plain text.
fn is_exposed(address: SocketAddr, tls: bool) -> bool {
    !tls && !address.ip().to_canonical().is_loopback()
}

/// What a node holds on to, in its state directory.
fn place(config: &Config, way: &Way, freshness: Arc<Freshness>) -> anyhow::Result<Place> {
    let (dir, identity) = (&config.state.dir, way.identity());
    let policy = dir.join("policy");
    let authorities = way.authorities()?;
    let kept = LastKnownGood::at(&policy);
    Ok(Place {
        geo: identity.geo.clone(),
        spiffe_id: identity.spiffe_id.clone(),
        key: NodeKey::open(&dir.join("node-hpke.key"))?,
        trust: Trust::open(&policy, &authorities, freshness).context("whose word is policy can't be told")?,
        kept,
        enforced: Enforced::open(&policy, env!("CARGO_PKG_VERSION")),
        log: Log::open(&policy),
    })
}

fn outbox(config: &Config, way: &Arc<Way>, boot_id: &str) -> anyhow::Result<(Outbox, Writer)> {
    let settings = Settings {
        places: config.state.outbox_places,
        file_bytes: config.state.outbox_file_bytes,
        segment_records: config.decisions.segment_records,
        segment_age: Duration::from_secs(config.decisions.segment_seconds),
        ..Settings::default()
    };
    let dir = &config.state.dir;
    let signs = way.clone();
    let seal = Seal::of(&way.identity().spiffe_id, move |message| signs.sign(message));
    let keeping = Keeping { dir: dir.join("outbox"), boot_id: boot_id.to_owned(), seal };
    Outbox::open(keeping, settings)
        .with_context(|| format!("the outbox in `{}` can't be opened", dir.display()))
}

/// What decides recorded requests again: those of the outbox, and of the store, where there is one.
fn simulator(config: &Config, way: &Way) -> Simulator {
    let identity = way.identity();
    let id = identity.spiffe_id.rsplit('/').next().unwrap_or_default();
    let source = ship::source::Kept {
        outbox: config.state.dir.join("outbox"),
        // A configuration with a store that is none was refused when it was read.
        store: Store::of(&config.decisions, |name| std::env::var(name).ok()).ok().flatten(),
        node: (identity.geo.to_string(), id.to_owned()),
        runtime: Handle::current(),
    };
    Simulator::of(identity.geo.clone(), Arc::new(source))
}

fn at_most(config: &Config) -> AtMost {
    let policy = &config.policy;
    AtMost { keys: policy.keys_stale_seconds, rules: policy.rules_stale_seconds }
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        body_bytes: config.bounds.body_bytes,
        buffered_bytes: config.bounds.buffered_bytes,
        requests: config.bounds.requests,
        total: Duration::from_secs(config.bounds.request_seconds),
        stalled: Duration::from_secs(config.bounds.stalled_seconds),
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
    let addresses = AddressPolicy { loopback, allowed: config.upstream.allowed_networks.clone() };
    Ok(Installer {
        node,
        fetch: install::fetcher(&config.fetch, (&addresses, &extra_roots))?,
        addresses,
        extra_roots,
        remote: Arc::new(Remote::of(&config.secrets)?),
        last: Default::default(),
    })
}

#[cfg(test)]
mod tests;
