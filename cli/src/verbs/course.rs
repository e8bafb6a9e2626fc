//! A rollout on its way to the nodes, followed by who waits for it.
//!
//! Law: what it waits for is told as that changes, and how it ended decides how the verb ends. Absent on purpose: steering it
//! (`rollouts`), and how long one waits (`wait`).

use std::time::Duration;

use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{list, text};
use super::progress::Progress;
use crate::client::Client;
use crate::output::{self, plain};

/// Between two looks at a rollout.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until a rollout is over, and tells how it ended; one that was taken back is a failure.
pub(super) async fn ended(client: &Client, name: &str, how: Shown) -> Result<(), Failure> {
    let mut progress = Progress::of(how, Duration::ZERO);
    loop {
        let rollout = client.get(name, &[]).await?.json;
        let reason = text(&rollout, "reason");
        if text(&rollout, "state") == "progressing" {
            progress.tell(format!("{name}: {}", awaited(&rollout)));
        }
        match text(&rollout, "state").as_str() {
            "completed" => {
                how.say(format!("{name} is completed: {reason}").trim_end_matches([':', ' ']));
                return Ok(());
            }
            "aborted" => {
                return Err(Failure::TakenBack { name: name.to_owned(), reason: text(&rollout, "reason") });
            }
            "waiting" | "paused" => {
                let line = format!("{name} is {}: {}", text(&rollout, "state"), text(&rollout, "reason"));
                output::complain(line.trim_end_matches([':', ' ']));
                return Err(Failure::OnItsWay(name.to_owned()));
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// What a rollout that goes on waits for.
fn awaited(rollout: &Value) -> String {
    let running = list(rollout, "stages").iter().find(|stage| text(stage, "state") == "running");
    let stage = running.map(|stage| {
        let nodes: Vec<&str> = list(stage, "nodes").iter().filter_map(Value::as_str).collect();
        let nodes = plain(&nodes.join(", "));
        let what = match text(stage, "bakeEndTime") {
            none if none.is_empty() => format!("waiting for {nodes} to take it over"),
            end => format!("{nodes} took it over, baking until {end}"),
        };
        format!("{} {}: {what}", text(stage, "geo"), share(stage))
    });
    let stage = stage.unwrap_or_else(|| "its next stage begins".to_owned());
    let reason = text(rollout, "reason");
    if reason.is_empty() { stage } else { format!("{stage}: {reason}") }
}

/// Of what share of a geo a stage is.
pub(super) fn share(stage: &Value) -> String {
    match stage.get("share").and_then(Value::as_u64).unwrap_or_default() {
        0 => "canary".to_owned(),
        share => format!("{share} %"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_waits_is_told_for_which_stage_and_which_nodes() {
        let mut rollout = json!({"stages": [{"geo": "eu", "share": 0, "state": "done"}, {"geo": "eu", "share": 50, "state": "pending"}]});
        assert_eq!(awaited(&rollout), "its next stage begins");
        rollout["stages"][1] =
            json!({"geo": "eu", "share": 50, "state": "running", "nodes": ["nodes/a", "nodes/b"]});
        assert_eq!(awaited(&rollout), "eu 50 %: waiting for nodes/a, nodes/b to take it over");
        rollout["stages"][1]["bakeEndTime"] = json!("2026-11-22T10:00:42Z");
        rollout["reason"] = json!("`nodes/b` is not there");
        assert_eq!(
            awaited(&rollout),
            "eu 50 %: nodes/a, nodes/b took it over, baking until 2026-11-22T10:00:42Z: `nodes/b` is not there"
        );
    }
}
