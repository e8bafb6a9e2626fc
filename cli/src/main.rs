//! The chancery binary: everything on one machine, one role of it, or a verb against it. Wiring only.

mod client;
mod command;
mod dev;
mod output;
mod roles;
mod telemetry;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    command::run(command::Chancery::parse()).await
}
