//! `revisions`: what was published, when and by whom, and a new epoch for a store that was restored.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::field::{call, list};
use super::newest::Newest;
use super::wait::Wait;
use crate::client::Client;
use crate::output::table::{cell, table};

/// See what was published, and begin a new epoch.
#[derive(Debug, Subcommand)]
pub(crate) enum Revisions {
    /// List revisions, newest first.
    List(Newest),
    /// Show one revision and everything that changed in it.
    Show(Show),
    /// Begin a new epoch, so that nodes take what is in force here although they enforce later revisions: for a store that was
    /// restored from a backup. What was revoked and switched off after the backup is to be done anew.
    BumpEpoch(Bump),
}

/// Which one is shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its number.
    revision: u64,
    #[command(flatten)]
    shown: Shown,
}

/// Why a new epoch begins.
#[derive(Debug, Args)]
pub(crate) struct Bump {
    /// Why, for the log of acts, such as "restored from backup". It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    shown: Shown,
}

/// What whoever restored a store is to know.
const LOST: &str = "\
keys that were revoked, and kills that were made, after the backup are not in this store: revoke and make them anew
nodes that were there go on refusing them, others do not know of them: see earlierKeys and earlierKills in `nodes get`
a node that still refuses this as too old has met this epoch or a later one before: begin another
";

/// Asks the control plane.
pub(super) async fn run(client: &Client, revisions: &Revisions) -> Result<(), Failure> {
    match revisions {
        Revisions::List(newest) => newest.print(client, "revisions", listed).await?,
        Revisions::Show(show) => {
            let reply = client.get(&format!("revisions/{}", show.revision), &[]).await?;
            show.shown.print(&reply, || shown(&reply.json));
        }
        Revisions::BumpEpoch(bump) => {
            let client = &Because::of(&bump.reason, bump.ticket.as_deref()).told_by(client)?;
            let reply = client.post("revisions:bumpEpoch", &json!({"reason": bump.reason})).await?;
            bump.shown.print(&reply, || bumped(&reply.json));
            let revision = reply.json.get("revision").and_then(Value::as_i64).unwrap_or_default();
            return bump.wait.enforced(client, revision, bump.shown).await;
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

fn bumped(revision: &Value) -> String {
    let field = |name: &str| cell(revision.get(name));
    let begun = format!("epoch {} begins with revision {}", field("epoch"), field("revision"));
    format!("{begun}: nodes take what is in force here, whatever they enforce\n{LOST}")
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

    #[test]
    fn whoever_begins_an_epoch_is_told_what_a_restored_store_lacks() {
        let told = bumped(&json!({"revision": 8, "epoch": 2}));
        assert!(told.starts_with("epoch 2 begins with revision 8: nodes take"), "{told}");
        for part in ["revoked, and kills", "after the backup", "earlierKills"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
