//! A control plane that can be started again at its own addresses, machines that speak to its sync port, and an authority of
//! somebody else's.

use std::path::{Path, PathBuf};

use control_plane::config::Config;
use control_plane::serve::ControlPlane;
use data_plane::config as data;
use data_plane::serve::DataPlane;
use integration_tests::sandbox::{QUICKSTART, control_config};
use proto::admin::audit_service_client::AuditServiceClient;
use proto::admin::enrolment_tokens_service_client::EnrolmentTokensServiceClient;
use proto::admin::keys_service_client::KeysServiceClient;
use proto::admin::nodes_service_client::NodesServiceClient;
use proto::admin::policy_service_client::PolicyServiceClient;
use proto::admin::{
    ApplyRequest, AuditEvent, CreateKeyRequest, EnrolNodeRequest, EnrolmentToken, GetNodeRequest, Key,
    KeySpec, ListAuditEventsRequest, ListEnrolmentTokensRequest, Node, RevokeNodeRequest, SourceFile,
    WithdrawEnrolmentTokenRequest,
};
use proto::manifest::SCHEMA;
use proto::sync::enrolment_client::EnrolmentClient;
use proto::sync::node_message::Message as Said;
use proto::sync::sync_client::SyncClient;
use proto::sync::{ControlMessage, EnrolRequest, EnrolResponse, Hello, NodeMessage, RenewRequest};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status, Streaming};

/// A control plane with the quickstart's policy.
pub(super) struct House {
    control: Option<ControlPlane>,
    config: Config,
    token: String,
    home: TempDir,
}

/// A machine that speaks to the sync port by itself.
pub(super) struct Machine {
    key: KeyPair,
    claims: Option<String>,
    pub(super) certificate: Option<Vec<u8>>,
}

