//! Wiring: ports, certificates, tokens, start and stop. No opinion of its own on anything that is governed.

mod accept;
mod identity;
mod opening;
mod ops;
mod peers;
mod start;
mod sync;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::Request;
use axum::response::Response;
use proto::code::ErrorCode;
use proto::status::Refusal;
use proto::sync::enrolment_server::EnrolmentServer;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::Authenticator;
use crate::anchors;
use crate::api::admin::Admin;
use crate::api::enrolment::{EnrolmentService, MESSAGE_BYTES};
use crate::api::rest;
use crate::api::sync::SyncService;
use crate::ca::Authority;
use crate::checkpoints::{self, Checkpoints};
use crate::config::Config;
use crate::elevations::Elevations;
use crate::enrolment::Enrolment;
use crate::lock::DirLock;
use crate::nodes::NodeRegistry;
use crate::private;
use crate::publish::{Publisher, Terms};
use crate::retention::Retentions;
use crate::rollout;
use crate::signer::Signers;
use crate::store::Store;
use crate::validity::{self, End, not_after};

use accept::Port;

/// Where a control plane listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Admin API and console.
    pub admin: SocketAddr,
    /// Node sync.
    pub sync: SocketAddr,
    /// Liveness, readiness, metrics.
    pub ops: SocketAddr,
}

/// A running control plane; it runs until it is [shut down](Self::shutdown) or dropped.
#[derive(Debug)]
pub struct ControlPlane {
    addresses: Addresses,
    publisher: Publisher,
    nodes: NodeRegistry,
    authority: Arc<Authority>,
    grace: Duration,
    stop: CancellationToken,
    tasks: TaskTracker,
    // The last field: held until the store is closed.
    _lock: DirLock,
}

impl ControlPlane {
    /// Takes the directory, opens the store, binds every port and serves them.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        Box::pin(Self::begin(config)).await.map_err(|error| start::told(error, config))
    }

    async fn begin(config: &Config) -> anyhow::Result<Self> {
        let own = config.own_dir();
        private::own_dir(&own).with_context(|| format!("`{}` can't be made", own.display()))?;
        let lock = DirLock::take(&own)?;
        let path = config.store_path();
        identity::is_there(&own, &path)?;
        let sealer = Arc::new(identity::sealer(&own, &path)?);
        let store = Store::open(&path)
            .await
            .with_context(|| format!("the store `{}` can't be opened", path.display()))?;
        identity::is_used(&own, (&path, &store)).await?;
        let subjects = identity::subjects((&config.subjects, &own), &store, sealer.clone()).await?;
        let terms = Terms { upstream: config.upstream.clone(), approval: config.approval.clone(), subjects };
        let least = config.sync.signer_generation;
        let authority = Arc::new(identity::authority(&own, (&store, &sealer), least).await?);
        let publisher = Publisher::open(store, sealer, terms).await?;
        identity::knows_its_people(&config.subjects, &publisher).await?;
        let tokens = token::configured(&config.admin, &own)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let ports = Ports::bind(config).await?;
        let addresses = ports.addresses()?;
        let nodes = NodeRegistry::open(publisher.store()).await?;
        let (remembered, kept, stopping) = (nodes.clone(), publisher.store().clone(), stop.clone());
        tasks.spawn(async move { remembered.follow(kept, stopping).await });
        let authenticator = Authenticator::new(publisher.clone(), tokens);
        let tls = sync::Tls::of(&config.sync, &authority)?;
        let issuer = tls.issuer(&config.sync, &authority, addresses.sync.port());
        let admission = nodes.admission().clone();
        let enrolment = Enrolment::open(publisher.store().clone(), admission.clone(), issuer).await?;
        let admin = Admin::new(publisher.clone(), authenticator, nodes.clone()).enrolling(enrolment.clone());
        let admin = admin.rolling_out(config.rollout.clone());
        let elevations = Elevations::open(&publisher, &config.break_glass).await?;
        tasks.spawn(elevations.clone().run(stop.clone()));
        let retentions = Retentions::open(publisher.store(), &config.retention).await?;
        tasks.spawn(retentions.clone().run(stop.clone()));
        let admin = admin.breaking_glass(elevations).retaining(retentions.clone());
        let conducted = rollout::run(publisher.clone(), nodes.clone(), config.rollout.clone(), stop.clone());
        tasks.spawn(conducted);

        let checkpoints =
            Checkpoints::open(publisher.store(), publisher.vault().sealer(), config.audit.key_generation)
                .await?;
        tasks.spawn(checkpoints.clone().run(checkpoints::INTERVAL, stop.clone()));
        let admin = admin.signing(checkpoints.clone());

        let signers =
            Signers::open(publisher.store(), publisher.vault().sealer(), (&authority, least)).await?;
        identity::is_used(&own, (&path, publisher.store())).await?;
        tasks.spawn(identity::Read::of(&own).watch(stop.clone()));
        let policy = (publisher.clone(), signers);
        let (anchors, anchoring) = anchors::anchors(publisher.store());
        tasks.spawn(anchoring.run(anchors::INTERVAL, stop.clone()));
        let sync = SyncService::new(policy, nodes.clone(), config.sync.heartbeat.0, stop.clone());
        let sync = sync.anchoring(anchors).retaining(retentions).witnessed(checkpoints);
        let enrolling = EnrolmentService::new(enrolment, admission, publisher.clone());
        let enrolling = EnrolmentServer::new(enrolling).max_decoding_message_size(MESSAGE_BYTES);
        let router = sync::server().add_service(sync.served()).add_service(enrolling);
        tasks.spawn(sync::serve(router, (ports.sync, tls.config()?), stop.clone()));
        let ends = ends(&authority, &tls, config);
        let tls = admin_tls(config)?;
        let connections = config.admin.connections;
        ends.iter().for_each(|(certificate, end)| publisher.metrics().ends(certificate, *end));
        tasks.spawn(validity::watch(ends, stop.clone()));
        let router = admin_router(&admin).await?;
        tell_start(config, &publisher, addresses);
        tasks.spawn(accept::serve(Port {
            listener: ports.admin,
            tls,
            router,
            stop: stop.clone(),
            connections,
        }));
        let router = ops::router(publisher.clone(), nodes.clone(), stop.clone());
        let (listener, stopping) = (ports.ops, stop.clone());
        tasks.spawn(accept::serve(Port { listener, tls: None, router, stop: stopping, connections }));
        let grace = config.sync.grace.0;
        Ok(Self { addresses, publisher, nodes, authority, grace, stop, tasks, _lock: lock })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What publishes, for whoever shares the process.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The authority that issues node certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Stops listening, lets what runs end within the configured grace, and closes the store.
    pub async fn shutdown(self) {
        tracing::info!(grace = ?self.grace, "the control plane stops");
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("calls were cut off because they did not end in time");
        }
        self.nodes.keep(self.publisher.store()).await;
        self.publisher.store().close().await;
        tracing::info!(revision = self.publisher.current().head.revision, "the control plane has stopped");
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Says what started, and what is not as it should be among others.
fn tell_start(config: &Config, publisher: &Publisher, addresses: Addresses) {
    let tls = config.admin.tls_certificate.is_some();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        admin = %addresses.admin,
        tls,
        sync = %addresses.sync,
        ops = %addresses.ops,
        state_dir = %config.state_dir.display(),
        revision = publisher.current().head.revision,
        "a control plane has started"
    );
    if is_exposed(addresses.admin, tls) {
        tracing::warn!(
            admin = %addresses.admin,
            "the admin port speaks plain text to other machines: tokens and keys can be read on the way; set \
             `admin.tls_certificate` and `admin.tls_key`, or let nothing but a proxy that ends TLS reach it"
        );
    }
}

