//! How far a node is from what holds now: in revisions, in time, and in what stands above revisions.
//!
//! Law: worked out when it is asked for, so that a node that says nothing grows old all the same.

use std::sync::Arc;

use policy_engine::facts::Staleness;
use policy_engine::vocabulary::Geo;
use proto::admin::Node;

use crate::clock;
use crate::kills::Kills;
use crate::publish::{Active, Publisher};
use crate::store::Head;

/// Seconds after which a node is soft: the shortest of its classes, that of revocations.
const SOFT: i64 = 10;

/// The word for the line that a rollout brings.
pub(super) const CANDIDATE: &str = "candidate";

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// What nodes are held to.
#[derive(Debug)]
pub(crate) struct Standing {
    head: Head,
    /// The rollout that is on its way.
    rollout: Option<Arc<Active>>,
    publisher: Publisher,
    kills: Kills,
    /// The seq of the revocations that nodes are told.
    revoked: u64,
    /// The age in seconds at which some request is refused.
    hard: i64,
    now: i64,
}

impl Standing {
    /// What is published, now.
    pub(crate) fn of(publisher: &Publisher) -> Self {
        let published = publisher.current();
        let least = |staleness: &Staleness| {
            staleness.of_keys().min(staleness.of_rules([Staleness::RESTRICTED].into_iter()))
        };
        let tenants = published.facts.tenants.values().map(|tenant| least(&tenant.staleness));
        let hard = tenants.min().unwrap_or_else(|| least(&Staleness::default())).0 / SECOND;
        Self {
            head: published.head,
            rollout: publisher.lines().borrow().rollout.clone(),
            publisher: publisher.clone(),
            kills: publisher.kills().clone(),
            revoked: published.revoked.seq(),
            hard,
            now: clock::now(),
        }
    }

    /// A node as it stands against that.
    pub(crate) fn shown(&self, mut node: Node) -> Node {
        (node.head_epoch, node.head_revision) = (self.head.epoch, self.head.revision);
        node.candidate_revision =
            self.rollout.as_ref().map_or(0, |rollout| rollout.record.candidate_revision);
        node.lag = self.head.revision.saturating_sub(reached(&node, self.candidate(&node))).max(0);
        if node.connect_time.is_some() {
            node.kills = self.kills(&node).to_owned();
            node.revocations =
                word(self.is_of_epoch(&node) && node.revocation_seq >= self.revoked).to_owned();
        }
        if let Ok(geo) = Geo::new(&node.geo) {
            node.withheld = self.publisher.withheld().from(&geo);
        }
        let confirmed = node.confirm_time.as_ref().map(clock::micros);
        node.confirmed_age_seconds = confirmed.map_or(0, |at| self.now.saturating_sub(at).max(0) / SECOND);
        let by_age = match node.confirmed_age_seconds {
            age if age >= self.hard => "hard",
            age if age >= SOFT => "soft",
            _ => "",
        };
        let worse = |word: &str| ["", "fresh", "soft", "hard"].iter().position(|known| *known == word);
        if confirmed.is_some() && worse(by_age) > worse(&node.staleness) {
            node.staleness = by_age.to_owned();
        }
        node
    }

    /// Whether a node enforces one kill: `held` or `behind`; `None` where it is not told of it, for what the kill hits is not in its geo.
    pub(crate) fn holds(&self, node: &Node, kill: &str) -> Option<&'static str> {
        let told = self.kills.told_in(&Geo::new(&node.geo).ok()?)?;
        match told.since.get(kill) {
            Some(seq) => Some(word(self.is_of_epoch(node) && node.kill_seq >= *seq)),
            None if told.of == self.kills.current().seq => None,
            None => Some(word(false)),
        }
    }

    /// The candidate that a node is to follow, if a rollout brings it one.
    fn candidate(&self, node: &Node) -> Option<i64> {
        let rollout = self.rollout.as_ref()?;
        let assigned = Geo::new(&node.geo).is_ok_and(|geo| rollout.assigns(&geo, &node.name));
        assigned.then_some(rollout.record.candidate_revision)
    }

    /// Whether a node enforces what is switched off; empty while its geo was told nothing.
    fn kills(&self, node: &Node) -> &'static str {
        let told = Geo::new(&node.geo).ok().and_then(|geo| self.kills.told_in(&geo));
        told.map_or("", |told| {
            let of_now = told.of == self.kills.current().seq && self.is_of_epoch(node);
            word(of_now && node.kill_seq >= told.seq)
        })
    }

    /// Whether the seqs a node tells are of what holds: each epoch counts anew, and who is ahead of the store counts what the store lost.
    fn is_of_epoch(&self, node: &Node) -> bool {
        let is_ahead = node.ahead_epoch >= self.head.epoch;
        !is_ahead && (node.applied_revision == 0 || node.applied_epoch == self.head.epoch)
    }
}