impl House {
    pub(super) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut config = control_config(&home.path().join("control"));
        change(&mut config);
        let control = ControlPlane::start(&config).await.unwrap();
        // From now on at the same addresses.
        let at = control.addresses();
        (config.listen.admin, config.listen.sync, config.listen.ops) = (at.admin, at.sync, at.ops);
        let token = std::fs::read_to_string(config.own_dir().join("admin.token")).unwrap();
        let house = Self { control: Some(control), config, token, home };
        let files = vec![SourceFile { path: "quickstart.yaml".into(), text: QUICKSTART.into() }];
        let request = house.authorised(ApplyRequest { files, ..Default::default() });
        PolicyServiceClient::new(house.admin().await).apply(request).await.unwrap();
        house
    }

    pub(super) async fn stop(&mut self) {
        self.control.take().unwrap().shutdown().await;
    }

    pub(super) async fn again(&mut self) {
        self.control = Some(ControlPlane::start(&self.config).await.unwrap());
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.config.listen.sync.port())
    }

    pub(super) fn revision(&self) -> i64 {
        self.control.as_ref().unwrap().publisher().current().head.revision
    }

    /// The built-in authority's certificate.
    pub(super) fn authority(&self) -> String {
        std::fs::read_to_string(self.config.own_dir().join("ca/ca.pem")).unwrap()
    }

    async fn admin(&self) -> Channel {
        let url = format!("http://{}", self.config.listen.admin);
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token.trim()).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request
    }

    pub(super) async fn token(&self, geo: &str, node: &str, valid: &str) -> String {
        self.try_token(geo, node, valid).await.unwrap()
    }

    pub(super) async fn try_token(&self, geo: &str, node: &str, valid: &str) -> Result<String, Status> {
        let asked =
            EnrolNodeRequest { geo: geo.into(), node: node.into(), valid: valid.into(), new_geo: false };
        let mut nodes = NodesServiceClient::new(self.admin().await);
        Ok(nodes.enrol_node(self.authorised(asked)).await?.into_inner().token)
    }

    pub(super) async fn revoke(&self, name: &str) {
        let asked = self.authorised(RevokeNodeRequest { name: name.into() });
        NodesServiceClient::new(self.admin().await).revoke_node(asked).await.unwrap();
    }

    pub(super) async fn tokens(&self) -> Vec<EnrolmentToken> {
        let asked = self.authorised(ListEnrolmentTokensRequest::default());
        let mut tokens = EnrolmentTokensServiceClient::new(self.admin().await);
        tokens.list_enrolment_tokens(asked).await.unwrap().into_inner().enrolment_tokens
    }

    /// Takes a token back, by what is its id.
    pub(super) async fn withdraw(&self, token: &str) -> Result<EnrolmentToken, Status> {
        let name = format!("enrolmentTokens/{}", token.split('_').nth(1).unwrap());
        let asked = self.authorised(WithdrawEnrolmentTokenRequest { name });
        let mut tokens = EnrolmentTokensServiceClient::new(self.admin().await);
        Ok(tokens.withdraw_enrolment_token(asked).await?.into_inner())
    }

    pub(super) async fn node(&self, name: &str) -> Node {
        let asked = self.authorised(GetNodeRequest { name: name.into() });
        NodesServiceClient::new(self.admin().await).get_node(asked).await.unwrap().into_inner()
    }

    /// A key of somebody who may chat.
    pub(super) async fn key(&self) -> String {
        let (principal, team) = ("ada@example.org".to_owned(), "research".to_owned());
        let key = Key { spec: Some(KeySpec { principal, team, ..KeySpec::default() }), ..Key::default() };
        let asked = CreateKeyRequest { parent: "tenants/acme".into(), key: Some(key) };
        let mut keys = KeysServiceClient::new(self.admin().await);
        keys.create_key(self.authorised(asked)).await.unwrap().into_inner().secret
    }

    /// A connection of who has no certificate.
    pub(super) async fn stranger(&self) -> EnrolmentClient<Channel> {
        EnrolmentClient::new(self.connected(None, &self.authority()).await.unwrap())
    }

    pub(super) async fn enrol(&self, token: &str, machine: &Machine) -> Result<EnrolResponse, Status> {
        let asked = EnrolRequest { token: token.into(), certificate_request: machine.request() };
        Ok(self.stranger().await.enrol(asked).await?.into_inner())
    }

    pub(super) async fn renew(&self, machine: &Machine) -> Result<EnrolResponse, Status> {
        let asked = RenewRequest { certificate_request: machine.request() };
        let channel = self.connected(Some(machine), &self.authority()).await?;
        Ok(EnrolmentClient::new(channel).renew(asked).await?.into_inner())
    }

    /// A machine's stream of policy.
    pub(super) async fn follow(&self, machine: &Machine) -> Result<Streaming<ControlMessage>, Status> {
        self.follow_trusting(machine, &self.authority()).await
    }

    pub(super) async fn follow_trusting(
        &self,
        machine: &Machine,
        authority: &str,
    ) -> Result<Streaming<ControlMessage>, Status> {
        let channel = self.connected(Some(machine), authority).await?;
        let hello = Hello { hpke_public_key: vec![9; 32], schema: SCHEMA, ..Hello::default() };
        let first = NodeMessage { message: Some(Said::Hello(hello)) };
        // The stream stays open on this side for as long as the answer is read.
        let said = futures_util::StreamExt::chain(tokio_stream::once(first), tokio_stream::pending());
        Ok(SyncClient::new(channel).sync(said).await?.into_inner())
    }

    async fn connected(&self, machine: Option<&Machine>, authority: &str) -> Result<Channel, Status> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        if let Some((machine, certificate)) = machine.and_then(|m| Some((m, m.certificate.as_ref()?))) {
            tls = tls.identity(Identity::from_pem(pem(certificate), machine.key.serialize_pem()));
        }
        let endpoint = Endpoint::from_shared(self.url()).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.map_err(|error| Status::unavailable(format!("{error:?}")))
    }
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { key: KeyPair::generate().unwrap(), claims: None, certificate: None }
    }

    /// A machine that says who it is where nobody asks.
    pub(super) fn claiming(id: &str) -> Self {
        Self { claims: Some(id.to_owned()), ..Self::new() }
    }

    /// Whoever has got hold of a node's file.
    pub(super) fn of(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let key = text.split_at(text.find("-----BEGIN PRIVATE").unwrap()).1;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec();
        Self { key: KeyPair::from_pem(key).unwrap(), claims: None, certificate: Some(certificate) }
    }

    pub(super) fn of_files(control: &data::Control) -> Self {
        let certificate = CertificateDer::from_pem_file(control.certificate.as_ref().unwrap()).unwrap();
        let key = std::fs::read_to_string(control.key.as_ref().unwrap()).unwrap();
        Self { key: KeyPair::from_pem(&key).unwrap(), claims: None, certificate: Some(certificate.to_vec()) }
    }

    fn request(&self) -> Vec<u8> {
        let mut params = CertificateParams::default();
        if let Some(id) = &self.claims {
            params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id.as_str()).unwrap())];
        }
        params.serialize_request(&self.key).unwrap().der().to_vec()
    }
}

