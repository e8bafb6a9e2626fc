//! `retention`: for how long what is recorded is kept.
//!
//! Law: why is asked of whoever sets or deletes one. Absent on purpose: what goes, and when, which the control plane and nodes see to.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Shown;
use super::failure::Failure;
use super::field::list;
use crate::client::{Client, ClientError};
use crate::output::table::{cell, table};

/// See and say for how long what is recorded is kept. Without a retention, everything is kept for good.
#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// List what is set.
    List(Listed),
    /// Set one, in the place of the one there is. It takes effect when its grace is over.
    Set(Set),
    /// Delete one: what it was for is kept for good from now on. A geo's own leaves its decisions to the retention of all, after its grace.
    Delete(Delete),
}

/// How they are listed.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    shown: Shown,
}

/// What is kept for how long.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// What is kept: `decisions` (records of requests), `reads` (who looked at what, and was refused) or `changes` (who changed what).
    class: String,
    /// Of decisions: in this geo alone.
    #[arg(long, value_name = "ID")]
    geo: Option<String>,
    /// For how long, such as `400d`: a number and `s`, `m`, `h` or `d`, of `1s` to `3660d`.
    #[arg(long, value_name = "LENGTH")]
    keep: String,
    /// Why. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

/// What is kept for good again.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Its name, such as `retentions/reads` or `decisions-eu`.
    name: String,
    /// Why. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

/// Lists, sets or deletes.
pub(super) async fn run(client: &Client, asked: &Retention) -> Result<(), Failure> {
    match asked {
        Retention::List(asked) => {
            let reply = client.all("retentions", "retentions").await?;
            asked.shown.print(&reply, || retentions(&reply.json));
        }
        Retention::Set(asked) => {
            let spec = json!({
                "class": asked.class,
                "geo": asked.geo.clone().unwrap_or_default(),
                "keep": asked.keep,
                "reason": asked.reason,
            });
            let before = earlier(client, asked).await?;
            let reply = client.post("retentions:set", &json!({ "spec": spec })).await?;
            asked.shown.print(&reply, || set(&reply.json, before.as_deref()));
        }
        Retention::Delete(asked) => {
            let name = named(&asked.name);
            let reply = client.delete(&name, &[("reason", asked.reason.clone())]).await?;
            asked.shown.print(&reply, || deleted(&name));
        }
    }
    Ok(())
}

/// What is so from now on.
fn deleted(name: &str) -> String {
    let left = match name.strip_prefix("retentions/decisions-") {
        Some(geo) => format!(
            "what it was for is kept for good, or, where `retentions/decisions` is set, as long as that says of `{geo}` once a grace is over"
        ),
        None => "what it was for is kept for good".to_owned(),
    };
    format!("{name} is deleted: {left}\n")
}

fn named(name: &str) -> String {
    if name.starts_with("retentions/") { name.to_owned() } else { format!("retentions/{name}") }
}

/// For how long the retention keeps whose place another is to take; `None`: there is none.
async fn earlier(client: &Client, asked: &Set) -> Result<Option<String>, Failure> {
    let name = match &asked.geo {
        Some(geo) => format!("{}-{geo}", asked.class),
        None => asked.class.clone(),
    };
    match client.get(&named(&name), &[]).await {
        Ok(reply) => Ok(Some(cell(reply.json.pointer("/spec/keep")))),
        // What is no name of one is for the control plane to refuse.
        Err(ClientError::Refused(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

fn set(retention: &Value, before: Option<&str>) -> String {
    let field = |name: &str| cell(retention.pointer(name));
    let before = before.map(|keep| format!("; before it was {keep}")).unwrap_or_default();
    format!("{} keeps {}, from {} on{before}\n", field("/name"), field("/spec/keep"), field("/effectiveTime"))
}

fn retentions(answer: &Value) -> String {
    let row = |retention: &Value| {
        ["/name", "/spec/keep", "/effectiveTime", "/creator", "/createTime", "/spec/reason"]
            .map(|field| cell(retention.pointer(field)))
            .to_vec()
    };
    let headings = ["name", "keep", "in effect from", "set by", "set", "reason"];
    table(&headings, list(answer, "retentions").iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_listed_with_what_it_keeps_and_from_when_on() {
        let one = json!({"name": "retentions/decisions-eu", "spec": {"keep": "400d", "reason": "policy 7"},
            "effectiveTime": "2026-02-01T00:00:00Z"});
        assert_eq!(set(&one, None), "retentions/decisions-eu keeps 400d, from 2026-02-01T00:00:00Z on\n");
        assert!(set(&one, Some("30d")).ends_with("2026-02-01T00:00:00Z on; before it was 30d\n"));
        let text = retentions(&json!({"retentions": [one]}));
        assert!(text.contains("retentions/decisions-eu") && text.contains("policy 7"), "{text}");
        assert_eq!(
            deleted("retentions/reads"),
            "retentions/reads is deleted: what it was for is kept for good\n"
        );
        assert!(deleted("retentions/decisions-eu").contains("once a grace is over"));
        assert_eq!(
            (named("reads"), named("retentions/reads")),
            ("retentions/reads".into(), "retentions/reads".into())
        );
    }
}
