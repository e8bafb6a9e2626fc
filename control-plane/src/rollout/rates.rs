//! What became of requests under a candidate, held against what was answered before it and beside it.

use proto::admin::{Node, NodeTally, Rollout, RolloutTally};

use super::contents::Line;
use super::fleet::Observed;
use crate::config::RolloutConfig;

/// Whether a revision as one node had it is the candidate: its number alone does not say so, for the stable line goes on
/// under the same numbers. What can't be told is taken for it.
pub(super) fn is_candidate(
    (rollout, observed): (&Rollout, &Observed),
    node: &Node,
    (revision, digest): (i64, &str),
) -> bool {
    let since = revision >= rollout.candidate_revision;
    since && observed.contents.line(&node.geo, digest) != Some(Line::Stable)
}

/// How many other nodes it takes for their middle to be nobody's alone.
const MANY: usize = 3;

/// What was answered under the candidate by nodes that have it, and what was answered otherwise by any.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rates {
    /// Under the candidate.
    pub(super) new: RolloutTally,
    /// Before it, by the nodes that have it.
    own: RolloutTally,
    /// Beside it, by each of the other nodes that was asked anything.
    others: Vec<RolloutTally>,
}

impl Rates {
    /// What the nodes tell, these having the candidate.
    pub(super) fn of<'n>(
        (rollout, observed): (&Rollout, &Observed),
        having: impl Iterator<Item = &'n Node>,
    ) -> Self {
        let told = |node: &'_ Node, tally: &NodeTally| {
            is_candidate((rollout, observed), node, (tally.revision, &tally.digest))
        };
        let having: Vec<&Node> = having.collect();
        let of = |node: &Node, candidate: bool| {
            sum(node.tallies.iter().filter(|tally| told(node, tally) == candidate))
        };
        let all =
            |candidate| having.iter().map(|node| of(node, candidate)).fold(RolloutTally::default(), added);
        let others = observed.nodes.iter().filter(|node| !having.iter().any(|one| one.name == node.name));
        let others = others.map(|node| of(node, false)).filter(|tally| tally.requests > 0);
        Self { new: all(true), own: all(false), others: others.collect() }
    }

    /// Before the candidate, and beside it.
    pub(super) fn old(&self) -> RolloutTally {
        self.others.iter().copied().fold(self.own, added)
    }

    /// The share of something before and beside the candidate. One node's word must not excuse another's answers: what counts is what
    /// the nodes of the candidate told of themselves before it, where that is enough to tell, and the middle of the others, where
    /// there are enough of them to have one; the whole, where there is neither.
    fn before(&self, least: u64, share: impl Fn(&RolloutTally) -> f64) -> f64 {
        let mut beside: Vec<f64> = self.others.iter().map(&share).collect();
        beside.sort_by(f64::total_cmp);
        let middle = beside.get(beside.len() / 2).copied().filter(|_| beside.len() >= MANY);
        let own = (self.own.requests >= least.max(1)).then(|| share(&self.own));
        match (own, middle) {
            (None, None) => share(&self.old()),
            (own, middle) => own.unwrap_or_default().max(middle.unwrap_or_default()),
        }
    }

    /// What they say against the candidate, if anything.
    pub(super) fn against(&self, config: &RolloutConfig) -> Option<String> {
        let new = &self.new;
        if new.requests < config.least_requests {
            return None;
        }
        let told = |what: &str, now: f64, then: f64| {
            format!("{what} under the candidate: {now:.1} % of {} requests, {then:.1} % before", new.requests)
        };
        let share = |part: u64, of: &RolloutTally| match of.requests {
            0 => 0.0,
            requests => 100.0 * part as f64 / requests as f64,
        };
        let (now, then) =
            (share(new.errors, new), self.before(config.least_requests, |of| share(of.errors, of)));
        if now - then > f64::from(config.more_errors) {
            return Some(told("failed answers", now, then));
        }
        let (now, then) =
            (share(new.denials, new), self.before(config.least_requests, |of| share(of.denials, of)));
        (now - then > f64::from(config.more_denials)).then(|| told("refusals", now, then))
    }
}

fn sum<'t>(tallies: impl Iterator<Item = &'t NodeTally>) -> RolloutTally {
    let one = |tally: &NodeTally| RolloutTally {
        requests: tally.requests,
        errors: tally.errors,
        denials: tally.denials,
    };
    tallies.map(one).fold(RolloutTally::default(), added)
}

fn added(sum: RolloutTally, more: RolloutTally) -> RolloutTally {
    RolloutTally {
        requests: sum.requests.saturating_add(more.requests),
        errors: sum.errors.saturating_add(more.errors),
        denials: sum.denials.saturating_add(more.denials),
    }
}
