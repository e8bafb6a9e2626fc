//! The whole house in one process: a control plane, a data plane in `eu` and one in `us`, and counters they share.
//!
//! Law: the planes are wired as in production: mutual TLS between them, policy by `apply` and by nothing else. Deliberately
//! absent: other processes (`household`), and asking models (`door`).

mod planes;
mod records;

use std::{
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use control_plane::serve::ControlPlane;
use data_plane::{config as data, quota::Ledger, serve::DataPlane};
use proto::admin::{
    ApplyRequest, ApplyResponse, CreateKeyRequest, Fault, Key, KeySpec, ListNodesRequest, SourceFile,
    keys_service_client::KeysServiceClient, nodes_service_client::NodesServiceClient,
    policy_service_client::PolicyServiceClient,
};
use tempfile::TempDir;
use tonic::{Request, metadata::AsciiMetadataValue, transport::Channel};

use crate::wait::until;

pub use planes::{Geo, control_config};
pub use records::read as read_records;

/// The policy that `cargo run` seeds.
pub const QUICKSTART: &str = include_str!("../../deploy/examples/quickstart.yaml");

/// A running house.
pub struct Sandbox {
    /// The control plane; taken out when a story ends it.
    pub control: Option<ControlPlane>,
    planes: Vec<DataPlane>,
    ledger: Ledger,
    admin: SocketAddr,
    token: String,
    asked: [AtomicUsize; 2],
    // The last field: what is in it is used until all of the above is gone.
    home: TempDir,
}

impl Sandbox {
    /// A house with the quickstart's policy.
    pub async fn quickstart() -> Result<Self> {
        Self::start(QUICKSTART, |_| ()).await
    }

    /// A house with a policy, and data planes whose configuration is changed so.
    pub async fn start(policy: &str, change: impl Fn(&mut data::Config)) -> Result<Self> {
        Self::of(policy, |_| (), change).await
    }

    /// A house with a policy, and planes whose configurations are changed so.
    pub async fn of(
        policy: &str,
        control: impl FnOnce(&mut control_plane::config::Config),
        change: impl Fn(&mut data::Config),
    ) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let mut config = control_config(&home.path().join("control"));
        control(&mut config);
        let control = ControlPlane::start(&config).await?;
        let token = std::fs::read_to_string(config.own_dir().join("admin.token"))?.trim().to_owned();
        let ledger = Ledger::memory();
        let mut planes = Vec::with_capacity(Geo::ALL.len());
        for geo in Geo::ALL {
            let mut config = planes::data_config(&home.path().join(geo.name()), geo, &control)?;
            change(&mut config);
            planes.push(DataPlane::start(config, Some(ledger.clone())).await?);
        }
        let admin = control.addresses().admin;
        let control = Some(control);
        let house = Self { control, planes, ledger, admin, token, asked: Default::default(), home };
        house.apply(policy).await?;
        Ok(house)
    }

    /// Applies a file, which must be without fault, and waits until both planes enforce it; gives the revision in force.
    pub async fn apply(&self, text: &str) -> Result<i64> {
        let answer = self.try_apply(text).await?;
        ensure!(answer.faults.is_empty(), "the file has faults: {}", told(&answer.faults));
        if answer.revision > 0 {
            self.enforced(answer.revision).await?;
        }
        Ok(answer.revision)
    }

    /// Applies a file and gives what the control plane says to it, faults included.
    pub async fn try_apply(&self, text: &str) -> Result<ApplyResponse> {
        let files = vec![SourceFile { path: "story.yaml".to_owned(), text: text.to_owned() }];
        let request = self.authorised(ApplyRequest { files, ..Default::default() })?;
        let mut client = PolicyServiceClient::new(self.admin_channel().await?);
        Ok(client.apply(request).await?.into_inner())
    }

    /// Waits until both planes enforce a revision: what changes nothing in a geo is enforced there as it is.
    pub async fn enforced(&self, revision: i64) -> Result<()> {
        let mut nodes = NodesServiceClient::new(self.admin_channel().await?);
        until("the revision in force", async || {
            let request = self.authorised(ListNodesRequest::default()).ok()?;
            let known = nodes.list_nodes(request).await.ok()?.into_inner().nodes;
            let there = known.iter().filter(|node| node.confirmed_revision >= revision).count();
            (there >= self.planes.len()).then_some(())
        })
        .await
    }

    /// An API key of a principal of `acme` in a team, known to both planes.
    pub async fn key(&self, principal: &str, team: &str) -> Result<String> {
        let spec = KeySpec { principal: principal.to_owned(), team: team.to_owned(), ..KeySpec::default() };
        Ok(self.key_of(spec).await?.1)
    }

    /// A key of `acme` as specified, and its secret, known to both planes.
    pub async fn key_of(&self, spec: KeySpec) -> Result<(Key, String)> {
        let spec = KeySpec { tenant: "acme".to_owned(), ..spec };
        let key = Some(Key { spec: Some(spec), ..Key::default() });
        let request = self.authorised(CreateKeyRequest { parent: "tenants/acme".to_owned(), key })?;
        let mut client = KeysServiceClient::new(self.admin_channel().await?);
        let made = client.create_key(request).await?.into_inner();
        let key = made.key.context("a key was made and not told")?;
        self.enforced(key.revision).await?;
        Ok((key, made.secret))
    }

    /// A request with the platform's own token.
    pub fn authorised<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        let bearer: AsciiMetadataValue = format!("Bearer {}", self.token).parse()?;
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }

    /// The platform's own admin token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A connection to the admin API.
    pub async fn admin_channel(&self) -> Result<Channel> {
        Ok(Channel::from_shared(self.admin_url())?.connect().await?)
    }

    /// Where the admin API is, REST and gRPC.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The base URL an OpenAI SDK is given.
    pub fn openai_url(&self, geo: Geo) -> Result<String> {
        Ok(format!("{}/v1", self.inference_url(geo)?))
    }

    /// Where a data plane takes requests, REST and gRPC.
    pub fn inference_url(&self, geo: Geo) -> Result<String> {
        Ok(format!("http://{}", self.plane(geo)?.inference_address()))
    }

    /// A data plane.
    pub fn plane(&self, geo: Geo) -> Result<&DataPlane> {
        self.planes.get(geo.index()).context("the plane was ended")
    }

    /// Takes the planes out, to end them; nothing can be asked after that.
    pub fn take_planes(&mut self) -> Vec<DataPlane> {
        std::mem::take(&mut self.planes)
    }

    /// Everything a data plane tells an operator.
    pub async fn metrics(&self, geo: Geo) -> Result<String> {
        let url = format!("http://{}/metrics", self.plane(geo)?.ops_address());
        Ok(crate::door::get(&url).await?.error_for_status()?.text().await?)
    }

    /// Everything the control plane tells an operator.
    pub async fn control_metrics(&self) -> Result<String> {
        let control = self.control.as_ref().context("the control plane was ended")?;
        let url = format!("http://{}/metrics", control.addresses().ops);
        Ok(crate::door::get(&url).await?.error_for_status()?.text().await?)
    }

    /// Says that a request was sent to a plane, so that its record is waited for.
    pub fn count(&self, geo: Geo) {
        if let Some(asked) = self.asked.get(geo.index()) {
            asked.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The records of a plane, oldest first, once every request that was counted has one and nothing is held for any.
    /// Errors when one is missing, or there is one too many.
    pub async fn records(&self, geo: Geo) -> Result<Vec<serde_json::Value>> {
        let asked = self.asked.get(geo.index()).map_or(0, |asked| asked.load(Ordering::SeqCst));
        let outbox = self.home.path().join(geo.name()).join("outbox");
        let what = format!("{asked} records of {}, and an empty ledger", geo.name());
        let records = until(&what, async || {
            let mut records = read_records(&outbox).ok()?;
            // Nobody asked for copies.
            records.retain(|record| record["mirrorOf"].is_null());
            (records.len() >= asked && self.ledger.size().1 == 0).then_some(records)
        })
        .await?;
        ensure!(records.len() == asked, "{} requests left {} records", asked, records.len());
        Ok(records)
    }

    /// The records of copies for mirrors that a plane of this geo wrote so far.
    pub fn copies(&self, geo: Geo) -> Result<Vec<serde_json::Value>> {
        let mut records = read_records(&self.home.path().join(geo.name()).join("outbox"))?;
        records.retain(|record| !record["mirrorOf"].is_null());
        Ok(records)
    }

    /// How many holds are open in the counters both planes share.
    pub fn held(&self) -> usize {
        self.ledger.size().1
    }

    /// Where everything of the house is kept.
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

/// Faults as a person reads them.
pub fn told(faults: &[Fault]) -> String {
    let lines = faults.iter().map(|f| format!("{}:{}: {}: {}", f.path, f.line, f.field, f.message));
    lines.collect::<Vec<_>>().join("\n")
}
