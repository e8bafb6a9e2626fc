//! `--wait`: a verb that changed something returns when the nodes enforce it, and says which do. A node that was revoked, or was never
//! heard, is not spoken of: nobody waits for it.
//!
//! Law: that nobody is there to enforce it is no success. A node that is known and not connected can't be waited for; it is
//! told. A node that has refused it will not enforce it: that ends the wait, and why is told.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::field::{list, text};
use super::{Form, Shown, rollouts};
use crate::client::Client;
use crate::output;

/// Between two looks at the nodes.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether, and how long, a verb waits.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Wait {
    /// Return only when every connected node enforces it, and at least one does; fails when a node refuses it, and after this
    /// many seconds (30 if none are given).
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
    /// What connected nodes said when they refused it, or what came after it.
    refusals: Vec<String>,
}

impl Wait {
    /// Waits, where that was asked for, until a rollout is over; otherwise says where it can be seen.
    pub(super) async fn rolled_out(self, client: &Client, name: &str, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else {
            output::complain(&format!("on its way by {name}: chancery rollouts show {name}"));
            return Ok(());
        };
        let ended = tokio::time::timeout(Duration::from_secs(seconds), rollouts::ended(client, name, shown));
        ended.await.unwrap_or_else(|_| Err(Failure::OnItsWay(name.to_owned())))
    }

    /// Waits, where that was asked for, until a revision is enforced, and tells by whom.
    pub(super) async fn enforced(self, client: &Client, revision: i64, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let end = end(seconds);
        loop {
            let reply = client.all("nodes", "nodes").await?;
            let standing = Standing::of(list(&reply.json, "nodes"), revision);
            if standing.due.is_empty() && standing.following > 0 {
                // With `-o json` standard output is the answer of REST and nothing else.
                let say = if shown.output == Form::Json { output::complain } else { output::line };
                standing.told().iter().for_each(|line| say(line));
                return Ok(());
            }
            if !standing.refusals.is_empty() {
                standing.told().iter().for_each(|line| output::complain(line));
                return Err(Failure::NodeRefused { revision, refusals: standing.refusals });
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                standing.told().iter().for_each(|line| output::complain(line));
                return Err(Failure::NotEnforced { revision, due: standing.due });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Wait {
    /// Waits, where that was asked for, until what is switched off now is so at every node that is connected, and tells at which.
    pub(super) async fn held(self, client: &Client, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let end = end(seconds);
        loop {
            let reply = client.all("nodes", "nodes").await?;
            let (held, due) = holders(list(&reply.json, "nodes"));
            if due.is_empty() && held > 0 {
                let say = if shown.output == Form::Json { output::complain } else { output::line };
                say(&format!("enforced by {held} {}", if held == 1 { "node" } else { "nodes" }));
                return Ok(());
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(Failure::NotHeld { held, due });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// How many of the nodes that are there hold what is switched off, and which do not yet, by name.
fn holders(nodes: &[Value]) -> (usize, Vec<String>) {
    let there = |node: &&Value| matches!(text(node, "state").as_str(), "connected" | "incompatible");
    let (held, due): (Vec<&Value>, Vec<&Value>) =
        nodes.iter().filter(there).partition(|node| text(node, "kills") == "held");
    (held.len(), due.into_iter().map(|node| text(node, "name")).collect())
}

/// When a wait that begins now ends; of so many seconds that no clock counts them, never.
fn end(seconds: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(seconds))
}

impl Standing {
    fn of(nodes: &[Value], revision: i64) -> Self {
        let (mut following, mut due) = (0_usize, Vec::new());
        let (mut behind, mut refusals) = (Vec::new(), Vec::new());
        for node in nodes {
            let confirmed = node.get("confirmedRevision").and_then(Value::as_i64).unwrap_or_default();
            let (name, state) = (text(node, "name"), text(node, "state"));
            if matches!(state.as_str(), "revoked" | "awaited") {
                continue;
            }
            let connected = state == "connected";
            if connected && confirmed >= revision {
                following = following.saturating_add(1);
                continue;
            }
            let short = name.strip_prefix("nodes/").unwrap_or(&name);
            let refused = node.get("lastNack").filter(|nack| revision_of(nack) > confirmed);
            let why = refused.map(|nack| format!(", refused {}", revision_of(nack))).unwrap_or_default();
            behind.push(format!("{short} ({state}, revision {confirmed}{why})"));
            if connected {
                let refused = refused.filter(|nack| revision_of(nack) >= revision);
                refusals.extend(refused.map(|nack| refusal(short, nack)));
                due.push(name);
            }
        }
        Self { following, due, behind, refusals }
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

fn revision_of(nack: &Value) -> i64 {
    nack.get("revision").and_then(Value::as_i64).unwrap_or_default()
}

/// A node's refusal: which, by what code, of what, and why.
fn refusal(node: &str, nack: &Value) -> String {
    let said = ["code", "resource", "detail"].map(|field| text(nack, field));
    let why = said.into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join(": ");
    format!("{node}: {why}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, state: &str, confirmed: i64) -> Value {
        json!({"name": format!("nodes/{name}"), "state": state, "confirmedRevision": confirmed})
    }

    #[test]
    fn a_wait_may_be_as_long_as_it_is_said() {
        let now = Instant::now();
        assert!(end(60).is_some_and(|end| end >= now + Duration::from_secs(60)));
        assert_eq!(end(u64::MAX), None);
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

    #[test]
    fn nobody_waits_for_who_was_revoked_or_never_heard() {
        let nodes = [node("eu-1", "connected", 8), node("eu-2", "revoked", 7), node("eu-3", "awaited", 0)];
        assert_eq!(Standing::of(&nodes, 8).told(), ["enforced by 1 node"]);
    }

    #[test]
    fn who_holds_what_is_switched_off_is_told_of_those_that_are_there() {
        let node =
            |name: &str, state: &str, kills: &str| json!({"name": name, "state": state, "kills": kills});
        let nodes = [
            node("nodes/a", "connected", "held"),
            node("nodes/b", "connected", "behind"),
            node("nodes/c", "incompatible", ""),
            node("nodes/d", "disconnected", "behind"),
        ];
        assert_eq!(holders(&nodes), (1, vec!["nodes/b".to_owned(), "nodes/c".to_owned()]));
    }

    #[test]
    fn who_has_refused_it_is_not_waited_for_and_why_is_told() {
        let mut refusing = node("eu-1", "connected", 7);
        refusing["lastNack"] =
            json!({"code": "EMPTY_REFUSED", "revision": 8, "resource": "", "detail": "it is empty"});
        let standing = Standing::of(std::slice::from_ref(&refusing), 8);
        assert_eq!(standing.refusals, ["eu-1: EMPTY_REFUSED: it is empty"]);
        assert_eq!(standing.told()[1], "behind: eu-1 (connected, revision 7, refused 8)");
        // What is newer is not refused by that; it may be on its way.
        let newer = Standing::of(std::slice::from_ref(&refusing), 9);
        assert_eq!((newer.refusals.len(), newer.due.len()), (0, 1));
        // A refusal that is overcome is none, and who has gone is not waited for.
        refusing["confirmedRevision"] = json!(8);
        assert_eq!(Standing::of(std::slice::from_ref(&refusing), 8).following, 1);
        refusing["confirmedRevision"] = json!(7);
        refusing["state"] = json!("disconnected");
        assert!(Standing::of(&[refusing], 8).refusals.is_empty());
    }
}
