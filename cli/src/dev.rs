//! `chancery dev`, which is what `cargo run` does: the whole house on one machine, seeded, with keys to try it.
//!
//! Law: nothing here is a shortcut: policy is seeded through the same `apply`, and reaches two data planes over mutual TLS as
//! it would anywhere. `dev.env` is there exactly while the house stands.
//! Absent on purpose: anything that production would use; every credential made here is for this machine alone.

mod environment;
mod seed;
mod upstreams;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use control_plane::actor::token_digest;
use control_plane::ca::LEAF_VALIDITY;
use control_plane::config as control;
use control_plane::config::RolloutConfig;
use control_plane::registry::hex;
use control_plane::seal::random;
use control_plane::serve::ControlPlane;
use control_plane::upstream::Upstream;
use data_plane::config as data;
use data_plane::quota::Ledger;
use data_plane::serve::DataPlane;

use crate::output;
use crate::roles::until_told_to_end;
use environment::{Credentials, Urls};
pub(crate) use upstreams::place;

/// The geos of the two data planes.
const GEOS: [&str; 2] = ["eu", "us"];

/// Keys of the configurations, and the flags that give their values here.
const CONTROL_FLAGS: [(&str, &str); 3] = [
    ("`listen.admin`", "--listen-control"),
    ("`listen.sync`", "--listen-sync"),
    ("`listen.ops`", "--listen-ops-control"),
];
const EU_FLAGS: [(&str, &str); 2] =
    [("`listen.inference`", "--listen-eu"), ("`listen.ops`", "--listen-ops-eu")];
const US_FLAGS: [(&str, &str); 2] =
    [("`listen.inference`", "--listen-us"), ("`listen.ops`", "--listen-ops-us")];

/// Run everything on this machine: a control plane and two data planes, seeded with the quickstart.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where everything is kept.
    #[arg(long, env = "CHANCERY_STATE_DIR", default_value = ".chancery")]
    pub(crate) state_dir: PathBuf,
    /// Base URL of an OpenAI-compatible server whose models are registered; may be repeated.
    #[arg(long = "openai-compatible", value_name = "URL", value_parser = upstreams::base_url)]
    pub(crate) openai_compatible: Vec<String>,
    /// The regions real upstreams are said to process in; nobody checks that they do.
    #[arg(long, value_delimiter = ',', default_value = "EU,UK", value_name = "REGIONS", value_parser = upstreams::place)]
    pub(crate) upstream_regions: Vec<String>,
    /// REST and gRPC admin.
    #[arg(long, default_value = "127.0.0.1:7070")]
    pub(crate) listen_control: SocketAddr,
    /// Node sync.
    #[arg(long, default_value = "127.0.0.1:7071")]
    pub(crate) listen_sync: SocketAddr,
    /// The control plane's health and metrics.
    #[arg(long, default_value = "127.0.0.1:7079")]
    pub(crate) listen_ops_control: SocketAddr,
    /// Inference in `eu`.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen_eu: SocketAddr,
    /// Health and metrics of `eu`.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub(crate) listen_ops_eu: SocketAddr,
    /// Inference in `us`.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub(crate) listen_us: SocketAddr,
    /// Health and metrics of `us`.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub(crate) listen_ops_us: SocketAddr,
    /// Log filter in the syntax of `RUST_LOG`.
    #[arg(long, env = "CHANCERY_LOG", default_value = "warn", value_parser = crate::telemetry::filter)]
    pub(crate) log: String,
    #[command(flatten)]
    pub(crate) logs: crate::telemetry::Logs,
}

/// Runs everything until a signal.
pub(crate) async fn run(dev: Dev) -> anyhow::Result<()> {
    dev.logs.begin(&dev.log);
    let auditor = hex(random::<32>()?.as_slice());
    let config = control_config(&dev, &auditor);
    let control = ControlPlane::start(&config).await.map_err(|error| flagged(error, &CONTROL_FLAGS))?;
    // What is there now is of a house that is gone: this one has the directory and its ports.
    let env_file = dev.state_dir.join("dev.env");
    environment::remove(&env_file)?;
    let seeded = seed::seed(&control, &dev).await?;
    let ledger = Ledger::memory();
    let mut planes = Vec::with_capacity(GEOS.len());
    for geo in GEOS {
        let config = data_config(&dev, geo, &control)?;
        let plane = DataPlane::start(config, Some(ledger.clone())).await;
        let flags = if geo == "eu" { &EU_FLAGS } else { &US_FLAGS };
        let plane = plane.map_err(|error| flagged(error, flags));
        planes.push(plane.with_context(|| format!("the data plane `{geo}`"))?);
    }
    for plane in &planes {
        plane.enforces(1).await?;
    }
    let addresses: Vec<SocketAddr> = planes.iter().map(DataPlane::inference_address).collect();
    let urls = Urls::of(control.addresses().admin, &addresses);
    let token = environment::admin_token(&config.own_dir())?;
    announce(&control, &planes);
    seeded.registered.iter().for_each(|line| output::line(line));
    let credentials = Credentials { token, key: seeded.key, auditor };
    environment::write(&env_file, &urls, &credentials)?;
    output::line(&format!("ready; for keys:  source {}", env_file.display()));
    until_told_to_end().await;
    environment::remove(&env_file)?;
    for plane in planes {
        plane.shutdown().await;
    }
    control.shutdown().await;
    Ok(())
}

