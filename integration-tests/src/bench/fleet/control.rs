//! The control plane under measurement: the real binary, a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use control_plane::ca::Authority;
use integration_tests::household::{Process, free};
use integration_tests::sandbox::told;
use proto::admin::policy_service_client::PolicyServiceClient;
use proto::admin::{ApplyRequest, SourceFile};
use tempfile::TempDir;
use tonic::Request;
use tonic::transport::Channel;

/// How long it may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// A control plane on ports that it keeps over restarts.
pub(crate) struct Control {
    pub(crate) process: Process,
    pub(crate) sync: SocketAddr,
    admin: SocketAddr,
    ops: SocketAddr,
    kept: PathBuf,
    _home: TempDir,
}

/// Processor time and memory of a process, as the kernel counts them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    pub(crate) processor: Duration,
}

impl Control {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let (admin, sync, ops) = (free()?, free()?, free()?);
        let kept = home.path().join("control");
        Authority::open_or_create(&kept.join("control-plane/ca"))?;
        let file = home.path().join("control.toml");
        let listen = format!("[listen]\nadmin = \"{admin}\"\nsync = \"{sync}\"\nops = \"{ops}\"\n");
        std::fs::write(&file, format!("state_dir = \"{}\"\n{listen}", kept.display()))?;
        let process = Process::start("control-plane", &file, "info")?;
        let control = Self { process, sync, admin, ops, kept, _home: home };
        control.ready().await?;
        Ok(control)
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.ops);
        let ready = async {
            while !reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(READY, ready).await.context("the control plane is not ready")
    }

    /// What issues its nodes their certificates.
    pub(crate) fn authority(&self) -> anyhow::Result<Authority> {
        Ok(Authority::open_or_create(&self.kept.join("control-plane/ca"))?)
    }

    /// Applies a file that must be without fault; gives the revision.
    pub(crate) async fn apply(&self, text: String) -> anyhow::Result<i64> {
        let path = self.kept.join("control-plane/admin.token");
        let token = std::fs::read_to_string(path)?;
        let files = vec![SourceFile { path: "fleet.yaml".to_owned(), text }];
        let mut request = Request::new(ApplyRequest { files, ..ApplyRequest::default() });
        request.metadata_mut().insert("authorization", format!("Bearer {}", token.trim()).parse()?);
        let channel = Channel::from_shared(format!("http://{}", self.admin))?.connect().await?;
        let mut client = PolicyServiceClient::new(channel);
        let answer = client.apply(request).await?.into_inner();
        anyhow::ensure!(answer.faults.is_empty(), "{}", told(&answer.faults));
        Ok(answer.revision)
    }

    /// A metric of its own, by its whole name.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let text = reqwest::get(format!("http://{}/metrics", self.ops)).await?.text().await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("no metric {name}"))
    }

    /// What it used so far.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        used(self.process.id())
    }
}

/// What a process used so far.
pub(crate) fn used(process: u32) -> anyhow::Result<Used> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
    };
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between being listed and being read.
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
    }
    let processor = Duration::from_nanos(nanoseconds);
    Ok(Used { resident: bytes("VmRSS:"), peak: bytes("VmHWM:"), processor })
}
