//! `apply`: makes what files declare be so, all of it or nothing.

use std::path::PathBuf;

use clap::Args;

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::source::{self, Declared};
use super::wait::Wait;
use crate::client::Client;

/// Make what files declare be so, all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A YAML file, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Check and tell what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

/// Applies, and tells what became of each resource, or every fault.
pub(super) async fn run(client: &Client, apply: &Apply) -> Result<(), Failure> {
    let client = &apply.because.told_by(client)?;
    let Apply { files, dry_run, wait, shown, .. } = apply;
    let declared = Declared { files, dry_run: *dry_run, wait: *wait, shown: *shown };
    source::settle(client, ("policy:apply", "applied"), declared).await
}
