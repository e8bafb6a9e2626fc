//! What speaks for a rollout and what against it, one look after the other.

use std::time::Duration;

use proto::admin::{NodeNack, NodeTally};

use super::*;
use crate::config::Length;
use crate::rollout::contents::Line;
use crate::rollout::stages::plan;

mod away;
mod rates;

const SECOND: i64 = 1_000_000;
const START: i64 = 1_000 * SECOND;

fn config() -> RolloutConfig {
    let seconds = |n| Length(Duration::from_secs(n));
    RolloutConfig {
        stages: vec![0, 50, 100],
        bake: seconds(60),
        ack: seconds(30),
        ..RolloutConfig::default()
    }
}

fn rollout() -> Rollout {
    Rollout {
        name: "rollouts/7".into(),
        candidate_revision: 7,
        base_revision: 6,
        state: "progressing".into(),
        stages: plan(&fleet(4, 0), &config()),
        ..Rollout::default()
    }
}

/// Nodes that enforce the stable line, seen at `now` seconds.
fn fleet(count: usize, now: i64) -> Observed {
    let node = |geo: &str, n: usize| Node {
        name: format!("nodes/{geo}-{n}"),
        geo: geo.into(),
        state: "connected".into(),
        line: "stable".into(),
        confirmed_revision: 7,
        connect_time: Some(clock::timestamp(0)),
        last_seen_time: Some(clock::timestamp(START + now * SECOND)),
        ..Node::default()
    };
    let nodes = ["eu", "us"].iter().flat_map(|geo| (0..count).map(move |n| node(geo, n)));
    Observed { nodes: nodes.collect(), now: START + now * SECOND, ..Observed::default() }
}

/// The same, where those that a rollout names follow it.
fn following(rollout: &Rollout, count: usize, now: i64) -> Observed {
    let mut seen = fleet(count, now);
    for node in &mut seen.nodes {
        let begun = rollout.stages.iter().filter(|s| s.state != "pending" && s.geo == node.geo);
        if begun.into_iter().any(|stage| stage.share >= 100 || stage.nodes.contains(&node.name)) {
            node.line = "candidate".into();
        }
    }
    seen
}

fn go(step: Step) -> Rollout {
    match step {
        Step::Go(rollout) => *rollout,
        other => panic!("{other:?}"),
    }
}

