//! `delete`: takes resources back, one by its name or all that files declare.
//!
//! Law: what others still refer to stays, and the control plane says so; only a principal's keys end with it. Of several,
//! each is deleted by itself, what refers to others before them: there is no call that takes back several at once, so what
//! was done before a refusal stays done, and is told.

use std::path::PathBuf;

use clap::Args;
use policy_engine::vocabulary::Kind;
use serde_json::{Value, json};

use super::failure::Failure;
use super::field::{list, text};
use super::kind::{EVERY_TENANT, KindName};
use super::wait::Wait;
use super::{Form, Shown, changes, source};
use crate::client::{Client, ClientError, Refused};
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
    /// A YAML file whose resources are taken back, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", value_name = "FILE|DIR|-", conflicts_with_all = ["kind", "name"])]
    files: Vec<PathBuf>,
    #[command(flatten)]
    wait: Wait,
    /// `json` prints what became of each, in the form of an answer of `apply`.
    #[command(flatten)]
    shown: Shown,
}

/// What is to be taken back.
struct Wanted {
    kind: String,
    name: String,
}

/// What became of it.
#[derive(Default)]
struct Outcome {
    /// `ResourceChange` in JSON, a resource each.
    changes: Vec<Value>,
    /// What was refused, and why.
    refused: Vec<(String, Refused)>,
    revision: i64,
}

/// Deletes, and tells what became of each resource.
pub(super) async fn run(client: &Client, delete: &Delete) -> Result<(), Failure> {
    let outcome = match (delete.kind, &delete.name) {
        (Some(kind), Some(name)) => one(client, kind, (name, delete.tenant.as_deref())).await?,
        _ => declared(client, delete).await?,
    };
    let published = outcome.changes.iter().any(|change| text(change, "change") == "deleted");
    let told = json!({
        "changes": outcome.changes,
        "revision": if published { outcome.revision } else { 0 },
    });
    if delete.shown.output == Form::Json {
        output::line(&told.to_string());
    } else if !outcome.changes.is_empty() {
        output::text_as_is(&changes::told(&told, false));
    }
    for (name, refused) in &outcome.refused {
        output::complain(&format!("{name}: {refused}"));
    }
    match outcome.refused.len() {
        0 => delete.wait.enforced(client, outcome.revision, delete.shown).await,
        refused => Err(Failure::NotDeleted(refused)),
    }
}

/// Takes back one resource, which must be there.
async fn one(
    client: &Client,
    kind: KindName,
    (name, tenant): (&str, Option<&str>),
) -> Result<Outcome, Failure> {
    if kind.0.kind == Kind::Key {
        return Err(Failure::Input("a key is not deleted but revoked: chancery keys revoke".to_owned()));
    }
    if tenant == Some(EVERY_TENANT) {
        return Err(Failure::Input("the one tenant must be named".to_owned()));
    }
    let name = format!("{}/{name}", kind.path(tenant).map_err(Failure::Input)?);
    let revision = client.delete(&name).await?.revision;
    Ok(Outcome {
        changes: vec![change(kind.0.kind.as_str(), &name, "deleted")],
        refused: Vec::new(),
        revision,
    })
}

/// Takes back what files declare; what is not there is no fault.
async fn declared(client: &Client, delete: &Delete) -> Result<Outcome, Failure> {
    // A dry run names what they declare, and finds the faults of files that are not what they should be.
    let reply = source::apply(client, &delete.files, true).await?;
    source::faultless(&reply.json, "deleted")?;
    let mut outcome = Outcome { revision: reply.revision, ..Outcome::default() };
    let mut left = Vec::new();
    for declared in list(&reply.json, "changes").iter().rev() {
        let wanted = Wanted { kind: text(declared, "kind"), name: text(declared, "name") };
        match text(declared, "change").as_str() {
            "created" => outcome.changes.push(change(&wanted.kind, &wanted.name, "absent")),
            _ => left.push(wanted),
        }
    }
    // Kinds come in the order in which they refer to each other, but for those that refer to their own kind: what is
    // refused is tried again as long as something else could go.
    while !left.is_empty() {
        let tried = left.len();
        left = outcome.round(client, left).await?;
        if left.len() == tried {
            break;
        }
    }
    Ok(outcome)
}

impl Outcome {
    /// Tries each once; gives back what was refused.
    async fn round(&mut self, client: &Client, wanted: Vec<Wanted>) -> Result<Vec<Wanted>, Failure> {
        self.refused.clear();
        let mut left = Vec::new();
        for wanted in wanted {
            match client.delete(&wanted.name).await {
                Ok(reply) => {
                    self.revision = reply.revision;
                    self.changes.push(change(&wanted.kind, &wanted.name, "deleted"));
                }
                Err(ClientError::Refused(refused)) => {
                    self.refused.push((wanted.name.clone(), refused));
                    left.push(wanted);
                }
                Err(error) => {
                    self.changes.iter().for_each(|done| {
                        output::complain(&format!("{:<10}{}", text(done, "change"), text(done, "name")));
                    });
                    return Err(error.into());
                }
            }
        }
        Ok(left)
    }
}

fn change(kind: &str, name: &str, change: &str) -> Value {
    json!({ "kind": kind, "name": name, "change": change })
}
