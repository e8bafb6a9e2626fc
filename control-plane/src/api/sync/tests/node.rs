//! A node as the sync port sees one, and a sync port for it, on a real socket with certificates on both sides.

use std::net::SocketAddr;

use policy_engine::vocabulary::Name;
use proto::sync::control_message::Message as Saying;
use proto::sync::node_message::Message as Said;
use proto::sync::sync_client::SyncClient;
use proto::sync::{
    Ack, AuditCheckpoint, Envelope, Hello, KillSet, NackCode, RevocationSet, SecretBundle, Secrets,
    SnapshotContents, Version,
};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};

use super::super::*;
use crate::actor::Actor;
use crate::ca::{Authority, Issued, LEAF_VALIDITY};
use crate::config::RolloutConfig;
use crate::manifest;
use crate::publish::tests::{Fixture, fixture};
use crate::publish::{Act, Mode, Staging};
use crate::rollout;
use prost::Message as _;
use proto::manifest::SCHEMA;
use proto::status::Refusal;
use proto::sync::Nack;

/// A sync port over a store of its own.
pub(super) struct Port {
    pub(super) fixture: Fixture,
    pub(super) nodes: NodeRegistry,
    pub(super) authority: Authority,
    pub(super) checkpoints: Checkpoints,
    address: SocketAddr,
    stop: CancellationToken,
}

/// A node that says what a test makes it say.
pub(super) struct FakeNode {
    say: mpsc::Sender<NodeMessage>,
    said: Streaming<ControlMessage>,
    private: HpkePrivateKey,
    spiffe_id: String,
    /// Every byte it was sent, decrypted.
    pub(super) wire: Vec<u8>,
}

/// A snapshot as it arrived.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) nonce: u64,
    pub(super) envelope: Envelope,
    pub(super) contents: SnapshotContents,
    /// What the contents change; empty: they are whole.
    pub(super) base: Vec<u8>,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum Arrived {
    Snapshot(Snapshot),
    Heartbeat { head: i64 },
    Secrets(SecretBundle),
    Revocations(RevocationSet),
    Kills(KillSet),
    Welcome,
    Audit(AuditCheckpoint),
}

impl Drop for Port {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes soon")
}

