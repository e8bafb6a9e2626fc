//! The control plane's host: everything of a control plane that nodes see, over a store that outlives its processes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use control_plane::actor::Actor;
use control_plane::api::sync::SyncService;
use control_plane::ca::{Authority, LEAF_VALIDITY};
use control_plane::checkpoints::Checkpoints;
use control_plane::config::Length;
use control_plane::config::RolloutConfig;
use control_plane::issue::{self, Wanted};
use control_plane::manifest::{self, Declared};
use control_plane::nodes::NodeRegistry;
use control_plane::publish::{Act, InForce, Mode, Publisher, Staging};
use control_plane::rollout;
use control_plane::seal::Sealer;
use control_plane::signer::Signers;
use control_plane::store::{Head, Store};
use control_plane::upstream::Upstream;
use policy_engine::vocabulary::{Id, Kind};
use proto::admin::{KeySpec, SourceFile};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use turmoil::net::{TcpListener, TcpStream};

use crate::edits::Order;
use crate::node::CONTROL;

/// Between two heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// What passes between the control plane and whoever gives it orders; it outlives the processes.
#[derive(Default)]
pub(crate) struct Desk {
    /// To the process that runs now.
    pub(crate) orders: Option<mpsc::UnboundedSender<Order>>,
    /// What it has in force.
    pub(crate) lines: Option<watch::Receiver<InForce>>,
    /// Keys that were made: what they are called, and their public ids.
    pub(crate) issued: Vec<(Id, String)>,
    /// Public ids of keys that were taken back.
    pub(crate) revoked: BTreeSet<String>,
    /// What was done, and what was not.
    pub(crate) done: usize,
    pub(crate) refused: Vec<String>,
    pub(crate) aborted: usize,
    /// The store was restored: nodes may be in this epoch.
    pub(crate) restored: Option<i64>,
    pub(crate) staged: usize,
}

/// Which digests a store knows: revision, geo, digest.
pub(crate) type Known = BTreeSet<(i64, String, [u8; 32])>;

async fn opened(dir: &Path) -> Result<Publisher> {
    let store = Store::open(&dir.join("store.db")).await?;
    Ok(Publisher::open(store, Arc::new(Sealer::new(&[7; 32])?), Upstream::default()).await?)
}

/// A process of the control plane, for as long as its host lets it.
pub(crate) async fn run(dir: PathBuf, desk: Arc<Mutex<Desk>>) -> turmoil::Result {
    Ok(tokio::spawn(async move { serve(&dir, desk).await }).await??)
}

async fn serve(dir: &Path, desk: Arc<Mutex<Desk>>) -> Result<()> {
    let (publisher, stop) = (opened(dir).await?, CancellationToken::new());
    let authority = Authority::open_or_create(&dir.join("ca"))?;
    let nodes = NodeRegistry::open(publisher.store()).await?;
    let (remembered, store, stopping) = (nodes.clone(), publisher.store().clone(), stop.clone());
    tokio::spawn(async move { remembered.follow(store, stopping).await });
    let config = RolloutConfig {
        stages: vec![0, 50, 100],
        bake: Length(Duration::from_millis(10)),
        ack: Length(Duration::from_millis(300)),
        ..RolloutConfig::default()
    };
    tokio::spawn(rollout::run(publisher.clone(), nodes.clone(), config.clone(), stop.clone()));
    let signers = Signers::open(publisher.store(), publisher.vault().sealer(), (&authority, 1)).await?;
    let checkpoints = Checkpoints::open(publisher.store(), publisher.vault().sealer(), 1).await?;
    tokio::spawn(checkpoints.clone().run(HEARTBEAT, stop.clone()));
    let service = SyncService::new((publisher.clone(), signers), nodes.clone(), HEARTBEAT, stop);
    let service = service.witnessed(checkpoints);
    let own = authority.issue_server(&[CONTROL.0.to_owned()], LEAF_VALIDITY)?;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(&own.certificate_pem, own.key_pem.as_bytes()))
        .client_ca_root(Certificate::from_pem(authority.certificate_pem()));
    let patience = Some(Duration::from_secs(10));
    let server = Server::builder().http2_keepalive_interval(patience).http2_keepalive_timeout(patience);
    let server = server.tls_config(tls)?.add_service(service.served());
    let listener = TcpListener::bind(("0.0.0.0", CONTROL.1)).await?;
    let arriving = futures_util::stream::unfold(listener, |listener| async move {
        let arrived = listener.accept().await.map(|(stream, _)| Arrived(stream));
        Some((arrived, listener))
    });
    tokio::spawn(server.serve_with_incoming(arriving));
    let (give, mut orders) = mpsc::unbounded_channel();
    {
        let mut desk = desk.lock().unwrap();
        (desk.orders, desk.lines) = (Some(give), Some(publisher.lines()));
    }
    let planes = Planes { publisher, nodes, config, desk };
    let restored = planes.desk.lock().unwrap().restored;
    if let Some(above) = restored {
        planes.carry_out(Order::BumpEpoch(above)).await?;
        planes.desk.lock().unwrap().restored = None;
    }
    while let Some(order) = orders.recv().await {
        let done = planes.carry_out(order.clone()).await;
        let mut desk = planes.desk.lock().unwrap();
        match done {
            Ok(()) => desk.done += 1,
            Err(error) => desk.refused.push(format!("{order:?}: {error:#}")),
        }
    }
    Ok(())
}

