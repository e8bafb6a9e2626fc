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

/// What was answered under the candidate by nodes that have it, and what was answered otherwise by any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Under the candidate.
    pub(super) new: RolloutTally,
    /// Before it, and beside it.
    pub(super) old: RolloutTally,
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
        let new = having.flat_map(|node| node.tallies.iter().filter(move |tally| told(node, tally)));
        let all = observed.nodes.iter();
        let old = all.flat_map(|node| node.tallies.iter().filter(move |tally| !told(node, tally)));
        Self { new: sum(new), old: sum(old) }
    }

    /// What they say against the candidate, if anything.
    pub(super) fn against(&self, config: &RolloutConfig) -> Option<String> {
        let Self { new, old } = self;
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
        let (now, then) = (share(new.errors, new), share(old.errors, old));
        if now - then > f64::from(config.more_errors) {
            return Some(told("failed answers", now, then));
        }
        let (now, then) = (share(new.denials, new), share(old.denials, old));
        (now - then > f64::from(config.more_denials)).then(|| told("refusals", now, then))
    }
}

fn sum<'t>(tallies: impl Iterator<Item = &'t NodeTally>) -> RolloutTally {
    tallies.fold(RolloutTally::default(), |sum, tally| RolloutTally {
        requests: sum.requests.saturating_add(tally.requests),
        errors: sum.errors.saturating_add(tally.errors),
        denials: sum.denials.saturating_add(tally.denials),
    })
}
