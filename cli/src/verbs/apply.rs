//! `apply`: makes what files declare be so, all of it or nothing.

use std::path::PathBuf;

use clap::Args;

use super::because::Because;
use super::failure::Failure;
use super::wait::Wait;
use super::{Form, Shown, changes, source};
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
    let reply = source::send(client, "policy:apply", (&apply.files, apply.dry_run)).await?;
    if source::faults(&reply.json) == 0 || apply.shown.output == Form::Json {
        apply.shown.print(&reply, || changes::told(&reply.json, apply.dry_run));
    }
    source::faultless(&reply.json, "applied")?;
    match apply.dry_run {
        true => Ok(()),
        // Where nothing changed, the revision that was there is the one to wait for.
        false => apply.wait.enforced(client, reply.revision, apply.shown).await,
    }
}
