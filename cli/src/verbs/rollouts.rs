//! `rollouts`: how staged changes reach the nodes, and steering that.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Shown;
use super::because::Because;
use super::course::share;
use super::failure::Failure;
use super::field::{list, text};
use super::newest::Newest;
use super::wait::Wait;
use crate::client::Client;
use crate::output::plain;
use crate::output::table::{cell, table};

/// See and steer how staged changes reach the nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Rollouts {
    /// List rollouts, newest first.
    List(Newest),
    /// Show one rollout with its stages.
    Show(One),
    /// Let a rollout that waits go on to its next stage.
    Approve(Awaited),
    /// Keep a rollout at its stage.
    Pause(Steered),
    /// Let a paused rollout go on.
    Resume(Awaited),
    /// End a rollout by a new revision with what was there before.
    Abort(Awaited),
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

/// Which one is steered, why, and whether that is waited for.
#[derive(Debug, Args)]
pub(crate) struct Awaited {
    #[command(flatten)]
    steered: Steered,
    #[command(flatten)]
    wait: Wait,
}

/// Asks the control plane.
pub(super) async fn run(client: &Client, rollouts: &Rollouts) -> Result<(), Failure> {
    match rollouts {
        Rollouts::List(newest) => newest.print(client, "rollouts", listed).await,
        Rollouts::Show(one) => {
            let reply = client.get(&named(&one.rollout), &[]).await?;
            one.shown.print(&reply, || shown(&reply.json, Timestamp::now()));
            Ok(())
        }
        Rollouts::Approve(asked) => go_on(client, asked, "approve").await,
        Rollouts::Pause(steered) => steer(client, steered, "pause").await.map(drop),
        Rollouts::Resume(asked) => go_on(client, asked, "resume").await,
        Rollouts::Abort(Awaited { steered, wait }) => {
            let rollout = steer(client, steered, "abort").await?;
            let revision = rollout.get("rollbackRevision").and_then(Value::as_i64).unwrap_or_default();
            wait.enforced(client, revision, steered.one.shown).await
        }
    }
}

async fn steer(client: &Client, steered: &Steered, verb: &str) -> Result<Value, Failure> {
    let client = &steered.because.told_by(client)?;
    let name = named(&steered.one.rollout);
    let reply = client.post(&format!("{name}:{verb}"), &json!({})).await?;
    steered.one.shown.print(&reply, || shown(&reply.json, Timestamp::now()));
    Ok(reply.json)
}