/// The newest revision a node is known to enforce, on the line it is to follow: what it has of the stable line is not the candidate,
/// though both may have its number.
fn reached(node: &Node, candidate: Option<i64>) -> i64 {
    let before = candidate.filter(|_| node.line != CANDIDATE).map(|candidate| candidate.saturating_sub(1));
    before.map_or(node.confirmed_revision, |before| node.confirmed_revision.min(before))
}

fn word(holds: bool) -> &'static str {
    if holds { "held" } else { "behind" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_has_of_the_other_line_is_not_what_it_is_to_have() {
        let on = |line: &str| Node { confirmed_revision: 7, line: line.into(), ..Node::default() };
        assert_eq!((reached(&on("stable"), None), reached(&on("candidate"), Some(7))), (7, 7));
        assert_eq!((reached(&on("stable"), Some(7)), reached(&on("stable"), Some(5))), (6, 4));
    }

    #[tokio::test]
    async fn a_node_that_is_ahead_of_the_store_holds_nothing_of_it_whatever_its_seqs_say() {
        let fixture = crate::publish::tests::fixture().await;
        let standing = Standing { head: Head { revision: 9, epoch: 2 }, ..Standing::of(&fixture.publisher) };
        let shown = |ahead_epoch: i64| {
            let (applied_revision, applied_epoch) = (22, 2);
            let connect_time = Some(clock::timestamp(1));
            let (revocation_seq, kill_seq) = (99, 99);
            standing.shown(Node {
                applied_revision,
                applied_epoch,
                connect_time,
                revocation_seq,
                kill_seq,
                ahead_epoch,
                ..Node::default()
            })
        };
        assert_eq!((shown(0).revocations.as_str(), shown(1).revocations.as_str()), ("held", "held"));
        assert_eq!((shown(2).revocations.as_str(), shown(2).kills.as_str() == "held"), ("behind", false));
    }

    #[tokio::test]
    async fn a_node_that_says_nothing_grows_old_all_the_same() {
        let now = 1_000_000 * SECOND;
        let fixture = crate::publish::tests::fixture().await;
        let head = Head { revision: 9, epoch: 1 };
        let standing = Standing { head, hard: 3600, now, ..Standing::of(&fixture.publisher) };
        let heard = |seconds: i64, said: &str| {
            let confirm_time = Some(clock::timestamp(now - seconds * SECOND));
            let node =
                Node { confirm_time, confirmed_revision: 7, staleness: said.into(), ..Node::default() };
            let node = standing.shown(node);
            assert_eq!((node.head_revision, node.lag, node.confirmed_age_seconds), (9, 2, seconds));
            node.staleness
        };
        for (seconds, said, shown) in [
            (2, "fresh", "fresh"),
            (2, "soft", "soft"),
            (10, "fresh", "soft"),
            (3599, "fresh", "soft"),
            (3600, "soft", "hard"),
            (11, "hard", "hard"),
        ] {
            assert_eq!(heard(seconds, said), shown, "{seconds} {said}");
        }
        let never = standing.shown(Node::default());
        assert_eq!((never.staleness.as_str(), never.confirmed_age_seconds, never.lag), ("", 0, 9));
    }
}
