//! What follows for a rollout of what its nodes are seen to do: a pure function.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use proto::admin::{Node, NodeTally, Rollout, RolloutStage};

use super::contents::{Contents, Line};
use crate::clock;
use crate::config::RolloutConfig;

/// What is seen of the nodes, at one time.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Every node that is known.
    pub nodes: Vec<Node>,
    /// When, in microseconds since the Unix epoch.
    pub now: i64,
    /// Which line each content is of that the nodes speak of.
    pub contents: Contents,
}

/// What follows for a rollout.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing yet.
    Stay,
    /// It goes on like this.
    Go(Box<Rollout>),
    /// It is taken back, for this reason.
    Back(String),
}

/// What follows.
pub fn conduct(rollout: &Rollout, observed: &Observed, config: &RolloutConfig) -> Step {
    let Some(at) = rollout.stages.iter().position(|stage| stage.state == "running") else {
        return begin_next(rollout, observed);
    };
    let Some(stage) = rollout.stages.get(at) else { return Step::Stay };
    let seen = Seen { rollout, stage, observed, config };
    if let Some(reason) = seen.against() {
        return Step::Back(reason);
    }
    let mut next = rollout.clone();
    let Some(stage) = next.stages.get_mut(at) else { return Step::Stay };
    match (&stage.acked_time, seen.all_follow()) {
        (None, false) => Step::Stay,
        (None, true) => {
            stage.acked_time = Some(clock::timestamp(observed.now));
            Step::Go(Box::new(next))
        }
        (Some(since), _) => {
            let baked = observed.now.saturating_sub(clock::micros(since)) >= micros(config.bake.0);
            if !baked || rollout.state == "paused" {
                return Step::Stay;
            }
            stage.state = "done".to_owned();
            stage.end_time = Some(clock::timestamp(observed.now));
            if rollout.manual && at + 1 < next.stages.len() {
                next.state = "waiting".to_owned();
                next.reason = "the next stage waits for approval".to_owned();
            }
            Step::Go(Box::new(next))
        }
    }
}

/// Begins the next stage, or ends the rollout where there is none.
fn begin_next(rollout: &Rollout, observed: &Observed) -> Step {
    if rollout.state != "progressing" {
        return Step::Stay;
    }
    let mut next = rollout.clone();
    let now = Some(clock::timestamp(observed.now));
    match next.stages.iter_mut().find(|stage| stage.state == "pending") {
        Some(stage) => {
            stage.state = "running".to_owned();
            stage.start_time = now;
            stage.nodes = chosen(stage, &rollout.name, observed);
        }
        None => {
            next.state = "completed".to_owned();
            next.end_time = now;
        }
    }
    Step::Go(Box::new(next))
}

/// The nodes of a stage: those of the lowest digests of the rollout and their name, so that who was chosen stays so.
fn chosen(stage: &RolloutStage, rollout: &str, observed: &Observed) -> Vec<String> {
    let here = observed.nodes.iter().filter(|node| node.geo == stage.geo && is_up(node));
    let mut ranked: Vec<(Vec<u8>, &String)> = here
        .map(|node| {
            (digest(&SHA256, format!("{rollout}/{}", node.name).as_bytes()).as_ref().to_vec(), &node.name)
        })
        .collect();
    ranked.sort();
    let count = match stage.share {
        0 => 1,
        share => (ranked.len() * share as usize).div_ceil(100),
    };
    ranked.into_iter().take(count).map(|(_, name)| name.clone()).collect()
}

fn is_up(node: &Node) -> bool {
    node.state == "connected"
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A stage, and what is seen of it.
struct Seen<'a> {
    rollout: &'a Rollout,
    stage: &'a RolloutStage,
    observed: &'a Observed,
    config: &'a RolloutConfig,
}

