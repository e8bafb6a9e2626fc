//! `delete`: takes resources back, one by its name or all that files declare.
//!
//! Law: what others still use stays, and the control plane says who does; only a principal's keys end with it. What files
//! declare is taken back whole or not at all.

use std::path::PathBuf;

use clap::Args;
use policy_engine::vocabulary::Kind;
use serde_json::json;

use super::because::Because;
use super::failure::Failure;
use super::kind::KindName;
use super::source::{self, Declared};
use super::wait::Wait;
use super::{Form, Shown, changes};
use crate::client::Client;
use crate::output;

/// Take back one resource, or every resource that files declare.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The kind, such as `team` or `models`.
    #[arg(required_unless_present = "files", requires = "name")]
    kind: Option<KindName>,
    /// The last segment of the resource's name.
    #[arg(required_unless_present = "files")]
    name: Option<String>,
    /// The tenant it belongs to; without it the platform's is meant.
    #[arg(long, conflicts_with = "files")]
    tenant: Option<String>,
    /// A YAML file whose resources are taken back, a directory of them, or `-` for standard input; may be repeated. Nothing is
    /// taken back where one of them can't be.
    #[arg(short, long = "file", value_name = "FILE|DIR|-", conflicts_with_all = ["kind", "name"])]
    files: Vec<PathBuf>,
    /// Say what would become of what files declare, and change nothing.
    #[arg(long, requires = "files", conflicts_with_all = ["kind", "name"])]
    dry_run: bool,
    /// The policy may hold much less than before: without it, what files declare is not deleted where that would leave no keys,
    /// models, grants or rules, or less than half of everything.
    #[arg(long, requires = "files", conflicts_with_all = ["kind", "name"])]
    allow_shrink: bool,
    /// Judge it and keep it as a proposal, for another principal to approve by `chancery proposals approve`; change nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "wait", "kind", "name"], requires = "files")]
    propose: bool,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
    /// `json` prints what became of each, in the form of an answer of `apply`.
    #[command(flatten)]
    shown: Shown,
}

/// Deletes, and tells what became of each resource.
pub(super) async fn run(client: &Client, delete: &Delete) -> Result<(), Failure> {
    let client = &delete.because.told_by(client)?;
    match (delete.kind, &delete.name) {
        (Some(kind), Some(name)) => one(client, kind, (name, delete)).await,
        // What is not there is no fault.
        _ => {
            let Delete { files, dry_run, wait, shown, allow_shrink, propose, .. } = delete;
            let terms = json!({ "allowShrink": allow_shrink, "propose": propose });
            let declared = Declared { files, terms, dry_run: *dry_run, wait: *wait, shown: *shown };
            source::settle(client, ("policy:delete", "deleted"), declared).await
        }
    }
}

/// Takes back one resource, which must be there.
async fn one(client: &Client, kind: KindName, (name, delete): (&str, &Delete)) -> Result<(), Failure> {
    if kind.0.kind == Kind::Key {
        return Err(Failure::Input("a key is not deleted but revoked: chancery keys revoke".to_owned()));
    }
    let name = kind.one(name, delete.tenant.as_deref()).map_err(Failure::Input)?;
    let revision = client.delete(&name).await?.revision;
    let change = json!({ "kind": kind.0.kind.as_str(), "name": name, "change": "deleted" });
    let told = json!({ "changes": [change], "revision": revision });
    match delete.shown.output {
        Form::Json => output::line(&told.to_string()),
        Form::Text => output::text_as_is(&changes::told(&told, changes::Mood::Done)),
    }
    delete.wait.enforced(client, revision, delete.shown).await
}
