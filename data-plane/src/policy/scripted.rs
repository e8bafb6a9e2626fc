//! A control plane that does as a test says, on a real socket with certificates on both sides.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use proto::sync::control_message::Message as Saying;
use proto::sync::node_message::Message as Said;
use proto::sync::sync_server::{Sync, SyncServer};
use proto::sync::{
    AuditCheckpoint, Chunk, ControlMessage, Heartbeat, Hello, Nack, NodeMessage, Secrets, SnapshotBegin,
    SnapshotEnd, Status, Version, Welcome, Witnessed,
};
use rcgen::SanType;
use rcgen::string::Ia5String;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Streaming};

use super::sample::{AUTHORITY, SPIFFE_ID, Sample};
use super::verify::Offer;

/// What a test waits for comes long before this.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes soon")
}

/// A control plane; it ends when it is dropped.
pub(crate) struct ControlPlane {
    sessions: mpsc::Receiver<Session>,
    url: String,
    home: tempfile::TempDir,
    serving: tokio::task::JoinHandle<()>,
}

/// One node's stream.
pub(crate) struct Session {
    pub(crate) hello: Hello,
    said: Streaming<NodeMessage>,
    say: mpsc::Sender<Result<ControlMessage, tonic::Status>>,
    nonce: u64,
}

struct Door(mpsc::Sender<Session>);

#[tonic::async_trait]
impl Sync for Door {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<ControlMessage, tonic::Status>> + Send>>;

    async fn sync(
        &self,
        request: Request<Streaming<NodeMessage>>,
    ) -> Result<Response<Self::SyncStream>, tonic::Status> {
        assert!(request.peer_certs().is_some_and(|certificates| !certificates.is_empty()));
        let mut said = request.into_inner();
        let (say, sayings) = mpsc::channel(16);
        let sessions = self.0.clone();
        tokio::spawn(async move {
            let Ok(Some(NodeMessage { message: Some(Said::Hello(hello)) })) = said.message().await else {
                panic!("a stream begins with a Hello")
            };
            let _ = sessions.send(Session { hello, said, say, nonce: 0 }).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(sayings))))
    }
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let home = tempfile::tempdir().unwrap();
        let identity = certificates(home.path());
        let tls = ServerTlsConfig::new()
            .identity(identity)
            .client_ca_root(Certificate::from_pem(std::fs::read(home.path().join("ca.pem")).unwrap()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (tell, sessions) = mpsc::channel(16);
        let server = Server::builder().tls_config(tls).unwrap().add_service(SyncServer::new(Door(tell)));
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self { sessions, url, home, serving }
    }

    /// Where the node keeps what it keeps.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the node is told.
    pub(crate) fn config(&self) -> crate::config::Control {
        let file = |name: &str| self.home.path().join(name);
        crate::config::Control {
            url: self.url.clone(),
            ca: Some(file("ca.pem")),
            certificate: Some(file("node.pem")),
            key: Some(file("node.pem.key")),
            ..crate::config::Control::default()
        }
    }

    /// The way a node of it goes.
    pub(crate) fn way(&self) -> crate::tls::Way {
        let file = |name: &str| self.home.path().join(name);
        let files = crate::tls::Files {
            ca: file("ca.pem"),
            certificate: file("node.pem"),
            key: file("node.pem.key"),
        };
        crate::tls::Way::open(&self.url, files, std::sync::Arc::default()).unwrap()
    }

    /// Goes away, with every stream it has.
    pub(crate) async fn end(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// The next stream a node opens.
    pub(crate) async fn session(&mut self) -> Session {
        self.sessions.recv().await.unwrap()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Session {
    pub(crate) async fn say(&self, saying: Saying) {
        soon(self.say.send(Ok(ControlMessage { message: Some(saying) }))).await.unwrap();
    }

    pub(crate) async fn welcome(&self, heartbeat_interval_ms: u32) {
        self.say(Saying::Welcome(Welcome { heartbeat_interval_ms, ..Welcome::default() })).await;
    }

    pub(crate) async fn heartbeat(&self, head_revision: i64) {
        self.say(Saying::Heartbeat(Heartbeat { head_revision, ..Heartbeat::default() })).await;
    }

    pub(crate) async fn secrets(&self, secrets: Secrets) {
        self.say(Saying::Secrets(secrets)).await;
    }

    /// Sends a snapshot in small chunks and gives the node's answer to it.
    pub(crate) async fn offer(&mut self, sample: &Sample) -> Result<Version, Nack> {
        self.offers(sample.offer()).await
    }

    /// The same of what may not be right.
    pub(crate) async fn offers(&mut self, offer: Offer) -> Result<Version, Nack> {
        self.put(offer).await;
        self.answer().await
    }

    /// Sends it, and no more.
    pub(crate) async fn put(&mut self, offer: Offer) {
        self.nonce += 1;
        let (nonce, contents) = (self.nonce, offer.contents);
        let chunks: Vec<&[u8]> = contents.chunks(1000).collect();
        let begin = SnapshotBegin {
            nonce,
            envelope: offer.envelope,
            total_bytes: contents.len() as u64,
            chunk_count: u32::try_from(chunks.len()).unwrap(),
            signature: offer.signature.to_vec(),
            signer_certificate: offer.signer,
            base_digest: offer.base.to_vec(),
        };
        self.say(Saying::SnapshotBegin(begin)).await;
        for (index, data) in (0..).zip(chunks) {
            self.say(Saying::Chunk(Chunk { index, data: data.to_vec().into() })).await;
        }
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &contents).as_ref().to_vec();
        self.say(Saying::SnapshotEnd(SnapshotEnd { sha256 })).await;
    }

    /// The node's answer to what was sent last.
    pub(crate) async fn answer(&mut self) -> Result<Version, Nack> {
        let nonce = self.nonce;
        loop {
            match self.next().await {
                Said::Ack(ack) => {
                    assert_eq!((ack.nonce, ack.persisted), (nonce, true));
                    return Ok(ack.applied.unwrap());
                }
                Said::Nack(nack) => {
                    assert_eq!(nack.nonce, nonce);
                    return Err(nack);
                }
                _ => {}
            }
        }
    }

    /// Shows a checkpoint of the audit log; gives the node's answer.
    pub(crate) async fn shows(&mut self, shown: AuditCheckpoint) -> Witnessed {
        self.say(Saying::AuditCheckpoint(shown)).await;
        loop {
            if let Said::Witnessed(witnessed) = self.next().await {
                return witnessed;
            }
        }
    }

    /// The node's answer to a heartbeat.
    pub(crate) async fn status(&mut self) -> Status {
        loop {
            if let Said::Status(status) = self.next().await {
                return status;
            }
        }
    }

    async fn next(&mut self) -> Said {
        soon(self.said.message()).await.unwrap().unwrap().message.unwrap()
    }
}

/// Writes the authority's and the node's certificates; gives the server's.
fn certificates(home: &Path) -> Identity {
    std::fs::write(home.join("ca.pem"), &AUTHORITY.pem).unwrap();
    let (node, key) = AUTHORITY.issue(SanType::URI(Ia5String::try_from(SPIFFE_ID).unwrap()));
    std::fs::write(home.join("node.pem"), node).unwrap();
    std::fs::write(home.join("node.pem.key"), key).unwrap();
    let (server, key) = AUTHORITY.issue(SanType::IpAddress("127.0.0.1".parse().unwrap()));
    Identity::from_pem(server, key)
}
