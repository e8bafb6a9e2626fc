//! `rollouts`: how staged changes reach the nodes, and steering that.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::because::Because;
use super::failure::Failure;
use super::field::{list, text};
use super::newest::Newest;
use super::{Form, Shown};
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};

/// Between two looks at a rollout.
const PAUSE: Duration = Duration::from_millis(100);

/// See and steer how staged changes reach the nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Rollouts {
    /// List rollouts, newest first.
    List(Newest),
    /// Show one rollout with its stages.
    Show(One),
    /// Let a rollout that waits go on to its next stage.
    Approve(Steered),
    /// Keep a rollout at its stage.
    Pause(Steered),
    /// Let a paused rollout go on.
    Resume(Steered),
    /// End a rollout by a new revision with what was there before.
    Abort(Steered),
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The revision it leads to, or its whole name such as `rollouts/7`.
    rollout: String,
    #[command(flatten)]
    shown: Shown,
}

/// Which one is steered, and why.
#[derive(Debug, Args)]
pub(crate) struct Steered {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    because: Because,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, rollouts: &Rollouts) -> Result<(), Failure> {
    match rollouts {
        Rollouts::List(newest) => newest.print(client, "rollouts", listed).await,
        Rollouts::Show(one) => {
            let reply = client.get(&named(&one.rollout), &[]).await?;
            one.shown.print(&reply, || shown(&reply.json));
            Ok(())
        }
        Rollouts::Approve(steered) => steer(client, steered, "approve").await,
        Rollouts::Pause(steered) => steer(client, steered, "pause").await,
        Rollouts::Resume(steered) => steer(client, steered, "resume").await,
        Rollouts::Abort(steered) => steer(client, steered, "abort").await,
    }
}

async fn steer(client: &Client, steered: &Steered, verb: &str) -> Result<(), Failure> {
    let client = &steered.because.told_by(client)?;
    let name = named(&steered.one.rollout);
    let reply = client.post(&format!("{name}:{verb}"), &json!({})).await?;
    steered.one.shown.print(&reply, || shown(&reply.json));
    Ok(())
}

/// Waits until a rollout is over, and tells how it ended; one that was taken back is a failure.
pub(super) async fn ended(client: &Client, name: &str, how: Shown) -> Result<(), Failure> {
    loop {
        let rollout = client.get(name, &[]).await?.json;
        match text(&rollout, "state").as_str() {
            "completed" => {
                let say = if how.output == Form::Json { output::complain } else { output::line };
                say(&format!("{name} is completed"));
                return Ok(());
            }
            "aborted" => {
                return Err(Failure::TakenBack { name: name.to_owned(), reason: text(&rollout, "reason") });
            }
            "waiting" | "paused" => {
                let line = format!("{name} is {}: {}", text(&rollout, "state"), text(&rollout, "reason"));
                output::complain(line.trim_end_matches([':', ' ']));
                return Ok(());
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn named(rollout: &str) -> String {
    if rollout.contains('/') { rollout.to_owned() } else { format!("rollouts/{rollout}") }
}

fn listed(answer: &Value) -> String {
    let row = |rollout: &Value| {
        let field = |name: &str| cell(rollout.get(name));
        let changes = list(rollout, "changes").len().to_string();
        vec![field("name"), field("state"), stage(rollout), changes, field("createTime"), field("reason")]
    };
    let header = ["rollout", "state", "stage", "changes", "began", "reason"];
    table(&header, list(answer, "rollouts").iter().map(row))
}

/// The newest stage that began.
fn stage(rollout: &Value) -> String {
    let begun = list(rollout, "stages").iter().rfind(|stage| text(stage, "state") != "pending");
    begun.map_or_else(|| "-".to_owned(), |stage| format!("{} {}", text(stage, "geo"), share(stage)))
}

fn share(stage: &Value) -> String {
    match stage.get("share").and_then(Value::as_u64).unwrap_or_default() {
        0 => "canary".to_owned(),
        share => format!("{share} %"),
    }
}

fn shown(rollout: &Value) -> String {
    let field = |name: &str| text(rollout, name);
    let mut told = format!("{} is {}", field("name"), field("state"));
    if !field("reason").is_empty() {
        told.push_str(&format!(": {}", field("reason")));
    }
    told.push('\n');
    for change in list(rollout, "changes") {
        told.push_str(&format!("  {:<10}{}\n", text(change, "change"), text(change, "name")));
    }
    for stage in list(rollout, "stages") {
        let nodes: Vec<String> =
            list(stage, "nodes").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let line = format!(
            "  {:<6}{:<8}{:<9}{}",
            text(stage, "geo"),
            share(stage),
            text(stage, "state"),
            nodes.join(", ")
        );
        told.push_str(&format!("{}\n", line.trim_end()));
    }
    if let Some(revision) = rollout.get("rollbackRevision").and_then(Value::as_i64).filter(|r| *r > 0) {
        told.push_str(&format!("  taken back by revision {revision}\n"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_told_with_its_stages_and_how_it_ended() {
        let rollout = json!({"name": "rollouts/7", "state": "aborted", "reason": "`nodes/eu-1` refuses revision 7",
            "changes": [{"name": "rules/r", "change": "updated"}], "rollbackRevision": 8, "stages": [
                {"geo": "eu", "share": 0, "state": "failed", "nodes": ["nodes/eu-1"]},
                {"geo": "eu", "share": 100, "state": "pending"}]});
        assert_eq!(
            shown(&rollout),
            "rollouts/7 is aborted: `nodes/eu-1` refuses revision 7\n  updated   rules/r\n  eu    canary  failed   nodes/eu-1\n  eu    100 %   pending\n  taken back by revision 8\n"
        );
        let row = listed(&json!({"rollouts": [rollout]}));
        assert!(row.lines().nth(1).unwrap().contains("eu canary"), "{row}");
    }
}
