//! `proposals`: changes that wait for a second principal, and deciding them.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::because::Because;
use super::failure::Failure;
use super::field::{list, text};
use super::newest::Newest;
use super::wait::Wait;
use super::{Shown, source};
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// See and decide changes that wait for a second principal.
#[derive(Debug, Subcommand)]
pub(crate) enum Proposals {
    /// List proposals, newest first.
    List(Newest),
    /// Show one proposal with its files.
    Show(One),
    /// Publish what another principal proposed.
    Approve(Approve),
    /// End a proposal without publishing it.
    Reject(Reject),
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its number, or its whole name such as `proposals/7`.
    proposal: String,
    #[command(flatten)]
    shown: Shown,
}

/// Which one is approved, and why.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    wait: Wait,
}

/// Which one is rejected, and why.
#[derive(Debug, Args)]
pub(crate) struct Reject {
    #[command(flatten)]
    one: One,
    /// Why, for the proposer and for the log of acts. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, proposals: &Proposals) -> Result<(), Failure> {
    match proposals {
        Proposals::List(newest) => newest.print(client, "proposals", listed).await,
        Proposals::Show(one) => {
            let reply = client.get(&named(&one.proposal), &[]).await?;
            one.shown.print(&reply, || shown(&reply.json));
            Ok(())
        }
        Proposals::Approve(asked) => approve(client, asked).await,
        Proposals::Reject(asked) => {
            let because = Because::of(&asked.reason, asked.ticket.as_deref());
            let client = &because.told_by(client)?;
            let reply = client.post(&format!("{}:reject", named(&asked.one.proposal)), &json!({})).await?;
            asked.one.shown.print(&reply, || outcome(&reply.json));
            Ok(())
        }
    }
}

async fn approve(client: &Client, asked: &Approve) -> Result<(), Failure> {
    let client = &asked.because.told_by(client)?;
    let Approve { one, wait, .. } = asked;
    let reply = client.post(&format!("{}:approve", named(&one.proposal)), &json!({})).await?;
    let nothing = Value::Null;
    let proposal = reply.json.get("proposal").unwrap_or(&nothing);
    if list(&reply.json, "faults").is_empty() || !one.shown.is_text() {
        one.shown.print(&reply, || outcome(proposal));
    }
    source::faultless(&reply.json, "published")?;
    match text(proposal, "rollout").as_str() {
        "" => wait.enforced(client, reply.revision, one.shown).await,
        rollout => wait.rolled_out(client, rollout, one.shown).await,
    }
}

fn named(proposal: &str) -> String {
    if proposal.contains('/') { proposal.to_owned() } else { format!("proposals/{proposal}") }
}

fn listed(answer: &Value) -> String {
    let row = |proposal: &Value| {
        let field = |name: &str| cell(proposal.get(name));
        let changes = list(proposal, "changes").len().to_string();
        vec![
            field("name"),
            field("state"),
            field("verb"),
            changes,
            field("proposer"),
            field("createTime"),
            field("expireTime"),
            field("reason"),
        ]
    };
    let header = ["proposal", "state", "verb", "changes", "proposer", "proposed", "good until", "reason"];
    table(&header, list(answer, "proposals").iter().map(row))
}

/// What became of a proposal, in a line.
fn outcome(proposal: &Value) -> String {
    let field = |name: &str| text(proposal, name);
    let by = [field("approver"), field("rejecter")].into_iter().find(|who| !who.is_empty());
    let by = by.map(|who| format!(" by {who}")).unwrap_or_default();
    let why = Some(field("decisionReason")).filter(|why| !why.is_empty());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let revision = proposal.get("revision").and_then(Value::as_i64).filter(|revision| *revision > 0);
    let revision = revision.map(|revision| format!("; revision {revision}")).unwrap_or_default();
    format!("{} is {}{by}{revision}{why}\n", field("name"), field("state"))
}

fn shown(proposal: &Value) -> String {
    let field = |name: &str| text(proposal, name);
    let mut told = outcome(proposal);
    let base = proposal.get("baseRevision").and_then(Value::as_i64).unwrap_or_default();
    told.push_str(&format!("  {} proposed by {} at revision {base}", field("verb"), field("proposer")));
    for said in [field("reason"), field("ticket")].iter().filter(|said| !said.is_empty()) {
        told.push_str(&format!(", {said}"));
    }
    told.push('\n');
    let back = field("rollbackRevision");
    if !back.is_empty() {
        let named = cell(proposal.get("rollbackResources"));
        let of = if named == "-" { String::new() } else { format!(", of {named}") };
        told.push_str(&format!("  to {back}{of}\n"));
    }
    let is = |name: &str| proposal.get(name).and_then(Value::as_bool).unwrap_or_default();
    for (flag, word) in [("staged", "by stages"), ("manual", "each approved"), ("allowShrink", "may shrink")]
    {
        if is(flag) {
            told.push_str(&format!("  {word}\n"));
        }
    }
    for change in list(proposal, "changes") {
        told.push_str(&format!("  {:<10}{}\n", text(change, "change"), text(change, "name")));
    }
    for file in list(proposal, "files") {
        told.push_str(&format!("--- {}\n", text(file, "path")));
        // Line by line, since only a line is made fit for a terminal.
        let whole = file.get("text").and_then(Value::as_str).unwrap_or_default();
        whole.lines().for_each(|line| told.push_str(&format!("{}\n", output::plain(line))));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_told_with_who_wants_what_and_what_became_of_it() {
        let mut proposal = json!({"name": "proposals/7", "state": "pending", "verb": "apply", "staged": true,
            "proposer": "platform/ops", "reason": "why", "ticket": "T-1", "baseRevision": 5,
            "changes": [{"name": "rules/r", "change": "updated"}],
            "files": [{"path": "r.yaml", "text": "a: 1\nb: \u{1b}[2J\n"}]});
        let told = shown(&proposal);
        assert_eq!(
            told.lines().take(5).collect::<Vec<_>>(),
            [
                "proposals/7 is pending",
                "  apply proposed by platform/ops at revision 5, why, T-1",
                "  by stages",
                "  updated   rules/r",
                "--- r.yaml",
            ]
        );
        assert!(told.lines().count() == 7 && !told.contains('\u{1b}'), "{told}");
        proposal["state"] = json!("published");
        proposal["approver"] = json!("platform/second");
        proposal["revision"] = json!(6);
        assert_eq!(outcome(&proposal), "proposals/7 is published by platform/second; revision 6\n");
        let row = listed(&json!({"proposals": [proposal]}));
        assert!(row.lines().nth(1).unwrap().contains("platform/ops"), "{row}");
    }
}
