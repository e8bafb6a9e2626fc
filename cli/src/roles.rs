//! The roles: one process that is a control plane, or a data plane, until a signal says to end.

use std::path::PathBuf;

use clap::Args;
use control_plane::serve::ControlPlane;
use data_plane::serve::DataPlane;
use tokio::signal::unix::{SignalKind, signal};

/// Where a role's configuration is.
#[derive(Debug, Args)]
pub(crate) struct Role {
    /// The TOML file; `deploy/config` has one of each role with every key. `CHANCERY__SECTION__KEY` variables win over it.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// Log filter in the syntax of `RUST_LOG`.
    #[arg(long, env = "CHANCERY_LOG", default_value = "info", value_parser = crate::telemetry::filter)]
    pub(crate) log: String,
    #[command(flatten)]
    pub(crate) logs: crate::telemetry::Logs,
}

/// A control plane.
pub(crate) async fn control_plane(role: Role) -> anyhow::Result<()> {
    role.logs.begin(&role.log);
    let config = control_plane::config::Config::load(Some(&role.config), std::env::vars())?;
    let plane = ControlPlane::start(&config).await?;
    until_told_to_end().await;
    plane.shutdown().await;
    Ok(())
}

/// A data plane.
pub(crate) async fn data_plane(role: Role) -> anyhow::Result<()> {
    role.logs.begin(&role.log);
    let config = data_plane::config::Config::read(&role.config, std::env::vars())?;
    let plane = DataPlane::start(config, None).await?;
    until_told_to_end().await;
    plane.shutdown().await;
    Ok(())
}

/// Returns at SIGINT, SIGTERM, or the SIGHUP of a terminal that closes; never, where none can be listened to.
pub(crate) async fn until_told_to_end() {
    let told = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let hung_up = async {
        match is_detached() {
            true => std::future::pending().await,
            false => told(SignalKind::hangup()).await,
        }
    };
    tokio::select! {
        () = told(SignalKind::interrupt()) => {}
        () = told(SignalKind::terminate()) => {}
        () = hung_up => {}
    }
}

/// Whether whoever started this process wants it to outlive the terminal, as `nohup` does by ignoring SIGHUP.
fn is_detached() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0)
}