impl Port {
    pub(super) async fn open() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let fixture = fixture().await;
        let authority = Authority::open_or_create(&fixture.dir.path().join("ca")).unwrap();
        let (nodes, stop) = (NodeRegistry::default(), CancellationToken::new());
        let beat = Duration::from_millis(20);
        let publisher = fixture.publisher.clone();
        let sealer = publisher.vault().sealer();
        let signers = Signers::open(publisher.store(), sealer, (&authority, 1)).await.unwrap();
        let policy = (publisher.clone(), signers);
        let checkpoints = Checkpoints::open(publisher.store(), sealer, 1).await.unwrap();
        let service =
            SyncService::new(policy, nodes.clone(), beat, stop.clone()).witnessed(checkpoints.clone());
        let own = authority.issue_server(&["127.0.0.1".to_owned()], LEAF_VALIDITY).unwrap();
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&own.certificate_pem, own.key_pem.as_bytes()))
            .client_ca_root(Certificate::from_pem(authority.certificate_pem()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().tls_config(tls).unwrap().add_service(service.served());
        let config = RolloutConfig { stages: vec![0, 100], ..RolloutConfig::default() };
        let conducted = rollout::run(fixture.publisher.clone(), nodes.clone(), config, stop.clone());
        tokio::spawn(conducted);
        let stopping = stop.clone().cancelled_owned();
        tokio::spawn(server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopping));
        Self { fixture, nodes, authority, checkpoints, address, stop }
    }

    /// Publishes files; gives the revision.
    pub(super) async fn publish(&self, text: &str) -> i64 {
        self.tried(text).await.unwrap()
    }

    /// Publishes files by stages, the canary first; gives the rollout, or why there is none.
    pub(super) async fn staged(&self, text: &str) -> Result<String, Refusal> {
        let file = proto::admin::SourceFile { path: "f.yaml".into(), text: text.into() };
        let config = RolloutConfig { stages: vec![0, 100], ..RolloutConfig::default() };
        let observed = rollout::observed(&self.fixture.publisher, &self.nodes, None).await.unwrap();
        let staging = Some(Staging { stages: rollout::plan(&observed, &config), manual: false });
        let declared = manifest::Declared { files: vec![file], staging, ..Default::default() };
        let act = (Act::of_system("test"), Mode::Commit);
        let actor = Actor::Platform("test".into());
        let answer = manifest::apply(&self.fixture.publisher, &actor, act, declared).await?;
        assert!(answer.faults.is_empty(), "{:?}", answer.faults);
        Ok(answer.rollout)
    }

    /// Publishes files; gives the revision, or why there is none.
    pub(super) async fn tried(&self, text: &str) -> Result<i64, Refusal> {
        Ok(self.applied(text).await?.revision)
    }

    /// Publishes files; gives the whole answer.
    pub(super) async fn applied(&self, text: &str) -> Result<proto::admin::ApplyResponse, Refusal> {
        let file = proto::admin::SourceFile { path: "f.yaml".into(), text: text.into() };
        let act = (Act::of_system("test"), Mode::Commit);
        let actor = Actor::Platform("test".into());
        let answer = manifest::apply(&self.fixture.publisher, &actor, act, vec![file]).await?;
        assert!(answer.faults.is_empty(), "{:?}", answer.faults);
        Ok(answer)
    }

    pub(super) fn certificate(&self, geo: &str, name: &str) -> Issued {
        let (geo, name) = (Name::new(geo).unwrap(), Name::new(name).unwrap());
        self.authority.issue_node(&geo, &name, LEAF_VALIDITY).unwrap()
    }

    /// A client's certificate of the same authority that names no node.
    pub(super) fn certificate_without_id(&self) -> Issued {
        let whole = std::fs::read_to_string(self.fixture.dir.path().join("ca/authority.pem")).unwrap();
        let (certificate, key) = whole.split_at(whole.find("-----BEGIN PRIVATE").unwrap());
        let key = rcgen::KeyPair::from_pem(key).unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_pem(certificate, key).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["eu-1.node.chancery".to_owned()]).unwrap();
        let certificate_pem = params.signed_by(&key, &issuer).unwrap().pem();
        Issued { certificate_pem, key_pem: key.serialize_pem().into() }
    }

    /// A node that begins by saying so.
    pub(super) async fn node(&self, geo: &str, name: &str, hello: Hello) -> FakeNode {
        let issued = self.certificate(geo, name);
        let (public, private) = SUITE.generate_key_pair().unwrap();
        let schema = if hello.schema == 0 { SCHEMA } else { hello.schema };
        let hello = Hello { hpke_public_key: public.0, schema, ..hello };
        let spiffe_id = format!("spiffe://chancery/geo/{geo}/node/{name}");
        let (say, said) = self.stream(Some(&issued), Said::Hello(hello)).await.unwrap();
        FakeNode { say, said, private, spiffe_id, wire: Vec::new() }
    }

    /// A stream with a certificate, or none, that begins with a message.
    pub(super) async fn stream(
        &self,
        issued: Option<&Issued>,
        first: Said,
    ) -> Result<(mpsc::Sender<NodeMessage>, Streaming<ControlMessage>), String> {
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.authority.certificate_pem()));
        if let Some(issued) = issued {
            tls = tls.identity(Identity::from_pem(&issued.certificate_pem, issued.key_pem.as_bytes()));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await.map_err(|e| format!("{e:?}"))?;
        let (say, sayings) = mpsc::channel(16);
        say.send(NodeMessage { message: Some(first) }).await.unwrap();
        let answer = soon(SyncClient::new(channel).sync(ReceiverStream::new(sayings))).await;
        Ok((say, answer.map_err(|status| format!("{status:?}"))?.into_inner()))
    }
}

impl FakeNode {
    pub(super) async fn say(&self, said: Said) {
        self.say.send(NodeMessage { message: Some(said) }).await.unwrap();
    }

    /// Acknowledges a snapshot.
    pub(super) async fn ack(&self, snapshot: &Snapshot) {
        let envelope = &snapshot.envelope;
        let (epoch, revision, digest) = (envelope.epoch, envelope.revision, envelope.digest.clone());
        let applied = Some(Version { epoch, revision, digest });
        self.say(Said::Ack(Ack { nonce: snapshot.nonce, applied, apply_us: 1, persisted: true })).await;
    }

    /// Refuses a snapshot.
    pub(super) async fn nack(&self, snapshot: &Snapshot, detail: &str) {
        self.nacks(snapshot, NackCode::Validation, detail).await;
    }

