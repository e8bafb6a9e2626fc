//! `apply`: makes what files declare be so, all of it or nothing.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::source::{self, Declared};
use super::wait::Wait;
use crate::client::Client;

/// Make what files declare be so, all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A file of YAML or JSON, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Check and tell what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take it to the nodes stage by stage, the canary of the first geo first; users, teams, keys and limits come to all at once.
    #[arg(long)]
    staged: bool,
    /// Let each stage wait for `chancery rollouts approve`.
    #[arg(long, requires = "staged")]
    manual: bool,
    /// The policy may hold much less than before.
    #[arg(long)]
    allow_shrink: bool,
    /// Judge it and keep it as a proposal, for another principal to approve by `chancery proposals approve`; change nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "wait"])]
    propose: bool,
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
    let Apply { files, dry_run, wait, shown, staged, manual, allow_shrink, propose, .. } = apply;
    let terms =
        json!({ "staged": staged, "manual": manual, "allowShrink": allow_shrink, "propose": propose });
    let declared = Declared { files, terms, dry_run: *dry_run, wait: *wait, shown: *shown };
    source::settle(client, ("policy:apply", "applied"), declared).await
}
