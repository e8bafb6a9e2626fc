//! `--wait`: a verb that changed something returns when the nodes enforce it, and says which do. A node that was revoked, or was never
//! heard, is not spoken of: nobody waits for it.
//!
//! Law: that nobody is there to enforce it is no success, nor is that a node which was there until a moment ago may serve what was before.
//! The control plane says which those are (`expected`); a node that is gone for longer can't be waited for, and is told. A node that has
//! refused it will not enforce it, nor will one that is ahead of a restored store: that ends the wait, and why is told.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::field::{list, text};
use super::instant::length;
use super::progress::Progress;
use super::{Shown, course};
use crate::client::Client;
use crate::output;

/// How long a wait for nodes says nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Between two looks at the nodes.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether, and how long, a verb waits.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Wait {
    /// Return only when every node that is there enforces it, and at least one does. A node is there while it is connected, and for a
    /// minute after it was last heard, or after the control plane started again; one that is gone for longer, or drained, is named and
    /// not waited for. What it waits for is told on standard error. Fails when a node refuses it, when a rollout is taken back (exit code
    /// 8), and after so many seconds, or a length such as 5m (30 seconds if none is given), naming who is due (exit code 9).
    #[arg(long, value_name = "SECONDS|LENGTH", num_args = 0..=1, require_equals = true, default_missing_value = "30",
        value_parser = seconds)]
    wait: Option<u64>,
}

/// So many seconds, or a length, of which a part of a second is a whole one.
fn seconds(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let wrong = || "is neither a number of seconds nor a length such as 5s or 1h30m".to_owned();
    let microseconds = length(text).and_then(|length| u64::try_from(length).ok()).ok_or_else(wrong)?;
    Ok(microseconds.div_ceil(1_000_000))
}

/// Who enforces a revision.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    /// How many connected nodes do.
    following: usize,
    /// Nodes that are connected or expected and do not yet, by name.
    due: Vec<String>,
    /// Every node that is behind or not connected, for people.
    behind: Vec<String>,
    /// What connected nodes said when they refused it, or what came after it.
    refusals: Vec<String>,
    /// One that is due is told nothing.
    hopeless: bool,
}

impl Wait {
    /// Waits, where that was asked for, until a rollout is over; otherwise says where it can be seen.
    pub(super) async fn rolled_out(self, client: &Client, name: &str, shown: Shown) -> Result<(), Failure> {
        if self.wait.is_none() {
            output::complain(&format!("on its way by {name}: chancery rollouts show {name}"));
        }
        self.until_over(client, name, shown).await
    }

    /// Waits, where that was asked for, until a rollout is over, or waits for somebody.
    pub(super) async fn until_over(self, client: &Client, name: &str, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let ended = tokio::time::timeout(Duration::from_secs(seconds), course::ended(client, name, shown));
        ended.await.unwrap_or_else(|_| Err(Failure::OnItsWay(name.to_owned())))
    }

