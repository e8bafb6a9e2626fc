//! The nodes of a rollout: which are there, which may still come back, and which are well.
//!
//! Law: a node is silent only for as long as this process could have heard it. One that was there when the process before ended is
//! given the time that nodes take to come back. Who was revoked, and who was never heard, is nobody's node.
//!
//! | a node that was given the candidate | is lost after |
//! |---|---|
//! | is not there | `rollout.ack` since it was last heard; of before this process, as long as nodes take to come back since its start |
//! | comes and goes, its streams standing for less than ten seconds | as long as nodes take to come back, and ten seconds, since it was last steadily there; what it says and enforces meanwhile is no excuse |

use std::time::Duration;

use proto::admin::Node;

use super::contents::Contents;
use crate::clock;
use crate::config::RolloutConfig;
use crate::nodes::{AWAITED, CONNECTED, INCOMPATIBLE, STEADY, Watch};

/// The longest that a node pauses between two attempts to come back.
const RETURN: Duration = Duration::from_secs(30);

/// What is seen of the nodes, at one time.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Every node that is known.
    pub nodes: Vec<Node>,
    /// Since when they are heard.
    pub watch: Watch,
    /// When, in microseconds since the Unix epoch.
    pub now: i64,
    /// Which line each content is of that the nodes speak of.
    pub contents: Contents,
}

impl Observed {
    /// The nodes of a geo, there or not, that may be sent what is made here.
    pub(super) fn of<'o>(&'o self, geo: &'o str) -> impl Iterator<Item = &'o Node> {
        self.nodes.iter().filter(move |node| node.geo == geo && is_one(node))
    }

    /// How many nodes of a geo are there, or were lately.
    pub(super) fn live<'o>(&'o self, geo: &'o str, config: &RolloutConfig) -> usize {
        let away = micros(config.away.0.max(back(config)));
        self.of(geo).filter(|node| is_up(node) || self.silence(node) <= away).count()
    }

    /// Whether a node of a geo was there when the process before this one ended, and may still be on its way back.
    pub(super) fn is_awaiting(&self, geo: &str, config: &RolloutConfig) -> bool {
        let back = micros(back(config));
        let was_there = |node: &Node| self.watch.left.saturating_sub(seen(node)) <= back;
        let early = self.now.saturating_sub(self.watch.began) <= back;
        early && self.of(geo).any(|node| !is_up(node) && self.is_of_before(node) && was_there(node))
    }

    /// How a node that was given the candidate at a time is lost, if it is.
    pub(super) fn loss(&self, node: &Node, given: i64, config: &RolloutConfig) -> Option<String> {
        if self.is_gone(node, config) {
            return Some(format!("`{}` went away after it was given the candidate", node.name));
        }
        let (most, steady) = (restless_for(config), micros_of(STEADY));
        (self.unsteady_for(node, given) > micros(most)).then(|| {
            format!(
                "`{}` comes and goes since it was given the candidate: within {most:?} it was never there for {steady:?} on end",
                node.name
            )
        })
    }

    /// Whether a node went away for longer than it takes to come back.
    fn is_gone(&self, node: &Node, config: &RolloutConfig) -> bool {
        let (since, patience) = match self.is_of_before(node) {
            true => (self.watch.began, back(config)),
            false => (seen(node), config.ack.0),
        };
        !is_up(node) && self.now.saturating_sub(since) > micros(patience)
    }

    /// Whether a node came, or came back, after a time, and is not steadily there yet.
    pub(super) fn is_restless(&self, node: &Node, since: i64) -> bool {
        connected(node) > since && self.unsteady_for(node, since) > 0
    }

    /// When all nodes that were there are back that come back to a control plane that starts.
    pub(super) fn all_back(&self, config: &RolloutConfig) -> i64 {
        self.watch.began.saturating_add(micros(back(config)))
    }

    /// For how long a node was not steadily there, counted from `given` or the start of this process at the earliest; 0: it is.
    fn unsteady_for(&self, node: &Node, given: i64) -> i64 {
        if is_up(node) && self.now.saturating_sub(connected(node)) >= STEADY {
            return 0;
        }
        let steady = match seen(node).saturating_sub(connected(node)) >= STEADY {
            true => seen(node),
            false => node.steady_time.as_ref().map_or(0, clock::micros),
        };
        self.now.saturating_sub(steady.max(given).max(self.watch.began))
    }

    /// Whether a node has answered this process: what it said of itself before is what it was then.
    pub(super) fn was_heard(&self, node: &Node) -> bool {
        (self.watch.began..=self.now).contains(&node.confirm_time.as_ref().map_or(0, clock::micros))
    }

    /// For how long it said nothing to anybody who listened.
    fn silence(&self, node: &Node) -> i64 {
        if !self.is_of_before(node) {
            return self.now.saturating_sub(seen(node));
        }
        let before = self.watch.left.saturating_sub(seen(node));
        self.now.saturating_sub(self.watch.began).saturating_add(before.max(0))
    }

    /// Whether only the process before this one heard it, or this one by a clock that was set back since.
    fn is_of_before(&self, node: &Node) -> bool {
        seen(node) < self.watch.began || seen(node) > self.now
    }
}

/// Whether it is a node of its geo: not one that was revoked, is only awaited, or can't take what is made here.
pub(super) fn is_one(node: &Node) -> bool {
    node.revoke_time.is_none() && node.state != AWAITED && node.state != INCOMPATIBLE
}

/// Whether it is there.
pub(super) fn is_up(node: &Node) -> bool {
    node.state == CONNECTED && node.revoke_time.is_none()
}

/// Whether it is well enough to show what a candidate does: it hears, has what was before, refuses nothing, and takes requests.
pub(super) fn is_well(node: &Node, base_revision: i64) -> bool {
    let hears = matches!(node.staleness.as_str(), "" | "fresh");
    let refuses = node.last_nack.as_ref().is_some_and(|nack| nack.revision > node.confirmed_revision);
    hears && node.confirmed_revision >= base_revision && !refuses && node.drain.is_none()
}

/// How long a node may take to come back to a control plane that has started.
fn back(config: &RolloutConfig) -> Duration {
    config.ack.0.max(RETURN)
}

/// How long a node may take to be steadily there again: it comes back, and stays.
pub(super) fn restless_for(config: &RolloutConfig) -> Duration {
    back(config).saturating_add(micros_of(STEADY))
}

fn connected(node: &Node) -> i64 {
    node.connect_time.as_ref().map_or(0, clock::micros)
}

fn seen(node: &Node) -> i64 {
    node.last_seen_time.as_ref().map_or(0, clock::micros)
}

fn micros_of(microseconds: i64) -> Duration {
    Duration::from_micros(microseconds.unsigned_abs())
}

/// A length of time in microseconds.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
