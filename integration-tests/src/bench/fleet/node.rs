//! A simulated node: a TLS connection and a sync stream of its own; it verifies what it is sent and says so, and enforces nothing.
//!
//! What many nodes are sent alike is decoded once for all of them, and its tree hashed once; each holds every byte it was sent
//! against the digest it was announced with.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use control_plane::ca::{Authority, LEAF_VALIDITY};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use prost::Message as _;
use proto::manifest::{Holding, SCHEMA};
use proto::sync::control_message::Message as Said;
use proto::sync::node_message::Message as Saying;
use proto::sync::sync_client::SyncClient;
use proto::sync::{
    Ack, Envelope, Heartbeat, Hello, NodeMessage, SnapshotBegin, SnapshotContents, Status, Version,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::board::Board;

/// What is read of a peer that no longer reads: nothing, and nothing is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frozen(Arc<AtomicBool>);

impl Frozen {
    /// From now on.
    pub(crate) fn freeze(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What nodes found to be right, by what it changes and its digest: the holding it leads to.
#[derive(Default)]
pub(crate) struct Found(Mutex<HashMap<Step, Arc<Holding>>>);

/// The digests of what was changed and of what it became.
type Step = (Vec<u8>, Vec<u8>);

/// A node between its streams.
pub(crate) struct Node {
    pub(crate) number: usize,
    endpoint: Endpoint,
    key: Vec<u8>,
    pub(crate) frozen: Frozen,
    applied: Option<(Version, Arc<Holding>)>,
    found: Arc<Found>,
    board: Arc<Board>,
}

/// A snapshot that is arriving.
struct Arriving {
    begin: SnapshotBegin,
    chunks: Vec<Bytes>,
}

impl Node {
    /// A node with a certificate of its own.
    pub(crate) fn new(
        number: usize,
        (authority, url): (&Authority, &str),
        (found, board): (Arc<Found>, Arc<Board>),
    ) -> anyhow::Result<Self> {
        let issued =
            authority.issue_node(&"eu".parse()?, &format!("n-{number:05}").parse()?, LEAF_VALIDITY)?;
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority.certificate_pem()))
            .identity(Identity::from_pem(&issued.certificate_pem, issued.key_pem.as_bytes()));
        let endpoint = Endpoint::from_shared(url.to_owned())?.tls_config(tls)?;
        let key = public_key()?;
        Ok(Self { number, endpoint, key, frozen: Frozen::default(), applied: None, found, board })
    }

    /// One stream, from its Hello to its end, which is an error.
    pub(crate) async fn session(&mut self) -> anyhow::Result<()> {
        let frozen = self.frozen.clone();
        let connector = tower::service_fn(move |to: http::Uri| {
            let frozen = frozen.clone();
            async move {
                let authority = to.authority().map(ToString::to_string).unwrap_or_default();
                let stream = TcpStream::connect(authority).await?;
                stream.set_nodelay(true)?;
                Ok::<_, std::io::Error>(TokioIo::new(Line { stream, frozen }))
            }
        });
        let channel = self.endpoint.connect_with_connector(connector).await?;
        let (say, sayings) = mpsc::channel(4);
        say.send(message(Saying::Hello(self.hello()))).await?;
        let mut said = SyncClient::new(channel).sync(ReceiverStream::new(sayings)).await?.into_inner();
        let mut arriving: Option<Arriving> = None;
        loop {
            match said.message().await?.context("the stream ended")?.message {
                Some(Said::SnapshotBegin(begin)) => arriving = Some(Arriving { begin, chunks: Vec::new() }),
                Some(Said::Chunk(chunk)) => {
                    arriving.as_mut().context("a chunk of nothing")?.chunks.push(chunk.data);
                }
                Some(Said::SnapshotEnd(end)) => {
                    let ack = self.take(arriving.take().context("the end of nothing")?, &end.sha256)?;
                    say.send(message(Saying::Ack(ack))).await?;
                }
                Some(Said::Heartbeat(heartbeat)) => {
                    let _lossy = say.try_send(message(Saying::Status(self.heard(&heartbeat))));
                }
                _ => {}
            }
        }
    }

    fn hello(&self) -> Hello {
        Hello {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: format!("boot-{}", self.number),
            schema: SCHEMA,
            hpke_public_key: self.key.clone(),
            applied: self.applied.as_ref().map(|(version, _)| version.clone()),
            capabilities: vec!["delta".to_owned()],
            ..Hello::default()
        }
    }

    /// What it does not have any more: its next stream is sent everything.
    pub(crate) fn forget(&mut self) {
        self.applied = None;
    }

    fn heard(&self, heartbeat: &Heartbeat) -> Status {
        self.board.confirmed(self.number, heartbeat.head_revision);
        let applied = self.applied.as_ref().map(|(version, _)| version.clone());
        Status { applied, persisted: true, snapshots_alive: 1, ..Status::default() }
    }

    /// Verifies a snapshot and notes that it is in force.
    fn take(&mut self, arriving: Arriving, announced: &[u8]) -> anyhow::Result<Ack> {
        let Arriving { begin, chunks } = arriving;
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        chunks.iter().for_each(|chunk| hash.update(chunk));
        anyhow::ensure!(hash.finish().as_ref() == announced, "other bytes than announced");
        let envelope = Envelope::decode(begin.envelope.clone())?;
        let holding = self.found.holding(&begin, &chunks, (announced, self.applied.as_ref()))?;
        anyhow::ensure!(holding.root()[..] == envelope.digest[..], "another root than announced");
        let Envelope { epoch, revision, digest, .. } = envelope;
        let version = Version { epoch, revision, digest };
        self.applied = Some((version.clone(), holding));
        self.board.applied(self.number, revision, begin.total_bytes);
        Ok(Ack { nonce: begin.nonce, applied: Some(version), apply_us: 1, persisted: true })
    }
}

impl Found {
    fn holding(
        &self,
        begin: &SnapshotBegin,
        chunks: &[Bytes],
        (announced, applied): (&[u8], Option<&(Version, Arc<Holding>)>),
    ) -> anyhow::Result<Arc<Holding>> {
        let at = (begin.base_digest.clone(), announced.to_vec());
        let mut found = self.0.lock();
        if let Some(known) = found.get(&at) {
            return Ok(known.clone());
        }
        let contents = SnapshotContents::decode(Bytes::from(chunks.concat()))?;
        let mut holding = match applied {
            Some((version, holding)) if version.digest == begin.base_digest => holding.as_ref().clone(),
            _ => {
                anyhow::ensure!(begin.base_digest.is_empty(), "changes of something else");
                Holding::of(Envelope::decode(begin.envelope.clone())?.scope.unwrap_or_default())
            }
        };
        for gone in &contents.removed {
            holding.take(&gone.kind, &gone.name);
        }
        for resource in contents.resources {
            anyhow::ensure!(proto::manifest::is_sealed(&resource), "a resource with another digest");
            holding.put(resource);
        }
        Ok(found.entry(at).or_insert(Arc::new(holding)).clone())
    }
}

/// Time between two attempts at most.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

fn message(saying: Saying) -> NodeMessage {
    NodeMessage { message: Some(saying) }
}

/// A key that secrets can be sealed to; nobody opens them.
fn public_key() -> anyhow::Result<Vec<u8>> {
    use rustls::crypto::hpke::Hpke as _;
    let suite = rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
    Ok(suite.generate_key_pair()?.0.0)
}

/// A connection that may freeze, as that of a machine that was paused.
struct Line {
    stream: TcpStream,
    frozen: Frozen,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.frozen.holds() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