/// Lets a rollout go on, and waits, where that was asked for, until it is over or waits again.
async fn go_on(client: &Client, Awaited { steered, wait }: &Awaited, verb: &str) -> Result<(), Failure> {
    let rollout = steer(client, steered, verb).await?;
    wait.until_over(client, &text(&rollout, "name"), steered.one.shown).await
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

fn shown(rollout: &Value, now: Timestamp) -> String {
    let field = |name: &str| text(rollout, name);
    let mut told = format!("{} is {}", field("name"), field("state"));
    if !field("reason").is_empty() {
        told.push_str(&format!(": {}", field("reason")));
    }
    told.push('\n');
    told.push_str(&format!(
        "  began {} by {}\n",
        cell(rollout.get("createTime")),
        cell(rollout.get("actor"))
    ));
    if !field("endTime").is_empty() {
        told.push_str(&format!("  ended {}\n", field("endTime")));
    }
    for change in list(rollout, "changes") {
        told.push_str(&format!("  {:<10}{}\n", text(change, "change"), text(change, "name")));
    }
    told.push_str(&planned(list(rollout, "stages"), now));
    let tallies = [("under the candidate", "candidateTally"), ("under the stable content", "otherTally")];
    let counted = tallies.iter().filter_map(|(under, field)| Some((under, rollout.get(field)?)));
    for (under, tally) in counted {
        told.push_str(&format!("  {under}: {}\n", counts(tally)));
    }
    if let Some(revision) = rollout.get("rollbackRevision").and_then(Value::as_i64).filter(|r| *r > 0) {
        told.push_str(&format!("  taken back by revision {revision}\n"));
    }
    told
}

/// Stages, a line each: of which nodes, how far it is, since when, and how long it bakes still.
pub(super) fn planned(stages: &[Value], now: Timestamp) -> String {
    let line = |stage: &Value| {
        let nodes: Vec<&str> = list(stage, "nodes").iter().filter_map(Value::as_str).collect();
        let whole = format!(
            "  {:<6}{:<8}{:<9}{}",
            text(stage, "geo"),
            share(stage),
            text(stage, "state"),
            plain(&nodes.join(", "))
        );
        let further = [when(stage, now), text(stage, "note")];
        let further: Vec<String> = further.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{}  {}", whole.trim_end(), further.join("; ")).trim_end().to_owned() + "\n"
    };
    stages.iter().map(line).collect()
}

/// Since when a stage runs and until when it bakes, or when it was.
fn when(stage: &Value, now: Timestamp) -> String {
    let at = |field: &str| text(stage, field);
    if !at("endTime").is_empty() {
        return format!("{} to {}", at("startTime"), at("endTime"));
    }
    let bakes = at("bakeEndTime").parse::<Timestamp>().ok();
    match (bakes, at("startTime")) {
        (_, since) if since.is_empty() => String::new(),
        (None, since) => format!("since {since}, its nodes take it over"),
        (Some(end), since) => {
            let left = end.as_second().saturating_sub(now.as_second()).max(0);
            format!("since {since}, bakes {left} s still")
        }
    }
}

fn counts(tally: &Value) -> String {
    // Of 64 bits, which JSON has as texts.
    let count = |field: &str| match tally.get(field) {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        other => other.and_then(Value::as_u64).unwrap_or_default(),
    };
    let [requests, errors, denials] = ["requests", "errors", "denials"].map(count);
    format!("{requests} requests, {errors} failed, {denials} refused")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_told_with_its_stages_and_how_it_ended() {
        let rollout = json!({"name": "rollouts/7", "state": "aborted", "reason": "`nodes/eu-1` refuses revision 7",
            "actor": "platform/ops", "createTime": "2026-11-22T10:00:00Z", "endTime": "2026-11-22T10:01:00Z",
            "changes": [{"name": "rules/r", "change": "updated"}], "rollbackRevision": 8, "stages": [
                {"geo": "eu", "share": 0, "state": "failed", "nodes": ["nodes/eu-1"],
                    "startTime": "2026-11-22T10:00:01Z", "endTime": "2026-11-22T10:01:00Z"},
                {"geo": "eu", "share": 100, "state": "pending"}],
            "candidateTally": {"requests": "20", "denials": 3}, "otherTally": {}});
        assert_eq!(
            shown(&rollout, Timestamp::UNIX_EPOCH),
            "rollouts/7 is aborted: `nodes/eu-1` refuses revision 7\n  began 2026-11-22T10:00:00Z by platform/ops\n  \
             ended 2026-11-22T10:01:00Z\n  updated   rules/r\n  eu    canary  failed   nodes/eu-1  2026-11-22T10:00:01Z to \
             2026-11-22T10:01:00Z\n  eu    100 %   pending\n  under the candidate: 20 requests, 0 failed, 3 refused\n  \
             under the stable content: 0 requests, 0 failed, 0 refused\n  taken back by revision 8\n"
        );
        let row = listed(&json!({"rollouts": [rollout]}));
        assert!(row.lines().nth(1).unwrap().contains("eu canary"), "{row}");
    }

    #[test]
    fn a_stage_says_how_long_it_bakes_and_what_is_to_be_known_of_it() {
        let mut stage = json!({"geo": "eu", "share": 100, "state": "running", "nodes": ["nodes/a"],
            "startTime": "2026-11-22T10:00:00Z"});
        let at = |second: &str| format!("2026-11-22T10:00:{second}Z").parse::<Timestamp>().unwrap();
        let told = |stage: &Value| planned(std::slice::from_ref(stage), at("10"));
        let begin = "  eu    100 %   running  nodes/a  since 2026-11-22T10:00:00Z, ";
        assert_eq!(told(&stage), format!("{begin}its nodes take it over\n"));
        stage["bakeEndTime"] = json!("2026-11-22T10:00:42Z");
        assert_eq!(told(&stage), format!("{begin}bakes 32 s still\n"));
        let passed = json!({"geo": "us", "share": 100, "state": "pending", "note": "no node connected"});
        assert_eq!(told(&passed), "  us    100 %   pending  no node connected\n");
    }
}
