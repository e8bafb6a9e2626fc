//! `audit`: who did what.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{call, list};
use crate::client::Client;
use crate::output::table::{cell, table};

/// Read the log of administrative acts.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List acts, newest first.
    List(List),
}

/// How many are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, audit: &Audit) -> Result<(), Failure> {
    let Audit::List(list) = audit;
    let reply = client.get("auditEvents", &[("pageSize", list.limit.to_string())]).await?;
    list.shown.print(&reply, || listed(&reply.json));
    Ok(())
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
        ]
    };
    table(
        &["sequence", "time", "actor", "action", "resource", "outcome", "revision"],
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
                "2"
            ]
        );
    }
}
