//! The stages of a rollout: which there are, as nodes are now, and whom the next one is of.
//!
//! Law: a stage gives the candidate to nodes that do not have it yet, and is passed on none that is there or may come back: a geo of
//! which no node is connected holds the rollout up, until it is away for good. Who was chosen stays chosen.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use proto::admin::{Node, Rollout, RolloutStage};

use super::fleet::{Observed, is_one, is_up, is_well};
use crate::clock;
use crate::config::{RolloutConfig, reach};

/// What is said of a geo that is passed by.
const NOBODY: &str = "no node connected";

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

/// The stages of a rollout that begins now: over every geo that has nodes, in the order of their names.
pub fn plan(observed: &Observed, config: &RolloutConfig) -> Vec<RolloutStage> {
    let geos: BTreeSet<&String> =
        observed.nodes.iter().filter(|node| is_one(node)).map(|node| &node.geo).collect();
    geos.into_iter().flat_map(|geo| of_geo(geo, observed, config)).collect()
}

fn of_geo(geo: &str, observed: &Observed, config: &RolloutConfig) -> Vec<RolloutStage> {
    geo.parse().map_or_else(|_| Vec::new(), |geo| config.stages_of(&geo, observed.live(geo.as_str(), config)))
}

/// Begins the next stage, or ends the rollout where there is none.
pub(super) fn begin_next(rollout: &Rollout, observed: &Observed, config: &RolloutConfig) -> Step {
    if rollout.state != "progressing" {
        return Step::Stay;
    }
    let Some(geo) = rollout.stages.iter().find(|stage| is_pending(stage)).map(|stage| stage.geo.clone())
    else {
        return Step::Go(Box::new(completed(rollout, observed)));
    };
    let mut next = Rollout { reason: String::new(), ..rollout.clone() };
    let up: Vec<&Node> = observed.of(&geo).filter(|node| is_up(node)).collect();
    if observed.of(&geo).next().is_none() {
        next.stages.retain(|stage| stage.geo != geo || !is_pending(stage));
    } else if observed.is_awaiting(&geo, config) {
        return Step::Stay;
    } else if up.is_empty() && observed.live(&geo, config) > 0 {
        next.reason = format!("no node of `{geo}` is connected: it is waited for");
        return if next.reason == rollout.reason { Step::Stay } else { Step::Go(Box::new(next)) };
    } else if up.is_empty() {
        next.stages.retain(|stage| stage.geo != geo || !is_pending(stage) || stage.share >= 100);
        pass(&mut next, observed.now, NOBODY);
    } else {
        begin(&mut next, &up, (observed, config));
    }
    Step::Go(Box::new(next))
}

/// Begins the next stage, over these nodes of its geo. One that would give it to nobody who does not have it is none.
fn begin(next: &mut Rollout, up: &[&Node], (observed, config): (&Observed, &RolloutConfig)) {
    let Some(mut at) = next.stages.iter().position(is_pending) else { return };
    let geo = next.stages.get(at).map(|stage| stage.geo.clone()).unwrap_or_default();
    let has: BTreeSet<String> = begun(next, &geo).flat_map(|stage| stage.nodes.clone()).collect();
    if begun(next, &geo).next().is_none() {
        // Nodes may have come or gone since it was planned.
        next.stages.retain(|stage| stage.geo != geo);
        at = at.min(next.stages.len());
        next.stages.splice(at..at, of_geo(&geo, observed, config));
    }
    let (rollout, base) = (next.name.clone(), next.base_revision);
    let Some(stage) = next.stages.get_mut(at) else { return };
    let rank = |node: &&Node| {
        let drawn = digest(&SHA256, format!("{rollout}/{}", node.name).as_bytes());
        (!has.contains(&node.name), !is_well(node, base), drawn.as_ref().to_vec(), node.name.clone())
    };
    let mut ranked: Vec<_> = up.iter().map(rank).collect();
    ranked.sort();
    let count = reach(stage.share, observed.live(&geo, config).max(up.len()));
    let nodes: Vec<String> = ranked.into_iter().take(count).map(|(.., name)| name).collect();
    let brings = nodes.iter().any(|node| !has.contains(node));
    stage.nodes = nodes;
    match brings {
        true => {
            stage.state = "running".to_owned();
            stage.start_time = Some(clock::timestamp(observed.now));
        }
        // All that are there have it, and it has baked there.
        false if stage.share >= 100 => pass(next, observed.now, ""),
        false => drop(next.stages.remove(at)),
    }
}

/// The next stage is done as it begins.
fn pass(next: &mut Rollout, now: i64, note: &str) {
    if let Some(stage) = next.stages.iter_mut().find(|stage| is_pending(stage)) {
        stage.state = "done".to_owned();
        stage.note = note.to_owned();
        stage.start_time = Some(clock::timestamp(now));
        stage.end_time = stage.start_time;
    }
}

/// It is over. Geos that were passed by are told.
fn completed(rollout: &Rollout, observed: &Observed) -> Rollout {
    let passed = rollout.stages.iter().filter(|stage| stage.note == NOBODY);
    let passed: Vec<String> = passed.map(|stage| format!("`{}`", stage.geo)).collect();
    let reason = match passed.is_empty() {
        _ if rollout.stages.is_empty() => NOBODY.to_owned(),
        true => String::new(),
        false => format!("{NOBODY} in {}: they have it when they come", passed.join(", ")),
    };
    let end_time = Some(clock::timestamp(observed.now));
    Rollout { state: "completed".to_owned(), reason, end_time, ..rollout.clone() }
}

fn begun<'r>(rollout: &'r Rollout, geo: &'r str) -> impl Iterator<Item = &'r RolloutStage> {
    rollout.stages.iter().filter(move |stage| stage.geo == geo && !is_pending(stage))
}

fn is_pending(stage: &RolloutStage) -> bool {
    stage.state == "pending"
}