impl Seen<'_> {
    /// The nodes that have, or are to have, the candidate: those of this stage and of all before.
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let begun = self.rollout.stages.iter().filter(|stage| stage.state != "pending");
        let named: BTreeSet<&String> = begun.clone().flat_map(|stage| &stage.nodes).collect();
        let whole: BTreeSet<&String> = begun.filter(|s| s.share >= 100).map(|s| &s.geo).collect();
        self.observed.nodes.iter().filter(move |node| named.contains(&node.name) || whole.contains(&node.geo))
    }

    fn follows(&self, node: &Node) -> bool {
        node.line == "candidate" && node.confirmed_revision >= self.rollout.candidate_revision
    }

    /// Whether every node of the stages enforces the candidate, those that were chosen for this one in any case.
    fn all_follow(&self) -> bool {
        let chosen = |node: &Node| self.stage.nodes.contains(&node.name);
        self.nodes().filter(|node| is_up(node) || chosen(node)).all(|node| is_up(node) && self.follows(node))
    }

    /// Whether something was so for longer than nodes may take; of nothing, it was not.
    fn long_since(&self, stamp: Option<&prost_types::Timestamp>) -> bool {
        let since = stamp.map_or(self.observed.now, clock::micros);
        self.observed.now.saturating_sub(since) > micros(self.config.ack.0)
    }

    /// What speaks against the candidate, if anything does.
    fn against(&self) -> Option<String> {
        self.refusal().or_else(|| self.loss()).or_else(|| self.laggard()).or_else(|| self.rates())
    }

    fn refusal(&self) -> Option<String> {
        self.nodes().find_map(|node| {
            let nack = node.last_nack.as_ref()?;
            let since = nack.create_time.as_ref().map_or(0, clock::micros) >= self.first_began();
            (since && self.is_candidate(node, nack.revision, &nack.digest)).then(|| {
                format!("`{}` refuses revision {}: {} {}", node.name, nack.revision, nack.code, nack.detail)
            })
        })
    }

    /// Whether a revision as one node had it is the candidate: its number alone does not say so, for the stable line goes on
    /// under the same numbers. What can't be told is taken for it.
    fn is_candidate(&self, node: &Node, revision: i64, digest: &str) -> bool {
        let since = revision >= self.rollout.candidate_revision;
        since && self.observed.contents.line(&node.geo, digest) != Some(Line::Stable)
    }

    fn first_began(&self) -> i64 {
        let began =
            self.rollout.stages.iter().filter_map(|stage| stage.start_time.as_ref()).map(clock::micros);
        began.min().unwrap_or(self.observed.now)
    }

    /// A node that was given the candidate and is not there any more may have been ended by it.
    fn loss(&self) -> Option<String> {
        let chosen = self.nodes().filter(|node| self.stage.nodes.contains(&node.name));
        let mut gone = chosen.filter(|node| !is_up(node) && self.long_since(node.last_seen_time.as_ref()));
        gone.next().map(|node| format!("`{}` went away after it was given the candidate", node.name))
    }

    fn laggard(&self) -> Option<String> {
        if self.stage.acked_time.is_some() || !self.long_since(self.stage.start_time.as_ref()) {
            return None;
        }
        let mut up = self.nodes().filter(|node| is_up(node) && self.long_since(node.connect_time.as_ref()));
        let laggard = up.find(|node| !self.follows(node));
        laggard.map(|node| format!("`{}` did not take it over within {:?}", node.name, self.config.ack.0))
    }

    /// What was answered under the candidate, against what was answered before it and beside it.
    fn rates(&self) -> Option<String> {
        let told = |node: &'_ Node, tally: &NodeTally| self.is_candidate(node, tally.revision, &tally.digest);
        let new = self.nodes().flat_map(|node| node.tallies.iter().filter(|tally| told(node, tally)));
        let all = self.observed.nodes.iter();
        let old = all.flat_map(|node| node.tallies.iter().filter(|tally| !told(node, tally)));
        let (new, old) = (Counts::of(new), Counts::of(old));
        if new.requests < self.config.least_requests {
            return None;
        }
        let told = |what: &str, now: f64, then: f64| {
            format!("{what} under the candidate: {now:.1} % of {} requests, {then:.1} % before", new.requests)
        };
        if new.errors() - old.errors() > f64::from(self.config.more_errors) {
            return Some(told("failed answers", new.errors(), old.errors()));
        }
        let grown = new.denials() - old.denials() > f64::from(self.config.more_denials);
        grown.then(|| told("refusals", new.denials(), old.denials()))
    }
}

/// Sums of tallies.
#[derive(Default)]
struct Counts {
    requests: u64,
    errors: u64,
    denials: u64,
}

impl Counts {
    fn of<'t>(tallies: impl Iterator<Item = &'t NodeTally>) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            requests: sum.requests.saturating_add(tally.requests),
            errors: sum.errors.saturating_add(tally.errors),
            denials: sum.denials.saturating_add(tally.denials),
        })
    }

    fn errors(&self) -> f64 {
        self.share(self.errors)
    }

    fn denials(&self) -> f64 {
        self.share(self.denials)
    }

    fn share(&self, part: u64) -> f64 {
        if self.requests == 0 { 0.0 } else { 100.0 * part as f64 / self.requests as f64 }
    }
}

#[cfg(test)]
mod tests;
