//! `apply`: makes what files declare be so, all of it or nothing.

use std::path::PathBuf;

use clap::Args;

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::source::{self, Files};
use super::terms::Terms;
use crate::client::Client;

/// Make what files declare be so, all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A file of YAML or JSON, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    shown: Shown,
}

/// Applies, and tells what became of each resource, or every fault.
pub(super) async fn run(client: &Client, apply: &Apply) -> Result<(), Failure> {
    let client = &apply.because.told_by(client)?;
    source::settle(client, ("policy:apply", "applied"), Files::At(&apply.files), (apply.terms, apply.shown))
        .await
}