    /// Waits, where that was asked for, until a revision is enforced, and tells by whom.
    pub(super) async fn enforced(self, client: &Client, revision: i64, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let (end, mut progress) = (end(seconds), Progress::of(shown, SILENCE));
        loop {
            let reply = client.all("nodes", "nodes").await?;
            let standing = Standing::of(list(&reply.json, "nodes"), revision);
            if standing.due.is_empty() && standing.following > 0 {
                standing.told().iter().for_each(|line| shown.say(line));
                return Ok(());
            }
            if !standing.refusals.is_empty() {
                standing.told().iter().for_each(|line| shown.lead(line));
                return Err(Failure::NodeRefused { revision, refusals: standing.refusals });
            }
            if standing.hopeless || end.is_some_and(|end| Instant::now() >= end) {
                standing.told().iter().for_each(|line| shown.lead(line));
                return Err(Failure::NotEnforced { revision, due: standing.due });
            }
            progress.tell(waiting(&standing.due));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Wait {
    /// Waits, where that was asked for, until what is switched off now is so at every node that is there, and tells at how many, and
    /// which are gone that did not say so.
    pub(super) async fn held(self, client: &Client, shown: Shown) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let (end, mut progress) = (end(seconds), Progress::of(shown, SILENCE));
        loop {
            let reply = client.all("nodes", "nodes").await?;
            let Holders { held, due, gone, hopeless } = Holders::of(list(&reply.json, "nodes"));
            if due.is_empty() && held > 0 {
                shown.say(&format!("enforced by {held} {}", if held == 1 { "node" } else { "nodes" }));
                if !gone.is_empty() {
                    shown.say(&format!("behind: {}", gone.join(", ")));
                }
                return Ok(());
            }
            if hopeless || end.is_some_and(|end| Instant::now() >= end) {
                return Err(Failure::NotHeld { held, due });
            }
            progress.tell(waiting(&due));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Who holds what is switched off.
#[derive(Debug, Default, PartialEq, Eq)]
struct Holders {
    /// How many of those that are connected do.
    held: usize,
    /// Those that are connected or expected and do not yet, by name.
    due: Vec<String>,
    /// Those that are gone and did not say that they do, for people.
    gone: Vec<String>,
    /// One that is due is told nothing.
    hopeless: bool,
}

impl Holders {
    fn of(nodes: &[Value]) -> Self {
        let mut holders = Self::default();
        for node in nodes {
            let (name, state) = (text(node, "name"), text(node, "state"));
            let there = matches!(state.as_str(), "connected" | "incompatible");
            match text(node, "kills") == "held" {
                _ if matches!(state.as_str(), "revoked" | "awaited") => {}
                true if there => holders.held = holders.held.saturating_add(1),
                true => {}
                false if there && is_ahead(node) => {
                    holders.due.push(ahead(&name));
                    holders.hopeless = true;
                }
                false if there => holders.due.push(name),
                false if is_expected(node) => holders.due.push(away(&name)),
                false => holders.gone.push(format!("{} ({state})", short(&name))),
            }
        }
        holders
    }
}

/// Whom a wait is for, in words.
fn waiting(due: &[String]) -> String {
    match due {
        [] => "waiting for any node: none is connected".to_owned(),
        due => format!("waiting for {}", due.join(", ")),
    }
}

/// Whether a node that is not connected was there until a moment ago.
fn is_expected(node: &Value) -> bool {
    node.get("expected").and_then(Value::as_bool) == Some(true)
}

/// Whether a node knows more than the store, which was restored, and so is told nothing by it.
fn is_ahead(node: &Value) -> bool {
    let epoch = |field: &str| node.get(field).and_then(Value::as_i64).unwrap_or_default();
    epoch("aheadEpoch") > 0 && epoch("aheadEpoch") >= epoch("headEpoch")
}

/// A node that is due and told nothing.
fn ahead(name: &str) -> String {
    format!(
        "{name} (ahead of the store, which was restored: told nothing before chancery revisions bump-epoch)"
    )
}

/// A node that is due and not connected.
fn away(name: &str) -> String {
    format!("{name} (not connected)")
}

fn short(name: &str) -> &str {
    name.strip_prefix("nodes/").unwrap_or(name)
}

/// When a wait that begins now ends; of so many seconds that no clock counts them, never.
fn end(seconds: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(seconds))
}

impl Standing {
    fn of(nodes: &[Value], revision: i64) -> Self {
        let (mut following, mut due) = (0_usize, Vec::new());
        let (mut behind, mut refusals, mut hopeless) = (Vec::new(), Vec::new(), false);
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
            let short = short(&name);
            let refused = node.get("lastNack").filter(|nack| revision_of(nack) > confirmed);
            let why = refused.map(|nack| format!(", refused {}", revision_of(nack))).unwrap_or_default();
            behind.push(format!("{short} ({state}, revision {confirmed}{why})"));
            if connected {
                let refused = refused.filter(|nack| revision_of(nack) >= revision);
                refusals.extend(refused.map(|nack| refusal(short, nack)));
                let is_ahead = is_ahead(node);
                hopeless |= is_ahead;
                due.push(if is_ahead { ahead(&name) } else { name });
            } else if is_expected(node) && confirmed < revision {
                due.push(away(&name));
            }
        }
        Self { following, due, behind, refusals, hopeless }
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
    fn a_wait_is_so_many_seconds_or_a_length() {
        for (text, long) in [("30", 30), ("5s", 5), ("1h30m", 5400), ("0", 0)] {
            assert_eq!(seconds(text), Ok(long), "{text}");
        }
        assert!(
            seconds("soon").unwrap_err().contains("5s") && seconds("").is_err() && seconds("-5s").is_err()
        );
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
            node("nodes/e", "disconnected", "held"),
            node("nodes/f", "revoked", "behind"),
        ];
        let due = vec!["nodes/b".to_owned(), "nodes/c".to_owned()];
        let gone = vec!["d (disconnected)".to_owned()];
        assert_eq!(Holders::of(&nodes), Holders { held: 1, due, gone, hopeless: false });
        let lost = ["", "behind", "held"].map(|kills| expected(node("nodes/g", "disconnected", kills)));
        let due = vec!["nodes/g (not connected)".to_owned(); 2];
        assert_eq!(Holders::of(&lost), Holders { due, ..Holders::default() });
    }

    fn expected(mut node: Value) -> Value {
        node["expected"] = json!(true);
        node
    }

    #[test]
    fn who_was_there_until_a_moment_ago_is_waited_for_unless_it_is_known_to_enforce_it() {
        let nodes = [node("eu-1", "connected", 8), expected(node("us-1", "disconnected", 5))];
        let standing = Standing::of(&nodes, 8);
        assert_eq!(standing.due, ["nodes/us-1 (not connected)"]);
        assert_eq!(standing.told(), ["enforced by 1 node", "behind: us-1 (disconnected, revision 5)"]);
        let enforces = [node("eu-1", "connected", 8), expected(node("us-1", "disconnected", 8))];
        assert!(Standing::of(&enforces, 8).due.is_empty());
    }

    #[test]
    fn who_is_ahead_of_a_restored_store_is_not_waited_for_and_what_to_do_is_told() {
        let mut node = node("eu-1", "connected", 0);
        (node["aheadEpoch"], node["headEpoch"], node["kills"]) = (json!(1), json!(1), json!("behind"));
        let due = "nodes/eu-1 (ahead of the store, which was restored: told nothing before chancery revisions bump-epoch)";
        let (standing, holders) =
            (Standing::of(std::slice::from_ref(&node), 8), Holders::of(&[node.clone()]));
        assert_eq!((standing.due, standing.hopeless), (vec![due.to_owned()], true));
        assert_eq!((holders.due, holders.hopeless), (vec![due.to_owned()], true));
        node["headEpoch"] = json!(2);
        assert!(!Standing::of(&[node], 8).hopeless);
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
