//! `audit`: who did what.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{call, list};
use super::instant::{From, moment};
use crate::client::Client;
use crate::output::table::{cell, table};

/// Read the log of administrative acts.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List acts, newest first.
    List(List),
}

/// Which are listed, and how many.
#[derive(Debug, Args)]
pub(crate) struct List {
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
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, audit: &Audit) -> Result<(), Failure> {
    let Audit::List(list) = audit;
    let reply = client
        .some("auditEvents", (&query(list, SystemTime::now())?, usize::from(list.limit)), "auditEvents")
        .await?;
    list.shown.print(&reply, || listed(&reply.json));
    Ok(())
}

/// What is asked for, as parameters.
fn query(list: &List, now: SystemTime) -> Result<Vec<(&'static str, String)>, Failure> {
    let ago = |text: &Option<String>| text.as_deref().map(|text| moment(text, (now, From::Ago))).transpose();
    let words = [
        ("actor", list.actor.clone()),
        ("resource", list.resource.clone()),
        ("action", list.action.clone()),
        ("outcome", list.outcome.clone()),
        ("since", ago(&list.since)?),
        ("until", ago(&list.until)?),
    ];
    Ok(words.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
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
            field("reason"),
        ]
    };
    table(
        &["sequence", "time", "actor", "action", "resource", "outcome", "revision", "ticket", "reason"],
        list(answer, "auditEvents").iter().map(row),
    )
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
