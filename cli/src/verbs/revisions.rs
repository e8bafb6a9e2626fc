//! `revisions`: what was published, when and by whom, and a new epoch for a store that was restored.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Shown;
use super::because::Because;
use super::failure::Failure;
use super::field::{call, list, text};
use super::instant::{From, moment};
use super::kind::KindName;
use super::newest::Newest;
use super::wait::Wait;
use super::{differences, revision};
use crate::client::Client;
use crate::output::table::{cell, table};

/// See what was published and what changed, and begin a new epoch.
#[derive(Debug, Subcommand)]
pub(crate) enum Revisions {
    /// List revisions, newest first.
    List(List),
    /// Show one revision and everything that changed in it.
    Show(Show),
    /// Show what is different between two revisions, field by field, and who changed it when and why.
    Diff(Diff),
    /// Begin a new epoch, so that nodes take what is in force here although they enforce later revisions: for a store that was
    /// restored from a backup. What was revoked and switched off after the backup is to be done anew.
    BumpEpoch(Bump),
}

/// Which are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that this author made or proposed, such as `ada@example.org`, `platform/admin` or a whole name.
    #[arg(long, visible_alias = "actor")]
    author: Option<String>,
    /// Only those that changed this resource, such as `rules/eu-residency`; something of `tenants/acme`; or one of a collection, `rules`.
    #[arg(long)]
    resource: Option<String>,
    /// Only those that changed a resource of this kind, such as `rule`.
    #[arg(long, conflicts_with = "resource")]
    kind: Option<KindName>,
    /// Only those from then on: a length such as 1h30m ago, a date (its first instant in UTC) or an instant.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    since: Option<String>,
    /// Only those before then: a length such as 1h30m ago, a date (its first instant in UTC) or an instant.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    until: Option<String>,
    #[command(flatten)]
    newest: Newest,
}

/// Which one is shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// `12`, `revisions/12`, `head`, or how far before it (`head~1`).
    #[arg(value_parser = named)]
    revision: String,
    #[command(flatten)]
    shown: Shown,
}