/// What the log of acts says, newest first.
pub(super) async fn events(house: &House) -> Vec<AuditEvent> {
    let asked = house.authorised(ListAuditEventsRequest::default());
    let mut audit = AuditServiceClient::new(house.admin().await);
    audit.list_audit_events(asked).await.unwrap().into_inner().audit_events
}

/// A node on free ports that keeps everything in `home`, and begins by a token.
pub(super) fn data_config(home: &Path, url: &str, token: &str) -> data::Config {
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    data::Config {
        decisions: data::Decisions::default(),
        listen: data::Listen { inference: free, ops: free, ..data::Listen::default() },
        control: data::Control {
            url: url.to_owned(),
            enrolment_token: Some(token.to_owned().into()),
            ..data::Control::default()
        },
        state: data::State { dir: home.to_owned(), ..data::State::default() },
        policy: data::Policy::default(),
        upstream: data::Upstream { allow_loopback: true, ..data::Upstream::default() },
        fetch: Default::default(),
        secrets: data::Secrets::default(),
        bounds: data::Bounds::default(),
        drain: data::Drain::default(),
        telemetry: data::Telemetry::default(),
    }
}

/// A number that a node tells operators.
pub(super) async fn metric(plane: &DataPlane, name: &str) -> Option<f64> {
    let url = format!("http://{}/metrics", plane.ops_address());
    let text = integration_tests::door::get(&url).await.ok()?.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// What a node says of its readiness.
pub(super) async fn ready(plane: &DataPlane) -> (u16, String) {
    let answer =
        integration_tests::door::get(&format!("http://{}/readyz", plane.ops_address())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// When the certificate ends that a node shows, in seconds since the Unix epoch.
pub(super) async fn end_of(plane: &DataPlane) -> Option<f64> {
    metric(plane, "chancery_certificate_not_after_timestamp_seconds{certificate=\"node\"}").await
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Whether a text is in a certificate.
pub(super) fn says(der: &[u8], text: &str) -> bool {
    der.windows(text.len()).any(|window| window == text.as_bytes())
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// An authority that is not the built-in one.
pub(super) struct Foreign {
    authority: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    home: TempDir,
}

/// What a foreign authority gives a control plane.
pub(super) struct ServerFiles {
    pub(super) ca: PathBuf,
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}

impl Foreign {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "somebody else's authority");
        let authority = params.self_signed(&key).unwrap();
        Self { authority, issuer: Issuer::new(params, key), home: tempfile::tempdir().unwrap() }
    }

    pub(super) fn pem(&self) -> String {
        self.authority.pem()
    }

    fn issued(&self, name: SanType) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        // Each later than the one before, as certificates that follow each other are.
        let life = std::time::Duration::from_secs(3600) + std::time::Duration::from_secs_f64(now());
        (params.not_before, params.not_after) = (
            rcgen::date_time_ymd(1970, 1, 1) + life - std::time::Duration::from_secs(7200),
            rcgen::date_time_ymd(1970, 1, 1) + life + std::time::Duration::from_secs(self.count()),
        );
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// How many certificates it has issued, times a minute.
    fn count(&self) -> u64 {
        let path = self.home.path().join("count");
        let before: u64 = std::fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        std::fs::write(&path, (before + 60).to_string()).unwrap();
        before
    }

    pub(super) fn write_server(&self) -> ServerFiles {
        let (certificate, key) = self.issued(SanType::IpAddress([127, 0, 0, 1].into()));
        let file = |name: &str, text: &str| {
            let path = self.home.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        ServerFiles {
            ca: file("ca.pem", &self.pem()),
            chain: file("server.pem", &format!("{certificate}{}", self.pem())),
            key: file("server.key", &key),
        }
    }

    /// A node with a certificate of this authority in its directory, which trusts both.
    pub(super) fn node(&self, house: &House, home: &Path, id: &str) -> data::Config {
        let (certificate, key) = self.issued(SanType::URI(Ia5String::try_from(id).unwrap()));
        let tls = home.join("tls");
        std::fs::create_dir_all(&tls).unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(tls.join(name), text).unwrap();
            Some(tls.join(name))
        };
        let mut config = data_config(home, &house.url(), "");
        config.control.ca = file("ca.pem", &format!("{}{}", self.pem(), house.authority()));
        config.control.certificate = file("node.pem", &certificate);
        config.control.key = file("node.key", &key);
        config
    }
}