fn back(step: Step) -> String {
    match step {
        Step::Back(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_being_well_it_goes_from_the_canary_of_one_geo_to_all_of_the_last() {
    let mut rollout = rollout();
    let mut shares = Vec::new();
    let mut now = 0;
    while rollout.state != "completed" {
        rollout = go(conduct(&rollout, &fleet(4, now), &config()));
        if rollout.state == "completed" {
            break;
        }
        let running = rollout.stages.iter().find(|stage| stage.state == "running").unwrap();
        shares.push((running.geo.clone(), running.nodes.len()));
        // Nothing goes on before its nodes follow, nor before it has baked.
        assert_eq!(conduct(&rollout, &fleet(4, now + 1), &config()), Step::Stay);
        rollout = go(conduct(&rollout, &following(&rollout, 4, now + 2), &config()));
        assert_eq!(conduct(&rollout, &following(&rollout, 4, now + 61), &config()), Step::Stay);
        rollout = go(conduct(&rollout, &following(&rollout, 4, now + 62), &config()));
        now += 100;
    }
    let expected = [("eu", 1), ("eu", 2), ("eu", 4), ("us", 1), ("us", 2), ("us", 4)];
    assert_eq!(shares, expected.map(|(geo, count)| (geo.to_owned(), count)));
    assert!(rollout.stages.iter().all(|stage| stage.state == "done" && stage.end_time.is_some()));
}

/// A rollout whose canary follows.
fn at_the_canary() -> Rollout {
    let rollout = go(conduct(&rollout(), &fleet(4, 0), &config()));
    go(conduct(&rollout, &following(&rollout, 4, 1), &config()))
}

#[test]
fn who_was_chosen_stays_chosen() {
    let rollout = at_the_canary();
    let canary = rollout.stages[0].nodes.clone();
    let next = go(conduct(&rollout, &following(&rollout, 4, 62), &config()));
    let next = go(conduct(&next, &following(&rollout, 4, 63), &config()));
    assert!(next.stages[1].nodes.contains(&canary[0]), "{:?}", next.stages);
}

#[test]
fn case_23_a_refusal_takes_it_back() {
    let rollout = at_the_canary();
    let mut seen = following(&rollout, 4, 2);
    let canary = &rollout.stages[0].nodes[0];
    let node = seen.nodes.iter_mut().find(|node| node.name == *canary).unwrap();
    let nack = |revision, at: i64| NodeNack {
        code: "VALIDATION".into(),
        revision,
        detail: "no such endpoint".into(),
        create_time: Some(clock::timestamp(START + at * SECOND)),
        ..NodeNack::default()
    };
    node.last_nack = Some(nack(6, 1));
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay, "of another revision");
    seen.nodes.iter_mut().for_each(|node| node.last_nack = Some(nack(7, -1)));
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay, "of before");
    seen.nodes.iter_mut().for_each(|node| node.last_nack = Some(nack(7, 2)));
    let reason = back(conduct(&rollout, &seen, &config()));
    assert!(reason.contains(canary.as_str()) && reason.contains("VALIDATION no such endpoint"), "{reason}");
}

#[test]
fn a_node_that_does_not_follow_in_time_or_goes_away_takes_it_back() {
    let rollout = go(conduct(&rollout(), &fleet(4, 0), &config()));
    assert_eq!(conduct(&rollout, &fleet(4, 30), &config()), Step::Stay);
    let reason = back(conduct(&rollout, &fleet(4, 31), &config()));
    assert!(reason.contains("did not take it over within 30s"), "{reason}");

    let rollout = at_the_canary();
    let mut gone = following(&rollout, 4, 40);
    for node in &mut gone.nodes {
        node.state = "disconnected".into();
        node.last_seen_time = Some(clock::timestamp(START + 11 * SECOND));
    }
    assert_eq!(conduct(&rollout, &gone, &config()), Step::Stay, "it may be on its way back");
    gone.now += 2 * SECOND;
    let reason = back(conduct(&rollout, &gone, &config()));
    assert!(reason.contains("went away"), "{reason}");
}

#[test]
fn case_23_worse_answers_take_it_back_and_as_good_ones_do_not() {
    let rollout = at_the_canary();
    let with = |new: NodeTally| {
        let mut seen = following(&rollout, 4, 2);
        for node in &mut seen.nodes {
            let old = judged(6, "", [100, 5, 10]);
            node.tallies = if node.line == "candidate" {
                vec![new.clone(), old]
            } else {
                vec![judged(7, "", [100, 90, 0]), old]
            };
        }
        conduct(&rollout, &seen, &config())
    };
    assert_eq!(with(judged(7, "", [19, 18, 0])), Step::Stay, "too few to tell");
    assert_eq!(with(judged(7, "", [100, 7, 20])), Step::Stay);
    let reason = back(with(judged(7, "", [100, 8, 10])));
    assert_eq!(
        reason,
        "failed answers under the candidate: 8.0 % of 100 requests, 5.0 % of 100 requests under the stable content"
    );
    let reason = back(with(judged(7, "", [100, 5, 21])));
    assert!(reason.starts_with("refusals under the candidate: 21.0 %"), "{reason}");
}

#[test]
fn case_23_what_one_other_node_claims_excuses_nothing() {
    let rollout = at_the_canary();
    let huge = u64::MAX / 4;
    let mut seen = following(&rollout, 4, 2);
    let mut liars = 0;
    for node in &mut seen.nodes {
        let old = judged(6, "", [100, 5, 10]);
        node.tallies = match node.line.as_str() {
            "candidate" => vec![judged(7, "", [100, 60, 0]), old],
            _ if liars == 0 => vec![judged(6, "", [huge, huge, huge])],
            _ => vec![old],
        };
        liars += usize::from(node.line != "candidate");
    }
    assert!(
        back(conduct(&rollout, &seen, &config())).starts_with("failed answers under the candidate: 60.0 %")
    );
    // What nobody of the candidate's can tell of before, the middle of the others does.
    for node in seen.nodes.iter_mut().filter(|node| node.line == "candidate") {
        node.tallies.truncate(1);
    }
    assert!(back(conduct(&rollout, &seen, &config())).contains("60.0 %"));
}

/// What one content did to requests; without a digest as builds tell it that count by revision alone.
fn judged(revision: i64, digest: &str, [requests, errors, denials]: [u64; 3]) -> NodeTally {
    NodeTally { revision, requests, errors, denials, digest: digest.to_owned(), ..NodeTally::default() }
}

/// Both lines at revision 8, a change beside the rollout having come to both: `s8` is stable, `c8` the candidate.
fn both_at_eight(rollout: &Rollout) -> Observed {
    let mut seen = following(rollout, 4, 2);
    for geo in ["eu", "us"] {
        seen.contents.add(Line::Stable, geo, "s8");
        seen.contents.add(Line::Candidate, geo, "c8");
    }
    seen
}

#[test]
fn case_23_requests_of_the_stable_line_at_the_same_revision_are_not_the_candidates() {
    let rollout = at_the_canary();
    // All of it was refused at the canary, and none of it by the candidate, which it took over since.
    let mut seen = both_at_eight(&rollout);
    for node in &mut seen.nodes {
        node.tallies = vec![judged(8, "c8", [30, 0, 0]), judged(8, "s8", [30, 0, 30])];
    }
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay);
    // The candidate refuses more than the line beside it, however many that one answered.
    let mut seen = both_at_eight(&rollout);
    for node in &mut seen.nodes {
        node.tallies = match node.line.as_str() {
            "candidate" => vec![judged(8, "c8", [30, 0, 30]), judged(8, "s8", [3_000, 0, 0])],
            _ => vec![judged(8, "s8", [30, 0, 0])],
        };
    }
    let reason = back(conduct(&rollout, &seen, &config()));
    assert_eq!(
        reason,
        "refusals under the candidate: 100.0 % of 30 requests, 0.0 % of 3000 requests under the stable content"
    );
    // A node of a build that tells no digest is taken by the number of the revision.
    for node in &mut seen.nodes {
        node.tallies.iter_mut().for_each(|tally| tally.digest.clear());
    }
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay, "1 % of all that it told of revision 8");
}

