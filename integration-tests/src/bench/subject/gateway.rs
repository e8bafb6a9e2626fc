//! The gateway: the real `chancery` binary that was built beside the bench, started as a user starts it.
//!
//! Everything the bench must know of its surfaces stands in this file: flags, the environment file, the calls that make keys,
//! the names of records and metrics. It runs on the core of the measured, alone.

mod ledger;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use super::Subject;
use super::cores::{Cores, Side};
use super::policy::{self, Policy};
use super::process::Process;
use crate::evidence::Ledger;
use crate::load::Cast;
use crate::servers::mock::MODELS;

const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Records are written off the path; this is how far behind they may be.
const LATEST_RECORD: Duration = Duration::from_secs(10);
const KEYS_AT_ONCE: usize = 16;

/// A running gateway and where it keeps its state.
pub(crate) struct Gateway {
    pub(crate) subject: Subject,
    /// `host:port` of the data plane's operations port.
    operations: String,
    environment: HashMap<String, String>,
    state: TempDir,
}

impl Gateway {
    /// Starts the gateway with the mock as its vendor and waits until it serves the policy.
    ///
    /// # Errors
    /// The binary is missing, ends early, is not ready in time, or refuses the policy.
    pub(crate) async fn start(cores: Cores, mock: &str, policy: &Policy) -> anyhow::Result<Self> {
        let state = tempfile::tempdir()?;
        let operations = free_address()?;
        let upstream = format!("http://{mock}/v1");
        let mut command = cores.command(Side::Subject, path_of(&binary()?)?);
        command.arg("dev").args(["--state-dir", path_of(state.path())?, "--openai-compatible", &upstream]);
        for listen in ["control", "sync", "eu", "us", "ops-control", "ops-us"] {
            command.args([&format!("--listen-{listen}"), "127.0.0.1:0"]);
        }
        command.args(["--listen-ops-eu", &operations]).env_remove("OPENAI_API_KEY");
        let mut process = Process::start(command)?;
        let environment = environment(&state.path().join("dev.env"), &mut process).await?;
        let url = value(&environment, "CHANCERY_DATA_URL")?;
        let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let cast = Cast {
            keys: vec![value(&environment, "CHANCERY_API_KEY")?.to_owned()],
            models: MODELS.iter().take(1).map(|model| (*model).to_owned()).collect(),
        };
        let subject =
            Subject { name: "gateway", process, rest: Some(authority.clone()), grpc: Some(authority), cast };
        let mut gateway = Gateway { subject, operations, environment, state };
        if let Policy::Large { keys, models } = *policy {
            gateway.apply(cores, &policy::large(models, &upstream))?;
            gateway.subject.cast = Cast {
                keys: gateway.create_keys(keys).await?,
                models: (0..models).map(policy::model).collect(),
            };
        }
        gateway.serving().await?;
        Ok(gateway)
    }

    /// Through the admin verb, as a user would.
    fn apply(&self, cores: Cores, text: &str) -> anyhow::Result<()> {
        let file = self.state.path().join("large.yaml");
        std::fs::write(&file, text)?;
        let mut command: Command = cores.command(Side::Rest, path_of(&binary()?)?);
        command.args(["apply", "-f", path_of(&file)?]).envs(&self.environment);
        let output = command.output()?;
        ensure!(output.status.success(), "apply: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// One call a key, some at once: there is no bulk call.
    async fn create_keys(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let client = reqwest::Client::new();
        let url = format!(
            "{}/v1/tenants/{}/keys",
            value(&self.environment, "CHANCERY_CONTROL_URL")?,
            policy::TENANT
        );
        let token = value(&self.environment, "CHANCERY_ADMIN_TOKEN")?;
        stream::iter(0..count)
            .map(|number| {
                let call = client.post(&url).bearer_auth(token);
                async move {
                    let policy::Holder { principal, team } = policy::holder(number);
                    let spec =
                        serde_json::json!({"tenant": policy::TENANT, "principal": principal, "team": team});
                    let answer =
                        call.json(&serde_json::json!({"spec": spec})).send().await?.error_for_status()?;
                    let answer: serde_json::Value = answer.json().await?;
                    let secret =
                        answer.get("secret").and_then(serde_json::Value::as_str).context("no `secret`")?;
                    anyhow::Ok(secret.to_owned())
                }
            })
            .buffered(KEYS_AT_ONCE)
            .try_collect()
            .await
    }

    /// Until the last key may use the last model: everything before it has then arrived too.
    async fn serving(&mut self) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        let url = format!("http://{}/v1/models", self.subject.rest.as_deref().unwrap_or_default());
        let (key, model) =
            self.subject.cast.keys.last().zip(self.subject.cast.models.last()).context("an empty cast")?;
        let (key, model) = (key.clone(), format!("\"{model}\""));
        let start = Instant::now();
        loop {
            if let Ok(answer) = client.get(&url).bearer_auth(&key).send().await
                && answer.text().await.is_ok_and(|text| text.contains(&model))
            {
                return Ok(());
            }
            self.wait(start, "the data plane does not serve the policy").await?;
        }
    }

    async fn wait(&mut self, since: Instant, what: &str) -> anyhow::Result<()> {
        patient(since, &mut self.subject.process, what).await
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
                let records = ledger::records(self.state.path())?;
                if records.requests >= requests || late {
                    return Ok(Ledger { records, metrics });
                }
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Size of the snapshot in force.
    ///
    /// # Errors
    /// The metrics cannot be read.
    pub(crate) async fn policy_bytes(&self) -> anyhow::Result<u64> {
        Ok(ledger::policy_bytes(&self.metrics().await?))
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://{}/metrics", self.operations))
            .await?
            .error_for_status()?
            .text()
            .await?)
    }
}

/// The file appears when everything is ready; its lines are `NAME=value` in shell syntax.
async fn environment(file: &Path, process: &mut Process) -> anyhow::Result<HashMap<String, String>> {
    let start = Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(file) {
            return Ok(variables(&text));
        }
        patient(start, process, "the gateway is not ready").await?;
    }
}

fn variables(text: &str) -> HashMap<String, String> {
    let pair = |line: &str| {
        let (name, value) = line.trim_start_matches("export ").split_once('=')?;
        Some((name.trim().to_owned(), value.trim().trim_matches(['\'', '"']).to_owned()))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(pair).collect()
}

fn value<'environment>(
    environment: &'environment HashMap<String, String>,
    name: &str,
) -> anyhow::Result<&'environment str> {
    environment.get(name).map(String::as_str).with_context(|| format!("`dev.env` does not name `{name}`"))
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

/// Free at this moment; a port that is told in no file must be chosen before the start.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_file_is_shell() {
        let found =
            variables("# ready\nexport A='b c'\nCHANCERY_DATA_URL=\"http://127.0.0.1:1\"\n\nnonsense\n");
        assert_eq!(found.len(), 2);
        assert_eq!(
            (value(&found, "A").unwrap(), value(&found, "CHANCERY_DATA_URL").unwrap()),
            ("b c", "http://127.0.0.1:1")
        );
        assert!(value(&found, "B").is_err());
    }
}
