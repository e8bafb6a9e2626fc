//! What became of requests under a candidate, held against what the stable content in force did to others.
//!
//! Law: what a candidate is held against is never what withdrawn or aborted contents did, however lately: their refusals would excuse
//! its own. Where the stable content judged too few to tell, the candidate is held to none at all, for that is a bound that nobody can
//! make laxer; to wait for more would be to wait for ever where a geo has one node. What is told of it is what it was held against. Of a
//! candidate with too few requests to tell rates, it tells when not one goes well and most do under the stable content.
//!
//! | what it is held against, the first that is there | why |
//! |---|---|
//! | the nodes of the candidate, before they had it | the same callers |
//! | the middle one of three other nodes or more | one node's word must not excuse another's answers |
//! | all nodes together | it is all there is |
//! | none failed and none refused | too few requests to tell |

use proto::admin::{Node, NodeTally, Rollout, RolloutTally};

use super::causes;
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

/// Requests by which it is seen that nothing goes at all.
const FEW: u64 = 5;

/// How many other nodes it takes for their middle to be nobody's alone.
const MANY: usize = 3;

/// What was answered under the candidate by nodes that have it, and what it is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Under the candidate.
    pub(super) new: RolloutTally,
    /// Under the stable content in force.
    pub(super) stable: RolloutTally,
}

impl Rates {
    /// What the nodes tell, these having the candidate.
    pub(super) fn of<'n>(
        (rollout, observed): (&Rollout, &Observed),
        having: impl Iterator<Item = &'n Node>,
        least: u64,
    ) -> Self {
        let by = By { rollout, observed };
        let having: Vec<&Node> = having.collect();
        let total = |tallies: Vec<RolloutTally>| tallies.into_iter().fold(RolloutTally::default(), added);
        let new = total(having.iter().map(|node| by.candidate(node)).collect());
        let own = total(having.iter().map(|node| by.stable(node)).collect());
        let others = observed.nodes.iter().filter(|node| !having.iter().any(|one| one.name == node.name));
        let others = others.map(|node| by.stable(node)).collect();
        Self { new, stable: against(own, others, least.max(1)) }
    }

    /// What they say against the candidate, if anything.
    pub(super) fn against(&self, config: &RolloutConfig) -> Option<String> {
        let (new, old) = (&self.new, self.bound(config.least_requests));
        if new.requests < config.least_requests {
            return self.nothing_goes();
        }
        let worse = |part: fn(&RolloutTally) -> u64, by: u32| {
            percent(part(new), new) - percent(part(&old), &old) > f64::from(by)
        };
        let told = |what: &str, part: fn(&RolloutTally) -> u64| {
            let held = match old.requests {
                0 => format!("held against none: {} under the stable content", requests(&self.stable)),
                _ => format!("{} under the stable content", of(part(&old), &old)),
            };
            format!("{what} under the candidate: {}, {held}", of(part(new), new))
        };
        if worse(|tally| tally.errors, config.more_errors) {
            return Some(told("failed answers", |tally| tally.errors));
        }
        worse(|tally| tally.denials, config.more_denials).then(|| told("refusals", |tally| tally.denials))
    }

    /// What speaks against a candidate of which too few requests are known to tell rates: of those there are not one went well, and
    /// most do under the stable content.
    fn nothing_goes(&self) -> Option<String> {
        let (new, stable) = (&self.new, &self.stable);
        let bad = |tally: &RolloutTally| tally.errors.saturating_add(tally.denials);
        let is_dead = new.requests >= FEW && bad(new) >= new.requests;
        let lives = stable.requests >= FEW && bad(stable).saturating_mul(2) < stable.requests;
        (is_dead && lives).then(|| {
            format!(
                "not one of {} under the candidate was answered well, {} under the stable content were not",
                requests(new),
                of(bad(stable), stable)
            )
        })
    }

    /// The stable content, where it judged enough to tell; otherwise nothing.
    fn bound(&self, least: u64) -> RolloutTally {
        if self.stable.requests >= least.max(1) { self.stable } else { RolloutTally::default() }
    }
}

/// What a candidate is held against: the first that is enough to tell, or all there is.
fn against(own: RolloutTally, mut others: Vec<RolloutTally>, least: u64) -> RolloutTally {
    let all = others.iter().copied().fold(own, added);
    if own.requests >= least {
        return own;
    }
    others.retain(|tally| tally.requests >= least);
    let bad = |tally: &RolloutTally| percent(tally.errors.saturating_add(tally.denials), tally);
    others.sort_by(|one, other| bad(one).total_cmp(&bad(other)));
    others.get(others.len() / 2).filter(|_| others.len() >= MANY).copied().unwrap_or(all)
}

/// Whose tallies are of which content.
struct By<'a> {
    rollout: &'a Rollout,
    observed: &'a Observed,
}

impl By<'_> {
    /// What became of a node's requests under the candidate.
    fn candidate(&self, node: &Node) -> RolloutTally {
        self.sum(node.tallies.iter().filter(|tally| self.is_candidate(node, tally)))
    }

    /// The same under the stable content in force.
    fn stable(&self, node: &Node) -> RolloutTally {
        let of_it = |tally: &&NodeTally| !self.is_candidate(node, tally) && self.is_stable(node, tally);
        self.sum(node.tallies.iter().filter(of_it))
    }

    fn sum<'t>(&self, tallies: impl Iterator<Item = &'t NodeTally>) -> RolloutTally {
        let counted = tallies.map(|tally| causes::counted(self.rollout, tally));
        counted.fold(RolloutTally::default(), added)
    }

    fn is_candidate(&self, node: &Node, tally: &NodeTally) -> bool {
        is_candidate((self.rollout, self.observed), node, (tally.revision, &tally.digest))
    }

    /// Builds that tell no digest are taken by the revision that the rollout began from.
    fn is_stable(&self, node: &Node, tally: &NodeTally) -> bool {
        match tally.digest.as_str() {
            "" => tally.revision == self.rollout.base_revision,
            digest => self.observed.contents.is_in_force(&node.geo, digest),
        }
    }
}

fn percent(part: u64, of: &RolloutTally) -> f64 {
    if of.requests == 0 { 0.0 } else { 100.0 * part as f64 / of.requests as f64 }
}

/// A share in words, with what it is a share of.
fn of(part: u64, tally: &RolloutTally) -> String {
    format!("{:.1} % of {}", percent(part, tally), requests(tally))
}

fn requests(tally: &RolloutTally) -> String {
    counted(tally.requests)
}

/// So many requests, in words.
pub(super) fn counted(requests: u64) -> String {
    if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") }
}

fn added(sum: RolloutTally, more: RolloutTally) -> RolloutTally {
    RolloutTally {
        requests: sum.requests.saturating_add(more.requests),
        errors: sum.errors.saturating_add(more.errors),
        denials: sum.denials.saturating_add(more.denials),
    }
}