#[test]
fn case_23_a_refusal_of_the_stable_line_at_the_same_revision_takes_nothing_back() {
    let rollout = at_the_canary();
    for (digest, is_held_against_it) in [("s8", false), ("c8", true), ("", true)] {
        let mut seen = both_at_eight(&rollout);
        for node in &mut seen.nodes {
            node.last_nack = Some(NodeNack {
                revision: 8,
                create_time: Some(clock::timestamp(START + 2 * SECOND)),
                digest: digest.into(),
                ..NodeNack::default()
            });
        }
        let step = conduct(&rollout, &seen, &config());
        assert_eq!(matches!(step, Step::Back(_)), is_held_against_it, "{digest}: {step:?}");
    }
}

#[test]
fn paused_or_waiting_it_stays_and_is_guarded_all_the_same() {
    let rollout = at_the_canary();
    let paused = Rollout { state: "paused".into(), ..rollout.clone() };
    assert_eq!(conduct(&paused, &following(&paused, 4, 90), &config()), Step::Stay);
    let mut gone = following(&paused, 4, 90);
    gone.nodes.iter_mut().for_each(|node| node.state = "disconnected".into());
    gone.now += 60 * SECOND;
    back(conduct(&paused, &gone, &config()));

    let manual = Rollout { manual: true, ..rollout };
    let waiting = go(conduct(&manual, &following(&manual, 4, 62), &config()));
    assert_eq!((waiting.state.as_str(), waiting.stages[0].state.as_str()), ("waiting", "done"));
    assert_eq!(conduct(&waiting, &following(&waiting, 4, 200), &config()), Step::Stay);
    let approved = Rollout { state: "progressing".into(), ..waiting };
    let next = go(conduct(&approved, &following(&approved, 4, 201), &config()));
    assert_eq!(next.stages[1].state, "running");
}
