//! The chancery binary: everything on one machine, one role of it, or a verb against it. Wiring only.

mod dev;
mod output;
mod roles;
mod telemetry;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A gateway that governs generative AI and proves it.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Chancery {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Dev,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    /// Run a control plane.
    ControlPlane(roles::Role),
    /// Run a data plane.
    DataPlane(roles::Role),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let chancery = Chancery::parse();
    match chancery.command.unwrap_or(Command::Dev(chancery.dev)) {
        Command::Dev(dev) => dev::run(dev).await,
        Command::ControlPlane(role) => roles::control_plane(role).await,
        Command::DataPlane(role) => roles::data_plane(role).await,
    }
}