/// What orders are carried out by.
struct Planes {
    publisher: Publisher,
    nodes: NodeRegistry,
    config: RolloutConfig,
    desk: Arc<Mutex<Desk>>,
}

impl Planes {
    async fn carry_out(&self, order: Order) -> Result<()> {
        let act = || Act::of_system("simulation");
        let mode = (act(), Mode::Commit);
        let actor = Actor::Platform("simulation".to_owned());
        let files = |text| vec![SourceFile { path: "f.yaml".into(), text }];
        match order {
            Order::Apply { text, staged } => {
                let observed = rollout::observed(&self.publisher, &self.nodes, None).await?;
                let stages = rollout::plan(&observed, &self.config);
                let staging = staged.then_some(Staging { stages, manual: false });
                let declared =
                    Declared { files: files(text), staging, may_shrink: !staged, ..Declared::default() };
                let answer = manifest::apply(&self.publisher, &actor, mode, declared).await?;
                anyhow::ensure!(answer.faults.is_empty(), "{:?}", answer.faults);
                self.desk.lock().unwrap().staged += usize::from(!answer.rollout.is_empty());
            }
            Order::Delete(text) => {
                let declared = Declared { files: files(text), may_shrink: true, ..Declared::default() };
                let answer = manifest::delete(&self.publisher, &actor, mode, declared).await?;
                anyhow::ensure!(answer.faults.is_empty(), "{:?}", answer.faults);
            }
            Order::Issue => {
                let (tenant, principal) = ("acme".to_owned(), "ada".to_owned());
                let spec = KeySpec { tenant, principal, team: "crew".to_owned(), ..KeySpec::default() };
                let wanted = vec![Wanted { spec, ..Wanted::default() }];
                let issued = issue::create(&self.publisher, act(), wanted).await?;
                for key in issued {
                    let id = proto::name::parse_as(Kind::Key, &key.key.name)?;
                    let public = id.name.to_string();
                    self.desk.lock().unwrap().issued.push((id, public));
                }
            }
            Order::Revoke(turn) => {
                let issued = self.desk.lock().unwrap().issued.clone();
                let Some((id, public)) = turn.checked_rem(issued.len()).map(|at| issued[at].clone()) else {
                    return Ok(());
                };
                if issue::revoke(&self.publisher, act(), &id).await?.is_some() {
                    self.desk.lock().unwrap().revoked.insert(public);
                }
            }
            Order::BumpEpoch(above) => {
                while self.publisher.current().head.epoch <= above {
                    self.publisher.bump_epoch(act()).await?;
                }
            }
            Order::Abort => {
                let active = self.publisher.lines().borrow().rollout.clone();
                if let Some(active) = active
                    && self.publisher.take_back(act(), &active.record.name, "a whim").await?
                {
                    self.desk.lock().unwrap().aborted += 1;
                }
            }
        }
        Ok(())
    }
}

/// What the store of a control plane that has ended knows, and where it stands.
pub(crate) fn known(dir: &Path) -> Result<(Head, Known)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&dir.join("store.db")).await?;
        let (head, mut known) = (store.head().await?, Known::new());
        for revision in 1..=head.revision {
            let rows = [store.scopes(revision).await?, store.candidates(revision).await?];
            known.extend(rows.into_iter().flatten().map(|row| (revision, row.geo, row.digest)));
        }
        store.close().await;
        Ok((head, known))
    })
}

/// A connection that was taken.
struct Arrived(TcpStream);

impl Connected for Arrived {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: self.0.local_addr().ok(), remote_addr: self.0.peer_addr().ok() }
    }
}

impl AsyncRead for Arrived {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Arrived {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