    pub(super) async fn nacks(&self, snapshot: &Snapshot, code: NackCode, detail: &str) {
        let nack = Nack {
            nonce: snapshot.nonce,
            revision: snapshot.envelope.revision,
            code: code.into(),
            resource: "Model platform/m".into(),
            detail: detail.into(),
            running: None,
        };
        self.say(Said::Nack(nack)).await;
    }

    async fn next(&mut self) -> Saying {
        let message = soon(self.said.message()).await.unwrap().expect("the stream goes on");
        self.wire.extend(message.encode_to_vec());
        message.message.unwrap()
    }

    /// The next thing that arrives.
    pub(super) async fn arrived(&mut self) -> Arrived {
        match self.next().await {
            Saying::Welcome(_) => Arrived::Welcome,
            Saying::AuditCheckpoint(shown) => Arrived::Audit(shown),
            Saying::Heartbeat(heartbeat) => Arrived::Heartbeat { head: heartbeat.head_revision },
            Saying::Secrets(sealed) => Arrived::Secrets(self.open(&sealed)),
            Saying::SnapshotBegin(begin) => {
                let mut contents = Vec::new();
                loop {
                    match self.next().await {
                        Saying::Chunk(chunk) => contents.extend(chunk.data),
                        Saying::SnapshotEnd(_) => break,
                        other => panic!("{other:?} within a snapshot"),
                    }
                }
                assert_eq!(contents.len() as u64, begin.total_bytes);
                self.wire.extend(&contents);
                signed(
                    b"chancery/snapshot/v2\n",
                    &begin.envelope,
                    (&begin.signature, &begin.signer_certificate),
                );
                Arrived::Snapshot(Snapshot {
                    nonce: begin.nonce,
                    base: begin.base_digest,
                    envelope: Envelope::decode(begin.envelope).unwrap(),
                    contents: SnapshotContents::decode(contents.as_slice()).unwrap(),
                })
            }
            Saying::Revocations(said) => {
                signed(b"chancery/revocations/v1\n", &said.body, (&said.signature, &said.signer_certificate));
                Arrived::Revocations(RevocationSet::decode(said.body).unwrap())
            }
            Saying::Kills(said) => {
                signed(b"chancery/kills/v1\n", &said.body, (&said.signature, &said.signer_certificate));
                Arrived::Kills(KillSet::decode(said.body).unwrap())
            }
            other => panic!("{other:?} outside of a snapshot"),
        }
    }

    /// The next snapshot.
    pub(super) async fn snapshot(&mut self) -> Snapshot {
        loop {
            if let Arrived::Snapshot(snapshot) = self.arrived().await {
                return snapshot;
            }
        }
    }

    /// Waits until the head is confirmed; no snapshot may come before it is.
    pub(super) async fn confirmed(&mut self, revision: i64) {
        loop {
            match self.arrived().await {
                Arrived::Heartbeat { head } if head == revision => return,
                Arrived::Snapshot(snapshot) => panic!("revision {}", snapshot.envelope.revision),
                _ => {}
            }
        }
    }

    fn open(&mut self, sealed: &Secrets) -> SecretBundle {
        let encapsulated = EncapsulatedSecret(sealed.encapsulated_key.clone());
        let (info, id) = (b"chancery/secrets/v1", self.spiffe_id.as_bytes());
        let opened = SUITE.open(&encapsulated, info, id, &sealed.ciphertext, &self.private).unwrap();
        self.wire.extend(&opened);
        SecretBundle::decode(opened.as_slice()).unwrap()
    }

    /// Whether a text is anywhere in what it was sent.
    pub(super) fn was_sent(&self, text: &str) -> bool {
        self.wire.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Holds a signature against its certificate, as a node does.
fn signed(words: &[u8], body: &[u8], (signature, certificate): (&[u8], &[u8])) {
    let der = rustls_pki_types::CertificateDer::from(certificate);
    let signer = webpki::EndEntityCert::try_from(&der).unwrap();
    let message = [words, body].concat();
    signer.verify_signature(webpki::aws_lc_rs::ED25519, &message, signature).unwrap();
}

/// A key nobody can seal to.
pub(super) fn no_key() -> Hello {
    Hello { hpke_public_key: HpkePublicKey(vec![1; 5]).0, ..Hello::default() }
}
