//! `break-glass` and `elevations`: the platform's rights, taken for a while and given back.
//!
//! Law: why is asked of whoever takes them; who may, and for how long, is for the control plane to say.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Shown;
use super::failure::Failure;
use super::field::list;
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// Take the platform's rights for a while, where the configuration of the control plane lets you (`[break_glass]`). Everything done with
/// them is logged under them, and operators are told.
#[derive(Debug, Args)]
pub(crate) struct BreakGlass {
    /// Why, for the log of acts. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// For how long, such as 30m; the configuration says how long at most. Without it: 30 minutes, or the most where that is less.
    #[arg(long = "for", value_name = "LENGTH")]
    valid: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// See who has taken the platform's rights for a while, and end that.
#[derive(Debug, Subcommand)]
pub(crate) enum Elevations {
    /// List them, the newest first, those that are over among them.
    List(Listed),
    /// Show one.
    Show(One),
    /// Give rights back before their time; an administrator may take them back.
    End(One),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    shown: Shown,
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its number, or its whole name such as `elevations/7`.
    elevation: String,
    #[command(flatten)]
    shown: Shown,
}

/// Takes rights.
pub(super) async fn take(client: &Client, asked: &BreakGlass) -> Result<(), Failure> {
    let mut spec = json!({ "reason": asked.reason });
    for (name, given) in [("ticket", &asked.ticket), ("valid", &asked.valid)] {
        if let (Some(fields), Some(given)) = (spec.as_object_mut(), given) {
            fields.insert(name.to_owned(), given.as_str().into());
        }
    }
    let reply = client.post("elevations", &json!({ "spec": spec })).await?;
    let field = |name: &str| cell(reply.json.get(name));
    asked.shown.print(&reply, || {
        format!(
            "{} has the platform's rights by {} until {}: chancery elevations end {} gives them back\n",
            field("holder"),
            field("name"),
            field("expireTime"),
            field("name")
        )
    });
    Ok(())
}

/// Lists, shows or ends.
pub(super) async fn of_all(client: &Client, asked: &Elevations) -> Result<(), Failure> {
    match asked {
        Elevations::List(asked) => {
            let reply = client.all("elevations", "elevations").await?;
            asked.shown.print(&reply, || listed(&reply.json));
        }
        Elevations::Show(asked) => {
            let reply = client.get(&named(&asked.elevation), &[]).await?;
            asked.shown.print(&reply, || shown(&reply.json));
        }
        Elevations::End(asked) => {
            let reply = client.post(&format!("{}:end", named(&asked.elevation)), &json!({})).await?;
            let name = cell(reply.json.get("name"));
            asked.shown.print(&reply, || format!("{name} is over\n"));
        }
    }
    Ok(())
}

fn named(elevation: &str) -> String {
    if elevation.starts_with("elevations/") {
        elevation.to_owned()
    } else {
        format!("elevations/{elevation}")
    }
}

fn listed(answer: &Value) -> String {
    let row = |elevation: &Value| {
        let field = |name: &str| cell(elevation.get(name));
        let spec = |name: &str| cell(elevation.pointer(&format!("/spec/{name}")));
        let end = if elevation.get("endTime").is_some() { field("endTime") } else { field("expireTime") };
        vec![
            field("name"),
            field("state"),
            field("holder"),
            field("createTime"),
            end,
            spec("ticket"),
            spec("reason"),
        ]
    };
    let headings = ["name", "state", "holder", "since", "until", "ticket", "reason"];
    table(&headings, list(answer, "elevations").iter().map(row))
}

fn shown(elevation: &Value) -> String {
    let field = |name: &str| cell(elevation.get(name));
    let spec = |name: &str| cell(elevation.pointer(&format!("/spec/{name}")));
    let lines = [
        ("name", field("name")),
        ("state", field("state")),
        ("holder", field("holder")),
        ("key", field("keyId")),
        ("since", field("createTime")),
        ("until", field("expireTime")),
        ("ended", field("endTime")),
        ("by", field("ender")),
        ("ticket", spec("ticket")),
        ("why", spec("reason")),
    ];
    lines.iter().map(|(heading, what)| format!("{heading:<8}{}\n", output::plain(what))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_taken_rights_is_listed_with_why() {
        let active = json!({"name": "elevations/7", "state": "active", "holder": "platform/eve",
            "createTime": "2026-01-01T00:00:00Z", "expireTime": "2026-01-01T00:30:00Z",
            "spec": {"reason": "an incident", "ticket": "INC-1"}});
        let mut ended = active.clone();
        (ended["state"], ended["endTime"], ended["ender"]) =
            (json!("ended"), json!("2026-01-01T00:10:00Z"), json!("platform/root"));
        let text = listed(&json!({"elevations": [active, ended]}));
        let rows: Vec<_> = text.lines().collect();
        assert!(
            rows[1].contains("active") && rows[1].contains("T00:30:00Z") && rows[1].ends_with("an incident"),
            "{text}"
        );
        assert!(rows[2].contains("T00:10:00Z"), "{text}");
        assert!(shown(&ended).contains("by      platform/root\n"), "{}", shown(&ended));
        assert_eq!(
            (named("7"), named("elevations/7")),
            ("elevations/7".to_owned(), "elevations/7".to_owned())
        );
    }
}
