#![doc = include_str!("../README.md")]

mod client;
mod command;
mod dev;
mod output;
mod roles;
mod slug;
mod telemetry;
mod verbs;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    command::run().await
}