/// Which two are compared. Each is `12`, `revisions/12`, `head`, `head~1`, a length such as 1h30m ago, a date or an instant.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The revision to compare from; it may be the later one.
    #[arg(value_name = "REVISION|INSTANT")]
    from: String,
    /// The revision to compare to.
    #[arg(value_name = "REVISION|INSTANT", default_value = "head")]
    to: String,
    /// Only this resource, such as `rules/eu-residency`; what is of `tenants/acme`; or a collection, `rules`.
    #[arg(long)]
    resource: Option<String>,
    /// Only resources of this kind, such as `rule`.
    #[arg(long, conflicts_with = "resource")]
    kind: Option<KindName>,
    /// Only resources that this author changed in between, such as `ada@example.org`, `platform/admin` or a whole name.
    #[arg(long, visible_alias = "actor")]
    author: Option<String>,
    /// How many resources at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
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
        Revisions::List(list) => {
            let query = query(list, SystemTime::now())?;
            list.newest.print_such(client, ("revisions", &query), listed).await?;
        }
        Revisions::Show(show) => {
            let reply = client.get(&format!("revisions/{}", show.revision), &[]).await?;
            show.shown.print(&reply, || shown(&reply.json));
        }
        Revisions::Diff(diff) => {
            let most = usize::from(diff.limit);
            let reply = client
                .asking(("history:diffRevisions", "changes"), asked(diff, SystemTime::now()), most)
                .await?;
            diff.shown.print(&reply, || differing(&reply.json));
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

/// A revision by its number, or by how far before the newest it is.
fn named(text: &str) -> Result<String, String> {
    let word = text.strip_prefix("revisions/").unwrap_or(text);
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let is_head = word == "head" || word.strip_prefix("head~").is_some_and(is_number);
    match is_number(word) || is_head {
        true => Ok(word.to_owned()),
        false => Err("is no revision: name it by its number, `head` or `head~1`; `revisions list --since --until` finds it by time"
            .to_owned()),
    }
}

/// What is asked for, as parameters.
fn query(list: &List, now: SystemTime) -> Result<Vec<(&'static str, String)>, Failure> {
    let ago = |text: &Option<String>| text.as_deref().map(|text| moment(text, (now, From::Ago))).transpose();
    let kind = list.kind.map(|kind| kind.0.plural.to_owned());
    let words = [
        ("actor", list.author.clone()),
        ("resource", list.resource.clone().or(kind)),
        ("since", ago(&list.since)?),
        ("until", ago(&list.until)?),
    ];
    Ok(words.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// What two revisions are compared for.
fn asked(diff: &Diff, now: SystemTime) -> Value {
    let kind = diff.kind.map(|kind| kind.0.plural.to_owned());
    json!({
        "from": revision::meant(&diff.from, now),
        "to": revision::meant(&diff.to, now),
        "resource": diff.resource.clone().or(kind).unwrap_or_default(),
        "actor": diff.author.clone().unwrap_or_default(),
    })
}

fn differing(answer: &Value) -> String {
    let nothing = Value::Null;
    let point = |side: &str| {
        let point = answer.get(side).unwrap_or(&nothing);
        format!("{} of {}", cell(point.get("name")), cell(point.get("createTime")))
    };
    let changes = list(answer, "changes");
    let mut told = format!("from {}\n  to {}\n{}", point("from"), point("to"), differences::told(changes));
    let count = |word: &str| changes.iter().filter(|change| text(change, "change") == word).count();
    let counts = ["created", "updated", "deleted"].map(|word| (count(word), word));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let more = !text(answer, "nextPageToken").is_empty();
    told.push_str(&match (counts.is_empty(), more) {
        (true, false) => "nothing is different".to_owned(),
        (true, true) => "nothing so far".to_owned(),
        (false, _) => counts.join(", "),
    });
    told.push_str(if more {
        "; and more: see --limit, or name what you look for with --resource\n"
    } else {
        "\n"
    });
    told
}

fn listed(answer: &Value) -> String {
    let row = |revision: &Value| {
        let field = |name: &str| cell(revision.get(name));
        let changes = list(revision, "changes").len().to_string();
        let [number, time, actor] = ["revision", "createTime", "actor"].map(field);
        vec![number, time, actor, call(revision, "action"), changes, field("ticket"), field("reason")]
    };
    let headings = ["revision", "published", "actor", "action", "changes", "ticket", "reason"];
    table(&headings, list(answer, "revisions").iter().map(row))
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
    if !text(revision, "proposer").is_empty() {
        shown.push_str(&format!("proposed by {} as {}\n", field("proposer"), field("proposal")));
    }
    for (word, field) in [("why", "reason"), ("ticket", "ticket")] {
        let said = text(revision, field);
        if !said.is_empty() {
            shown.push_str(&format!("{word}: {said}\n"));
        }
    }
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
        assert_eq!(row, ["7", "2026-01-31T12:00:00Z", "platform/root", "PolicyService/Apply", "1", "-", "-"]);
        let why = json!({"revision": 8, "reason": "the audit asked for it", "ticket": "CHG-7"});
        assert!(shown(&why).contains("why: the audit asked for it\nticket: CHG-7\n"), "{}", shown(&why));
        let two = json!({"revision": 9, "actor": "platform/root", "proposer": "tenants/acme/principals/ada", "proposal": "proposals/3"});
        assert!(
            shown(&two).contains("\nproposed by tenants/acme/principals/ada as proposals/3\n"),
            "{}",
            shown(&two)
        );
        assert!(listed(&json!({"revisions": [why]})).trim_end().ends_with("CHG-7   the audit asked for it"));
    }

    #[test]
    fn a_revision_is_shown_by_its_number_or_by_how_far_before_the_newest_it_is() {
        for (text, word) in
            [("12", "12"), ("revisions/12", "12"), ("head", "head"), ("revisions/head~3", "head~3")]
        {
            assert_eq!(named(text).unwrap(), word);
        }
        for text in ["", "-1", "head~", "heads", "2026-01-31", "head~x"] {
            assert!(named(text).unwrap_err().contains("`head~1`"), "{text}");
        }
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
