//! `audit`: who did what, and the proof of it.

mod export;
mod key;
mod verify;

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{self, call, list};
use super::instant::{From, moment};
use crate::client::Client;
use crate::output::table::{cell, table};

/// Read the log of administrative acts, export it, and verify what was exported.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List acts, newest first.
    List(List),
    /// Write the log, or some of it, to a file that can be verified without a control plane.
    Export(export::Export),
    /// Write the keys that verify exports to a file, to be kept apart from the control plane and from exports.
    Key(key::Key),
    /// Write the log's signed checkpoint to a file: with it a later export is shown to be of the same log, with more behind it.
    Checkpoint(key::Checkpoint),
    /// Verify an export: offline, from the file and the keys alone.
    Verify(verify::Verify),
}

/// Which are listed, and how many.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    shown: Shown,
}

/// Which acts are asked for.
#[derive(Debug, Clone, Default, Args)]
struct Asked {
    /// Only acts of this actor, such as `platform/admin` or `tenants/acme/principals/ada@example.org`.
    #[arg(long)]
    actor: Option<String>,
    /// Only acts upon this resource, such as `rules/eu-residency`; all below `tenants/acme`; or all of a collection, `rules`.
    #[arg(long)]
    resource: Option<String>,
    /// Only acts by this call, such as `Apply` or `CreateTeam`.
    #[arg(long)]
    action: Option<String>,
    /// Only acts that ended like this: `ok`, an error code, or `refused` for every one.
    #[arg(long)]
    outcome: Option<String>,
    /// Only acts from then on: a length such as 1h30m ago, a date (its first instant in UTC) or an instant.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    since: Option<String>,
    /// Only acts before then: a length such as 1h30m ago, a date (its first instant in UTC) or an instant.
    #[arg(long, value_name = "LENGTH|DATE|INSTANT")]
    until: Option<String>,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, audit: &Audit) -> Result<(), Failure> {
    match audit {
        Audit::List(list) => {
            let query = list.asked.as_of(SystemTime::now())?.query();
            let most = usize::from(list.limit);
            let reply = client.some("auditEvents", (&query, most), "auditEvents").await?;
            field::unmatched(field::list(&reply.json, "auditEvents"), &query, list.shown);
            list.shown.print(&reply, || listed(&reply.json));
            field::unlisted(&reply.json, (field::list(&reply.json, "auditEvents"), list.limit), list.shown);
            Ok(())
        }
        Audit::Export(asked) => export::run(client, asked).await,
        Audit::Key(asked) => key::run(client, asked).await,
        Audit::Checkpoint(asked) => key::checkpoint(client, asked).await,
        Audit::Verify(asked) => verify::run(asked),
    }
}

/// Verifies an export, and asks nobody.
pub(super) fn verify(asked: &verify::Verify) -> Result<(), Failure> {
    verify::run(asked)
}

impl Asked {
    /// The same, with instants in place of lengths and dates.
    fn as_of(&self, now: SystemTime) -> Result<Self, Failure> {
        let ago =
            |text: &Option<String>| text.as_deref().map(|text| moment(text, (now, From::Ago))).transpose();
        Ok(Self { since: ago(&self.since)?, until: ago(&self.until)?, ..self.clone() })
    }

    /// As parameters.
    fn query(&self) -> Vec<(&'static str, String)> {
        let words = [
            ("actor", &self.actor),
            ("resource", &self.resource),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("since", &self.since),
            ("until", &self.until),
        ];
        words.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

fn listed(answer: &Value) -> String {
    let row = |event: &Value| {
        let field = |name: &str| cell(event.get(name));
        vec![
            field("sequence"),
            field("createTime"),
            field("actor"),
            call(event, "action"),
            field("resource"),
            field("outcome"),
            field("revision"),
            field("ticket"),
            pruned(event).unwrap_or_else(|| field("reason")),
        ]
    };
    table(
        &["sequence", "time", "actor", "action", "resource", "outcome", "revision", "ticket", "reason"],
        list(answer, "auditEvents").iter().map(row),
    )
}

/// By what an event's body went, and when; `None`: it is there.
pub(super) fn pruned(event: &Value) -> Option<String> {
    let pruned = event.get("pruned")?;
    let said = |name: &str| cell(pruned.get(name));
    let by = said("event");
    let number = by.rsplit('/').next().unwrap_or_default();
    Some(format!("pruned under {} at {} (event {number})", said("retention"), said("pruneTime")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_act_is_one_row() {
        let event = json!({"sequence": 3, "createTime": "2026-01-31T12:00:00Z", "actor": "platform/root",
            "action": "chancery.admin.v1.TeamsService/CreateTeam", "resource": "tenants/a/teams/r", "outcome": "ok",
            "revision": 2});
        let shown = listed(&json!({"auditEvents": [event]}));
        let row: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row,
            [
                "3",
                "2026-01-31T12:00:00Z",
                "platform/root",
                "TeamsService/CreateTeam",
                "tenants/a/teams/r",
                "ok",
                "2",
                "-",
                "-"
            ]
        );
    }
}