/// An error that begins with a key of a configuration, under the flag that sets it.
fn flagged(error: anyhow::Error, flags: &[(&str, &'static str)]) -> anyhow::Error {
    let told = error.to_string();
    match flags.iter().find(|(key, _)| told.starts_with(key)) {
        Some((_, flag)) => error.context(format!("`{flag}`")),
        None => error,
    }
}

/// Prints where everything listens.
fn announce(control: &ControlPlane, planes: &[DataPlane]) {
    let at = control.addresses();
    output::line(&format!(
        "control plane     http://{}  sync https://{}  ops http://{}",
        at.admin, at.sync, at.ops
    ));
    for (geo, plane) in GEOS.iter().zip(planes) {
        let (inference, ops) = (plane.inference_address(), plane.ops_address());
        output::line(&format!("data plane {geo}     http://{inference}  ops http://{ops}"));
    }
}

/// The house's configuration; who holds this token audits it, and may break the glass.
fn control_config(dev: &Dev, auditor: &str) -> control::Config {
    let token = control::AdminToken {
        name: "auditor".to_owned(),
        sha256: hex(&token_digest(auditor)),
        role: control::AdminRole::Auditor,
        ..control::AdminToken::default()
    };
    let who = vec![format!("platform/{}", token.name)];
    control::Config {
        admin: control::AdminConfig { tokens: vec![token], ..control::AdminConfig::default() },
        break_glass: control::BreakGlassConfig { who, ..control::BreakGlassConfig::default() },
        state_dir: dev.state_dir.clone(),
        listen: control::Listen {
            admin: dev.listen_control,
            sync: dev.listen_sync,
            ops: dev.listen_ops_control,
        },
        upstream: upstream(),
        // Somebody watches: what takes minutes elsewhere takes seconds here.
        sync: control::SyncConfig { heartbeat: seconds(1), ..control::SyncConfig::default() },
        rollout: RolloutConfig {
            stages: vec![0, 100],
            bake: seconds(3),
            least_requests: 5,
            ..RolloutConfig::default()
        },
        ..control::Config::default()
    }
}

fn seconds(count: u64) -> control::Length {
    control::Length(std::time::Duration::from_secs(count))
}

/// Which upstreams may be registered: loopback ones are for development, which this is.
fn upstream() -> Upstream {
    Upstream { allow_loopback: true, ..Upstream::default() }
}

fn data_config(dev: &Dev, geo: &str, control: &ControlPlane) -> anyhow::Result<data::Config> {
    let home = dev.state_dir.join(format!("node-{geo}"));
    let (authority, name) = (control.authority(), format!("{geo}-1").parse()?);
    let node = authority.issue_node(&geo.parse()?, &name, LEAF_VALIDITY)?.write(&home.join("tls"), "node")?;
    let (inference, ops) =
        if geo == "eu" { (dev.listen_eu, dev.listen_ops_eu) } else { (dev.listen_us, dev.listen_ops_us) };
    Ok(data::Config {
        listen: data::Listen { inference, ops, ..data::Listen::default() },
        control: data::Control {
            url: format!("https://{}", control.addresses().sync),
            ca: Some(authority.certificate_path()),
            certificate: Some(node.certificate),
            key: Some(node.key),
            ..data::Control::default()
        },
        state: data::State { dir: home, ..data::State::default() },
        // Loopback upstreams are for development, which this is.
        decisions: data::Decisions::default(),
        policy: data::Policy::default(),
        upstream: data::Upstream { allow_loopback: true, ..data::Upstream::default() },
        fetch: Default::default(),
        secrets: data::Secrets::default(),
        bounds: data::Bounds::default(),
        drain: data::Drain { seconds: 5, ..data::Drain::default() },
        telemetry: telemetry(),
    })
}

fn telemetry() -> data::Telemetry {
    let otlp_endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok();
    data::Telemetry { otlp_endpoint, ..data::Telemetry::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_with_its_flag() {
        use clap::Parser as _;

        #[derive(clap::Parser)]
        struct Asked {
            #[command(flatten)]
            dev: Dev,
        }

        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = held.local_addr().unwrap().to_string();
        let all = CONTROL_FLAGS.iter().chain(&EU_FLAGS).chain(&US_FLAGS);
        for (key, flag) in all {
            let home = tempfile::tempdir().unwrap();
            let mut line =
                vec!["dev".to_owned(), "--state-dir".to_owned(), home.path().display().to_string()];
            for (_, other) in CONTROL_FLAGS.iter().chain(&EU_FLAGS).chain(&US_FLAGS) {
                let address = if other == flag { taken.as_str() } else { "127.0.0.1:0" };
                line.extend([(*other).to_owned(), address.to_owned()]);
            }
            let told = output::chain(run(Asked::parse_from(line).dev).await.unwrap_err().as_ref());
            assert!(told.contains(&format!("`{flag}`: {key} can't be bound to {taken}: ")), "{told}");
        }
    }
}
