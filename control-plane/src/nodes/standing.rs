//! How far a node is from what holds now: in revisions, and in time.
//!
//! Law: worked out when it is asked for, so that a node that says nothing grows old all the same.

use policy_engine::facts::Staleness;
use proto::admin::Node;

use crate::clock;
use crate::publish::Published;
use crate::store::Head;

/// Seconds after which a node is soft: the shortest of its classes, that of revocations.
const SOFT: i64 = 10;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// What nodes are held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    head: Head,
    /// The age in seconds at which some request is refused.
    hard: i64,
    now: i64,
}

impl Standing {
    /// What is published, now.
    pub(crate) fn of(published: &Published) -> Self {
        let least = |staleness: &Staleness| {
            staleness.of_keys().min(staleness.of_rules([Staleness::RESTRICTED].into_iter()))
        };
        let tenants = published.facts.tenants.values().map(|tenant| least(&tenant.staleness));
        let hard = tenants.min().unwrap_or_else(|| least(&Staleness::default())).0 / SECOND;
        Self { head: published.head, hard, now: clock::now() }
    }

    /// A node as it stands against that.
    pub(crate) fn shown(&self, mut node: Node) -> Node {
        (node.head_epoch, node.head_revision) = (self.head.epoch, self.head.revision);
        node.lag = self.head.revision.saturating_sub(node.confirmed_revision).max(0);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_says_nothing_grows_old_all_the_same() {
        let now = 1_000_000 * SECOND;
        let standing = Standing { head: Head { revision: 9, epoch: 1 }, hard: 3600, now };
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