/// Whether others than this machine can reach a port that speaks plain text.
fn is_exposed(address: SocketAddr, tls: bool) -> bool {
    !tls && !address.ip().to_canonical().is_loopback()
}

/// Sockets that are bound before anything is served, so that a port that is taken is an error of the start.
struct Ports {
    admin: TcpListener,
    sync: TcpListener,
    ops: TcpListener,
}

impl Ports {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let bound = |key: &'static str, address: SocketAddr| async move {
            let bound = TcpListener::bind(address).await;
            bound.with_context(|| format!("`{key}` can't be bound to {address}"))
        };
        Ok(Self {
            admin: bound("listen.admin", config.listen.admin).await?,
            sync: bound("listen.sync", config.listen.sync).await?,
            ops: bound("listen.ops", config.listen.ops).await?,
        })
    }

    fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            admin: self.admin.local_addr()?,
            sync: self.sync.local_addr()?,
            ops: self.ops.local_addr()?,
        })
    }
}

/// When the certificates this process uses end, as far as that can be read.
fn ends(authority: &Authority, sync: &sync::Tls, config: &Config) -> Vec<End> {
    let admin =
        config.admin.tls_certificate.as_ref().and_then(|path| CertificateDer::from_pem_file(path).ok());
    let found = [("authority", Some(authority.certificate())), ("sync", sync.leaf()), ("admin", admin)];
    found.into_iter().filter_map(|(what, der)| Some((what, not_after(&der?)?))).collect()
}

fn admin_tls(config: &Config) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (certificate, key) = match (&config.admin.tls_certificate, &config.admin.tls_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => anyhow::bail!("`admin.tls_certificate` and `admin.tls_key` are given together or not at all"),
    };
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(tls)))
}

/// gRPC with health and reflection, and everything else on the same port.
async fn admin_router(admin: &Admin) -> anyhow::Result<axum::Router> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let mut v1 = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let mut v1alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    for service in served() {
        reporter.set_service_status(&service, tonic_health::ServingStatus::Serving).await;
        v1 = v1.with_service_name(&service);
        v1alpha = v1alpha.with_service_name(&service);
    }
    let routes = admin
        .routes()
        .add_service(health)
        .add_service(v1.with_service_name("grpc.health.v1.Health").build_v1()?)
        .add_service(v1alpha.with_service_name("grpc.health.v1.Health").build_v1alpha()?);
    let grpc = routes.prepare().into_axum_router().reset_fallback();
    let known = admin.clone();
    let rest = rest::router(admin.routes(), move |headers| known.recognises(headers));
    Ok(grpc.merge(rest).fallback(unknown))
}

/// The answer to what nothing here answers, in the form of who asks.
async fn unknown(request: Request) -> Response {
    let kind = request.headers().get(http::header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        let refusal = Refusal::new(ErrorCode::Unimplemented, "there is no such call");
        return tonic::Status::from(refusal).into_http();
    }
    rest::unknown(request).await
}

/// The services of the admin API, by their full names.
fn served() -> Vec<String> {
    let services = crate::descriptors::pool().services();
    let admin = services.filter(|service| service.parent_file().package_name() == "chancery.admin.v1");
    admin.map(|service| service.full_name().to_owned()).collect()
}

#[cfg(test)]
mod tests;
