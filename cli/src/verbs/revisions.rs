//! `revisions`: what was published, when and by whom.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{call, list};
use crate::client::Client;
use crate::output::table::{cell, table};

/// See what was published.
#[derive(Debug, Subcommand)]
pub(crate) enum Revisions {
    /// List revisions, newest first.
    List(List),
    /// Show one revision and everything that changed in it.
    Show(Show),
}

/// How many are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    shown: Shown,
}

/// Which one is shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its number.
    revision: u64,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, revisions: &Revisions) -> Result<(), Failure> {
    match revisions {
        Revisions::List(list) => {
            let reply = client.some("revisions", (&[], usize::from(list.limit)), "revisions").await?;
            list.shown.print(&reply, || listed(&reply.json));
        }
        Revisions::Show(show) => {
            let reply = client.get(&format!("revisions/{}", show.revision), &[]).await?;
            show.shown.print(&reply, || shown(&reply.json));
        }
    }
    Ok(())
}

fn listed(answer: &Value) -> String {
    let row = |revision: &Value| {
        let field = |name: &str| cell(revision.get(name));
        let changes = list(revision, "changes").len().to_string();
        vec![field("revision"), field("createTime"), field("actor"), call(revision, "action"), changes]
    };
    table(&["revision", "published", "actor", "action", "changes"], list(answer, "revisions").iter().map(row))
}

fn shown(revision: &Value) -> String {
    let field = |name: &str| cell(revision.get(name));
    let mut shown = format!(
        "revision {} of epoch {}, published {}\nby {} with {}\n",
        field("revision"),
        field("epoch"),
        field("createTime"),
        field("actor"),
        call(revision, "action"),
    );
    for change in list(revision, "changes") {
        shown.push_str(&format!("  {:<10}{}\n", cell(change.get("change")), cell(change.get("name"))));
    }
    for scope in list(revision, "scopes") {
        shown.push_str(&format!("  geo {}  {}\n", cell(scope.get("geo")), cell(scope.get("digest"))));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revision_is_told_with_all_that_changed_in_it() {
        let revision = json!({"revision": 7, "epoch": 1, "createTime": "2026-01-31T12:00:00Z", "actor": "platform/root",
            "action": "chancery.admin.v1.PolicyService/Apply",
            "changes": [{"name": "roles/r", "change": "created"}], "scopes": [{"geo": "eu", "digest": "abc"}]});
        assert_eq!(
            shown(&revision),
            "revision 7 of epoch 1, published 2026-01-31T12:00:00Z\n\
             by platform/root with PolicyService/Apply\n  created   roles/r\n  geo eu  abc\n"
        );
        let row = listed(&json!({"revisions": [revision]}));
        let row: Vec<&str> = row.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["7", "2026-01-31T12:00:00Z", "platform/root", "PolicyService/Apply", "1"]);
    }
}
