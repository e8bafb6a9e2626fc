//! `apply`: makes what files declare be so, all of it or nothing.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::settle::{self, Files};
use super::terms::Terms;
use crate::client::Client;

/// Make what files declare be so, all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A file of YAML or JSON, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Also delete whatever has all labels of --selector and is in no file, in the same revision.
    #[arg(long, requires = "selector")]
    prune: bool,
    /// The labels of what may be pruned: KEY=VALUE, several with commas between them.
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label, requires = "prune")]
    selector: Vec<(String, String)>,
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
    let mut fields = apply.terms.fields();
    if apply.prune {
        let labels = apply.selector.iter().map(|(key, value)| (key.clone(), value.clone().into()));
        fields.insert("pruneLabels".to_owned(), Value::Object(labels.collect()));
    }
    let how = (fields, apply.terms, apply.shown);
    settle::settle(client, ("policy:apply", "applied"), Files::At(&apply.files), how).await
}

/// A label as a selector says it.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE".to_owned()),
    }
}
