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
use super::meant::{Meant, What};
use super::settle::{self, Files};
use super::terms::Terms;
use super::{Shown, changes};
use crate::client::{Client, Reply};

/// What is said where nothing is named.
const NEITHER: &str = "name what is to be deleted (chancery delete rule NAME), or files that declare it (chancery delete -f FILE)";

/// Take back one resource, or every resource that files declare.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The kind, such as `team` or `models`, or the resource's name such as `rules/eu-residency`.
    #[arg(value_name = "KIND|NAME")]
    what: Option<What>,
    /// The resource's name, or the last segment of it.
    name: Option<String>,
    /// The tenant it belongs to; without it the platform's is meant.
    #[arg(long, conflicts_with = "files")]
    tenant: Option<String>,
    /// A YAML file whose resources are taken back, a directory of them, or `-` for standard input; may be repeated. Nothing is
    /// taken back where one of them can't be.
    #[arg(short, long = "file", value_name = "FILE|DIR|-", conflicts_with_all = ["what", "name"])]
    files: Vec<PathBuf>,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    terms: Terms,
    /// `json` prints what became of each, in the form of an answer of `apply`.
    #[command(flatten)]
    shown: Shown,
}

impl Delete {
    /// The one resource that is meant; `None` is what files declare. Errors where neither is said.
    pub(super) fn meant(&self) -> Result<Option<Meant>, Failure> {
        let wrong = |line: String| Err(Failure::Input(line));
        let Some(what) = &self.what else {
            return match self.files.is_empty() {
                false => Ok(None),
                true => wrong(NEITHER.to_owned()),
            };
        };
        let meant = what.meant(self.name.as_deref(), self.tenant.as_deref()).map_err(Failure::Input)?;
        if meant.id.is_none() {
            let of = meant.kind.0.singular;
            return wrong(format!("which {of}? name it: chancery delete {of} NAME"));
        }
        Ok(Some(meant))
    }
}

/// Deletes, and tells what became of each resource.
pub(super) async fn run(client: &Client, delete: &Delete) -> Result<(), Failure> {
    let client = &delete.because.told_by(client)?;
    match delete.meant()? {
        Some(meant) => one(client, &meant, delete).await,
        // What is not there is no fault.
        None => {
            let how = (delete.terms.fields(), delete.terms, delete.shown);
            settle::settle(client, ("policy:delete", "deleted"), Files::At(&delete.files), how).await
        }
    }
}

/// Takes back one resource, which must be there.
async fn one(client: &Client, meant: &Meant, delete: &Delete) -> Result<(), Failure> {
    let Meant { kind, id, tenant } = meant;
    if kind.0.kind == Kind::Key {
        return Err(Failure::Input("a key is not deleted but revoked: chancery keys revoke".to_owned()));
    }
    let id = id.as_deref().unwrap_or_default();
    let name = kind.one(id, tenant.as_deref()).map_err(Failure::Input)?;
    let Terms { dry_run, staged, propose, .. } = delete.terms;
    if dry_run || staged || propose {
        return one_as_declared(client, (meant, &name), delete).await;
    }
    let revision = client.delete(&name, &[]).await?.revision;
    let change = json!({ "kind": kind.0.kind.as_str(), "name": name, "change": "deleted" });
    let told = json!({ "changes": [change], "revision": revision });
    let reply = Reply { text: told.to_string(), json: told, revision };
    delete.shown.print(&reply, || changes::told(&reply.json, changes::Mood::Done));
    delete.terms.wait.enforced(client, revision, delete.shown).await
}

/// Takes back one resource, which must be there, as if a file had declared it: what is tried, proposed and staged is what is declared.
async fn one_as_declared(
    client: &Client,
    (meant, name): (&Meant, &str),
    delete: &Delete,
) -> Result<(), Failure> {
    client.get(name, &[]).await?;
    let kind = meant.kind.0.kind.as_str();
    let mut metadata = json!({ "name": meant.id });
    if let (Some(tenant), Some(fields)) = (&meant.tenant, metadata.as_object_mut()) {
        fields.insert("tenant".to_owned(), tenant.as_str().into());
    }
    let document = json!({ "apiVersion": "chancery/v1", "kind": kind, "metadata": metadata, "spec": {} });
    let files = [json!({ "path": name, "text": document.to_string() })];
    // Who takes one thing away by its name means it.
    let terms = Terms { allow_shrink: true, ..delete.terms };
    let how = (terms.fields(), terms, delete.shown);
    let settled = settle::settle(client, ("policy:delete", "deleted"), Files::These(&files), how).await;
    settled.map_err(|failure| undeclared(failure, name))
}

/// What is wrong with a deletion that no file declares: what was made of its name has no faults of its own, so something is in the way.
fn undeclared(failure: Failure, name: &str) -> Failure {
    let Failure::Faults { faults, .. } = failure else { return failure };
    let told = |(at, message): (String, String)| {
        let is_own = at.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        if is_own || at.is_empty() { message } else { format!("{at}: {message}") }
    };
    Failure::InTheWay(faults.into_iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        delete: Delete,
    }

    fn told(line: &[&str]) -> String {
        let line = Line::try_parse_from([&["delete"], line].concat()).unwrap();
        line.delete.meant().unwrap_err().to_string()
    }

    #[test]
    fn what_stands_in_the_way_of_one_has_no_line() {
        let faults = vec![
            ("models/m:1".to_owned(), "`models/m` is still used by `roles/r`".to_owned()),
            ("roles/r".to_owned(), "spec.models: no".to_owned()),
        ];
        let told = undeclared(Failure::Faults { done: "deleted", faults }, "models/m");
        assert_eq!(
            (told.ending().number(), told.to_string()),
            (6, "`models/m` is still used by `roles/r`; roles/r: spec.models: no".to_owned())
        );
        assert_eq!(undeclared(Failure::Input("no".to_owned()), "models/m").ending().number(), 2);
    }

    #[test]
    fn whoever_names_too_little_is_told_what_to_say() {
        assert!(told(&[]).contains("delete rule NAME") && told(&[]).contains("delete -f FILE"));
        assert_eq!(told(&["tenant"]), "which tenant? name it: chancery delete tenant NAME");
    }
}
