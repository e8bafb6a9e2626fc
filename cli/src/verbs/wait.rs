//! `--wait`: a verb that changed something returns when the nodes enforce it, and says which do.
//!
//! Law: that nobody is there to enforce it is no success. A node that is known and not connected can't be waited for; it is
//! told.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::field::{list, text};
use super::{Form, Shown};
use crate::client::Client;
use crate::output;

/// Between two looks at the nodes.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether, and how long, a verb waits.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Wait {
    /// Return only when every connected node enforces it, and at least one does; fails after this many seconds (30 if none
    /// are given).
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    wait: Option<u64>,
}

/// Who enforces a revision.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    /// How many connected nodes do.
    following: usize,
    /// Connected nodes that do not yet, by name.
    due: Vec<String>,
    /// Every node that is behind or not connected, for people.
    behind: Vec<String>,
}

impl Wait {
    /// Waits, where that was asked for, until a revision is enforced, and tells by whom.
    pub(super) async fn enforced(self, client: &Client, revision: i64, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            let reply = client.all("nodes", "nodes").await?;
            let standing = Standing::of(list(&reply.json, "nodes"), revision);
            if standing.due.is_empty() && standing.following > 0 {
                // With `-o json` standard output is the answer of REST and nothing else.
                let say = if shown.output == Form::Json { output::complain } else { output::line };
                standing.told().iter().for_each(|line| say(line));
                return Ok(());
            }
            if Instant::now() >= until {
                standing.told().iter().for_each(|line| output::complain(line));
                return Err(Failure::NotEnforced { revision, due: standing.due });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Standing {
    fn of(nodes: &[Value], revision: i64) -> Self {
        let (mut following, mut due, mut behind) = (0_usize, Vec::new(), Vec::new());
        for node in nodes {
            let confirmed = node.get("confirmedRevision").and_then(Value::as_i64).unwrap_or_default();
            let (name, state) = (text(node, "name"), text(node, "state"));
            let connected = state == "connected";
            if connected && confirmed >= revision {
                following = following.saturating_add(1);
                continue;
            }
            let short = name.strip_prefix("nodes/").unwrap_or(&name);
            behind.push(format!("{short} ({state}, revision {confirmed})"));
            if connected {
                due.push(name);
            }
        }
        Self { following, due, behind }
    }

    fn told(&self) -> Vec<String> {
        let nodes = if self.following == 1 { "node" } else { "nodes" };
        let mut told = vec![format!("enforced by {} {nodes}", self.following)];
        if !self.behind.is_empty() {
            told.push(format!("behind: {}", self.behind.join(", ")));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, state: &str, confirmed: i64) -> Value {
        json!({"name": format!("nodes/{name}"), "state": state, "confirmedRevision": confirmed})
    }

    #[test]
    fn who_is_behind_or_away_is_told_and_only_who_is_there_is_waited_for() {
        let nodes =
            [node("eu-1", "connected", 8), node("eu-2", "connected", 7), node("us-1", "disconnected", 5)];
        let standing = Standing::of(&nodes, 8);
        assert_eq!(standing.due, ["nodes/eu-2"]);
        assert_eq!(
            standing.told(),
            ["enforced by 1 node", "behind: eu-2 (connected, revision 7), us-1 (disconnected, revision 5)"]
        );
        let all = Standing::of(&nodes[..1], 8);
        assert_eq!((all.due.len(), all.told()), (0, vec!["enforced by 1 node".to_owned()]));
        assert_eq!(Standing::of(&[], 8).told(), ["enforced by 0 nodes"]);
    }
}
