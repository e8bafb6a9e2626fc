//! What follows for a rollout of what its nodes are seen to do: a pure function.
//!
//! Law: a stage is over nodes that are there and have answered this process; none is passed on what was so before it started, and
//! no node is blamed for what happened while nobody here could hear it.

use std::collections::BTreeSet;

use proto::admin::{Node, Rollout, RolloutStage};

use super::fleet::{Observed, is_one, is_up, micros, restless_for};
use super::rates::{Rates, counted, is_candidate};
use super::stages::{Step, begin_next};
use crate::clock;
use crate::config::RolloutConfig;

/// What follows.
pub fn conduct(rollout: &Rollout, observed: &Observed, config: &RolloutConfig) -> Step {
    let Some(at) = rollout.stages.iter().position(|stage| stage.state == "running") else {
        return begin_next(rollout, observed, config);
    };
    let Some(stage) = rollout.stages.get(at) else { return Step::Stay };
    let seen = Seen { rollout, stage, observed, config };
    if let Some(reason) = seen.against() {
        return Step::Back(reason);
    }
    let mut next = told(rollout, observed, config);
    let Some(stage) = next.stages.get_mut(at) else { return Step::Stay };
    let before = std::mem::replace(&mut stage.note, seen.note());
    let is_news = before != stage.note;
    if seen.chosen().next().is_none() {
        // Who was chosen is no node any more: others are.
        *stage = RolloutStage {
            geo: stage.geo.clone(),
            share: stage.share,
            state: "pending".to_owned(),
            ..RolloutStage::default()
        };
        return Step::Go(Box::new(next));
    }
    match (seen.acked(), seen.all_follow()) {
        (None, false) if is_news => {}
        (None, false) => return Step::Stay,
        (None, true) => {
            stage.acked_time = Some(clock::timestamp(observed.now));
            let baked = observed.now.saturating_add(micros(config.bake.0));
            stage.bake_end_time = Some(clock::timestamp(baked));
        }
        (Some(since), _) => {
            let baked = observed.now.saturating_sub(since) >= micros(config.bake.0);
            match baked && rollout.state != "paused" && seen.stays(since) {
                true => {}
                false if is_news => return Step::Go(Box::new(next)),
                false => return Step::Stay,
            }
            stage.note = seen.on_what();
            stage.state = "done".to_owned();
            stage.end_time = Some(clock::timestamp(observed.now));
            if rollout.manual && at + 1 < next.stages.len() {
                next.state = "waiting".to_owned();
                next.reason = "the next stage waits for approval".to_owned();
            }
        }
    }
    Step::Go(Box::new(next))
}

/// A rollout with what nodes tell of their answers by now.
pub fn told(rollout: &Rollout, observed: &Observed, config: &RolloutConfig) -> Rollout {
    let rates = Rates::of((rollout, observed), having(rollout, observed), config.least_requests);
    Rollout { candidate_tally: Some(rates.new), other_tally: Some(rates.stable), ..rollout.clone() }
}

/// The nodes that have, or are to have, the candidate: those of every stage that began.
fn having<'o>(rollout: &'o Rollout, observed: &'o Observed) -> impl Iterator<Item = &'o Node> {
    let begun = rollout.stages.iter().filter(|stage| stage.state != "pending");
    let named: BTreeSet<&String> = begun.clone().flat_map(|stage| &stage.nodes).collect();
    let whole: BTreeSet<&String> = begun.filter(|s| s.share >= 100).map(|s| &s.geo).collect();
    let has = move |node: &&Node| named.contains(&node.name) || whole.contains(&node.geo);
    observed.nodes.iter().filter(|node| is_one(node)).filter(has)
}

/// A stage, and what is seen of it.
struct Seen<'a> {
    rollout: &'a Rollout,
    stage: &'a RolloutStage,
    observed: &'a Observed,
    config: &'a RolloutConfig,
}

impl Seen<'_> {
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        having(self.rollout, self.observed)
    }

    /// The nodes of this stage.
    fn chosen(&self) -> impl Iterator<Item = &Node> {
        self.nodes().filter(|node| self.stage.nodes.contains(&node.name))
    }

    fn follows(&self, node: &Node) -> bool {
        let has = node.line == "candidate" && node.confirmed_revision >= self.rollout.candidate_revision;
        is_up(node) && has && self.observed.was_heard(node)
    }

    /// Since when all its nodes follow, as this process saw it: what was heard before it started says nothing of since then.
    fn acked(&self) -> Option<i64> {
        let acked = self.stage.acked_time.as_ref().map(clock::micros);
        acked.filter(|at| (self.observed.watch.began..=self.observed.now).contains(at))
    }

    /// Whether every node of the stages enforces the candidate, those that were chosen for this one in any case.
    fn all_follow(&self) -> bool {
        let due = |node: &&Node| is_up(node) || self.stage.nodes.contains(&node.name);
        self.nodes().filter(due).all(|node| self.follows(node))
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
            let of_it = is_candidate((self.rollout, self.observed), node, (nack.revision, &nack.digest));
            (since && of_it).then(|| {
                format!("`{}` refuses revision {}: {} {}", node.name, nack.revision, nack.code, nack.detail)
            })
        })
    }

    fn first_began(&self) -> i64 {
        let began =
            self.rollout.stages.iter().filter_map(|stage| stage.start_time.as_ref()).map(clock::micros);
        began.min().unwrap_or(self.observed.now)
    }

    /// A node that was given the candidate and is not there any more may have been ended by it.
    fn loss(&self) -> Option<String> {
        self.chosen().find_map(|node| self.observed.loss(node, self.given(), self.config))
    }

    /// What holds it up and is to be known of it; empty: nothing.
    fn note(&self) -> String {
        let since = self.given().max(self.observed.all_back(self.config));
        let restless = self.chosen().find(|node| self.observed.is_restless(node, since));
        let most = restless_for(self.config);
        restless.map_or_else(String::new, |node| {
            format!("`{}` is not steadily there: it is waited for, {most:?} at most", node.name)
        })
    }

    /// Whether every node of this stage follows, and none came back only just now since all of them did.
    fn stays(&self, since: i64) -> bool {
        self.chosen().all(|node| self.follows(node) && !self.observed.is_restless(node, since))
    }

    /// When this stage gave the candidate to its nodes.
    fn given(&self) -> i64 {
        self.stage.start_time.as_ref().map_or(self.observed.now, clock::micros)
    }

    fn laggard(&self) -> Option<String> {
        if self.acked().is_some() || !self.long_since(self.stage.start_time.as_ref()) {
            return None;
        }
        let mut up = self.nodes().filter(|node| is_up(node) && self.long_since(node.connect_time.as_ref()));
        let laggard = up.find(|node| !self.follows(node));
        laggard.map(|node| format!("`{}` did not take it over within {:?}", node.name, self.config.ack.0))
    }

    fn rates(&self) -> Option<String> {
        let least = self.config.least_requests;
        Rates::of((self.rollout, self.observed), self.nodes(), least).against(self.config)
    }

    /// What is to be known of how it was passed: where its nodes answered too little to judge by; empty: they answered enough.
    fn on_what(&self) -> String {
        let least = self.config.least_requests;
        let seen = Rates::of((self.rollout, self.observed), self.chosen(), least).new.requests;
        if seen >= least {
            return String::new();
        }
        format!("passed on acks alone: {} seen, {least} are needed to judge by", counted(seen))
    }
}

#[cfg(test)]
mod tests;
