//! The gateway: one data plane, a process of its own alone on the core of the measured, as the role is started in earnest.
//!
//! Its control plane lives in the bench, on the other side: it publishes the policy and makes the keys before anything is
//! measured, and what it costs is nobody's figure. Everything the bench must know of the node's surfaces stands here and in
//! `ledger`: its configuration file, its operations port, the names of records and metrics.

pub(crate) mod house;
mod ledger;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::Subject;
use super::cores::{Cores, Side};
use super::policy::Policy;
use super::process::Process;
use crate::evidence::Ledger;
use crate::load::Cast;
use house::House;
use integration_tests::household::free;

const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// The name of the thread that writes them.
const WRITER: &str = "outbox";
/// Records are written off the path; this is how far behind they may be.
const LATEST_RECORD: Duration = Duration::from_secs(10);

/// A running gateway and where it keeps its state.
pub(crate) struct Gateway {
    pub(crate) subject: Subject,
    /// `host:port` of the data plane's operations port.
    operations: String,
    /// The data plane's state directory.
    state: PathBuf,
    /// Held so that the node keeps its policy's source, as it would.
    house: House,
    /// Held so that everything is removed at the end.
    _home: TempDir,
}

impl Gateway {
    /// Publishes the policy with the mock as its vendor, starts the data plane and waits until it enforces it.
    ///
    /// # Errors
    /// The binary is missing, ends early, is not ready in time, or the policy has a fault.
    pub(crate) async fn start(cores: Cores, mock: &str, policy: &Policy) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let house = House::start(home.path()).await?;
        house.apply(&policy.files(&format!("http://{mock}/v1"))).await?;
        let cast = Cast { keys: house.create_keys(policy).await?, models: policy.models() };
        let (inference, operations) = (free()?.to_string(), free()?.to_string());
        let state = home.path().join("node");
        let file = home.path().join("data-plane.toml");
        std::fs::write(&file, house.node_configuration(&state, &inference, &operations)?)?;
        let mut command = cores.command(Side::Subject, path_of(&binary()?)?);
        command.args(["data-plane", "--config", path_of(&file)?]);
        command
            .env_clear()
            .env("CHANCERY_LOG", "warn")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let process = Process::start(command)?;
        let subject = Subject {
            name: "gateway",
            process,
            rest: Some(inference.clone()),
            grpc: Some(inference),
            cast,
            translates: true,
        };
        let mut gateway = Gateway { subject, operations, state, house, _home: home };
        gateway.serving().await?;
        Ok(gateway)
    }

    /// Until the node enforces the newest revision.
    async fn serving(&mut self) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.operations);
        let ready = format!("ok, revision {}", self.house.revision());
        let start = Instant::now();
        loop {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.text().await.is_ok_and(|text| text.trim() == ready)
            {
                return Ok(());
            }
            patient(start, &mut self.subject.process, "the data plane does not enforce the policy").await?;
        }
    }

    /// What the gateway wrote down, once it has written down `requests` requests.
    ///
    /// # Errors
    /// The outbox or the metrics cannot be read. A number that is never reached is no error here but evidence.
    pub(crate) async fn ledger(&self, requests: u64) -> anyhow::Result<Ledger> {
        let start = Instant::now();
        loop {
            let metrics = ledger::metrics(&self.metrics().await?);
            let late = start.elapsed() > LATEST_RECORD;
            if metrics.requests >= requests || late {
                let records = ledger::records(&self.state)?;
                if records.requests >= requests || late {
                    return Ok(Ledger { records, metrics });
                }
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Nanoseconds that the one thread that writes records was on a processor so far.
    ///
    /// # Errors
    /// The gateway is gone.
    pub(crate) fn writing(&self) -> anyhow::Result<u64> {
        self.subject.process.processor_time_of(WRITER)
    }

    /// Size of the policy in force, as the node keeps it on disk.
    ///
    /// # Errors
    /// The node keeps none.
    pub(crate) fn policy_bytes(&self) -> anyhow::Result<u64> {
        let file = self.state.join("policy/policy.current");
        Ok(std::fs::metadata(&file).with_context(|| format!("`{}`", file.display()))?.len())
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://{}/metrics", self.operations))
            .await?
            .error_for_status()?
            .text()
            .await?)
    }
}

async fn patient(since: Instant, process: &mut Process, what: &str) -> anyhow::Result<()> {
    if let Some(status) = process.ended()? {
        bail!("the gateway ended: {status}");
    }
    ensure!(since.elapsed() < PATIENCE, "{what} after {} s", PATIENCE.as_secs());
    tokio::time::sleep(BETWEEN_LOOKS).await;
    Ok(())
}

fn binary() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("chancery");
    ensure!(path.exists(), "`{}` is missing: build it with the bench's profile", path.display());
    Ok(path)
}

fn path_of(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))
}
