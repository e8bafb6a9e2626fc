//! Who is not there: nodes on their way back after a start, geos that are away, nodes that are none any more.

use super::*;
use crate::nodes::Watch;

/// What a control plane sees that started at `now` seconds, the one before it having heard every node until two seconds before.
fn restarted(seen: Observed, now: i64) -> Observed {
    let began = START + now * SECOND;
    let mut seen = Observed { watch: Watch { began, left: began - 2 * SECOND }, now: began, ..seen };
    for node in &mut seen.nodes {
        node.state = "disconnected".into();
        node.last_seen_time = Some(clock::timestamp(began - 2 * SECOND));
    }
    seen
}

/// The same later, when some of the nodes have come back and said so.
fn later(seen: &Observed, seconds: i64, back: impl Fn(&Node) -> bool) -> Observed {
    let mut seen = Observed { now: seen.now + seconds * SECOND, ..seen.clone() };
    let now = Some(clock::timestamp(seen.now));
    for node in seen.nodes.iter_mut().filter(|node| back(node)) {
        node.state = "connected".into();
        let came = Some(clock::timestamp(seen.watch.began + SECOND));
        (node.last_seen_time, node.confirm_time, node.connect_time) = (now, now, came);
    }
    seen
}

#[test]
fn after_a_start_no_stage_is_chosen_before_the_nodes_that_were_there_are_back() {
    let start = restarted(fleet(4, 0), 100);
    assert_eq!(conduct(&rollout(), &start, &config()), Step::Stay);
    let one = later(&start, 7, |node| node.name == "nodes/eu-3");
    assert_eq!(conduct(&rollout(), &one, &config()), Step::Stay, "the others may be on their way");
    let all = later(&start, 14, |node| node.geo == "eu");
    let begun = go(conduct(&rollout(), &all, &config()));
    assert_eq!((begun.stages[0].state.as_str(), begun.stages[0].nodes.len()), ("running", 1));
    // One that does not come back in time is not waited for any longer.
    let most = later(&start, 31, |node| node.geo == "eu" && node.name != "nodes/eu-3");
    assert_eq!(go(conduct(&rollout(), &most, &config())).stages[0].nodes.len(), 1);
}

#[test]
fn after_a_start_a_stage_bakes_anew_once_its_nodes_have_answered() {
    let rollout = at_the_canary();
    let start = restarted(following(&rollout, 4, 2), 100);
    assert_eq!(conduct(&rollout, &start, &config()), Step::Stay);
    // It is connected, and what is known of it is what it said before.
    let mut silent = later(&start, 9, |_| true);
    silent.nodes.iter_mut().for_each(|node| node.confirm_time = None);
    assert_eq!(conduct(&rollout, &silent, &config()), Step::Stay);
    let heard = go(conduct(&rollout, &later(&start, 10, |_| true), &config()));
    assert_eq!(heard.stages[0].state, "running");
    assert_eq!(conduct(&heard, &later(&start, 69, |_| true), &config()), Step::Stay);
    let done = go(conduct(&heard, &later(&start, 70, |_| true), &config()));
    assert_eq!(done.stages[0].state, "done");
}

#[test]
fn an_outage_of_the_control_plane_is_held_against_no_node() {
    let rollout = at_the_canary();
    let start = restarted(following(&rollout, 4, 2), 10_000);
    for seconds in [0, 1, 30] {
        assert_eq!(conduct(&rollout, &later(&start, seconds, |_| false), &config()), Step::Stay, "{seconds}");
    }
    let reason = back(conduct(&rollout, &later(&start, 31, |_| false), &config()));
    assert!(reason.contains("went away"), "{reason}");
}

/// What is seen of nodes whose streams began a second ago, and that were steadily there at `steady` seconds.
fn come_again(seen: Observed, steady: Option<i64>) -> Observed {
    let mut seen = seen;
    for node in &mut seen.nodes {
        node.connect_time = Some(clock::timestamp(seen.now - SECOND));
        node.steady_time = steady.map(|at| clock::timestamp(START + at * SECOND));
    }
    seen
}

#[test]
fn a_node_that_comes_again_and_again_holds_a_stage_for_a_while_and_is_lost_then() {
    let begun = go(conduct(&rollout(), &fleet(4, 0), &config()));
    let canary = &begun.stages[0].nodes[0];
    // It never takes the candidate over, as its process ends each time; it was heard a moment ago, whenever it is looked at.
    let at = |now| come_again(fleet(4, now), Some(-1));
    let noted = go(conduct(&begun, &at(2), &config()));
    assert_eq!(
        noted.stages[0].note,
        format!("`{canary}` is not steadily there: it is waited for, 40s at most")
    );
    for now in [3, 29, 40] {
        assert_eq!(conduct(&noted, &at(now), &config()), Step::Stay, "{now}");
    }
    let reason = back(conduct(&noted, &at(41), &config()));
    assert!(reason.contains(canary.as_str()) && reason.contains("comes and goes"), "{reason}");
    // One that stays after all is told no more.
    let stays = go(conduct(&noted, &following(&noted, 4, 30), &config()));
    assert_eq!((stays.stages[0].note.as_str(), stays.stages[0].acked_time.is_some()), ("", true));
}

#[test]
fn a_node_that_comes_again_while_it_bakes_passes_no_stage_until_it_stays() {
    let rollout = at_the_canary();
    let at = |now, steady| come_again(following(&rollout, 4, now), Some(steady));
    // It enforces the candidate whenever it is looked at, and was steadily there a moment ago.
    let noted = go(conduct(&rollout, &at(70, 60), &config()));
    assert_eq!((noted.stages[0].state.as_str(), noted.stages[0].note.is_empty()), ("running", false));
    assert_eq!(conduct(&noted, &at(100, 60), &config()), Step::Stay);
    let reason = back(conduct(&noted, &at(101, 60), &config()));
    assert!(reason.contains("comes and goes"), "{reason}");
    let passed = go(conduct(&noted, &following(&rollout, 4, 100), &config()));
    let stage = &passed.stages[0];
    assert!(stage.state == "done" && !stage.note.contains("steadily"), "{stage:?}");
}

#[test]
fn a_stage_is_not_passed_while_its_node_is_not_there() {
    let rollout = at_the_canary();
    let mut seen = following(&rollout, 4, 62);
    let canary = &rollout.stages[0].nodes[0];
    seen.nodes.iter_mut().find(|node| node.name == *canary).unwrap().state = "disconnected".into();
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay);
}

#[test]
fn a_geo_that_is_away_holds_it_up_and_is_passed_by_when_it_stays_away() {
    let mut seen = fleet(2, 0);
    for node in seen.nodes.iter_mut().filter(|node| node.geo == "eu") {
        node.state = "disconnected".into();
        node.last_seen_time = Some(clock::timestamp(START - 60 * SECOND));
    }
    let rollout = Rollout { stages: plan(&seen, &config()), ..rollout() };
    let held = go(conduct(&rollout, &seen, &config()));
    assert_eq!(held.reason, "no node of `eu` is connected: it is waited for");
    assert!(held.stages.iter().all(|stage| stage.state == "pending"));
    assert_eq!(conduct(&held, &seen, &config()), Step::Stay);
    // It comes back.
    let mut there = seen.clone();
    there.nodes.iter_mut().for_each(|node| node.state = "connected".into());
    let begun = go(conduct(&held, &there, &config()));
    assert_eq!((begun.stages[0].state.as_str(), begun.reason.as_str()), ("running", ""));
    // It does not: the other geo has it, and what is passed by is told, for whoever comes.
    seen.now += 600 * SECOND;
    let mut passed = go(conduct(&held, &seen, &config()));
    let stage = &passed.stages[0];
    let told = (stage.geo.as_str(), stage.share, stage.state.as_str(), stage.note.as_str());
    assert_eq!(told, ("eu", 100, "done", "no node connected"));
    passed.stages.retain(|stage| stage.geo == "eu");
    let completed = go(conduct(&passed, &seen, &config()));
    assert_eq!(completed.reason, "no node connected in `eu`: they have it when they come");
}

#[test]
fn who_is_no_node_any_more_or_not_yet_is_in_no_plan() {
    let mut seen = fleet(3, 0);
    for node in seen.nodes.iter_mut().filter(|node| node.geo == "us") {
        node.revoke_time = Some(clock::timestamp(START));
    }
    seen.nodes.push(Node { geo: "fr".into(), state: "awaited".into(), ..Node::default() });
    let shares: Vec<_> = plan(&seen, &config()).into_iter().map(|stage| (stage.geo, stage.share)).collect();
    assert_eq!(shares, [("eu".to_owned(), 0), ("eu".to_owned(), 50), ("eu".to_owned(), 100)]);
    // Nor where they are revoked while it is on its way: neither the geo's stages nor the canary's end.
    let mut rollout = rollout();
    rollout.stages.retain(|stage| stage.geo == "us");
    let dropped = go(conduct(&rollout, &seen, &config()));
    assert!(dropped.stages.is_empty(), "{:?}", dropped.stages);
    assert_eq!(go(conduct(&dropped, &seen, &config())).reason, "no node connected");
    let rollout = at_the_canary();
    let mut seen = following(&rollout, 4, 2);
    let canary = seen.nodes.iter_mut().find(|node| node.name == rollout.stages[0].nodes[0]).unwrap();
    canary.revoke_time = Some(clock::timestamp(seen.now));
    canary.state = "disconnected".into();
    let again = go(conduct(&rollout, &seen, &config()));
    assert_eq!((again.stages[0].state.as_str(), again.stages[0].nodes.len()), ("pending", 0));
}

#[test]
fn a_stage_that_gives_it_to_nobody_more_is_none_and_bakes_nothing_again() {
    // Of two nodes the canary is half, and of one it is all.
    for (count, shares) in [(2, vec![0, 100]), (1, vec![100])] {
        let stages = plan(&fleet(count, 0), &config());
        let eu = stages.iter().filter(|stage| stage.geo == "eu");
        assert_eq!(eu.map(|stage| stage.share).collect::<Vec<_>>(), shares);
    }
    // All but the canary go away for good while it bakes: those that are there have it.
    let mut rollout = at_the_canary();
    rollout.stages[0].state = "done".into();
    let mut seen = following(&rollout, 4, 2);
    for node in &mut seen.nodes {
        if !rollout.stages[0].nodes.contains(&node.name) {
            node.revoke_time = Some(clock::timestamp(seen.now));
        }
    }
    let next = go(conduct(&rollout, &seen, &config()));
    let next = go(conduct(&next, &seen, &config()));
    let eu: Vec<_> = next.stages.iter().filter(|stage| stage.geo == "eu").collect();
    assert_eq!(
        eu.iter().map(|stage| (stage.share, stage.state.as_str())).collect::<Vec<_>>(),
        [(0, "done"), (100, "done")]
    );
    // More came than were there when it was planned: the geo is planned anew as it begins.
    let rollout = Rollout { stages: plan(&fleet(1, 0), &config()), ..super::rollout() };
    let begun = go(conduct(&rollout, &fleet(4, 0), &config()));
    let eu = begun.stages.iter().filter(|stage| stage.geo == "eu");
    assert_eq!(
        eu.map(|stage| (stage.share, stage.nodes.len())).collect::<Vec<_>>(),
        [(0, 1), (50, 0), (100, 0)]
    );
}

#[test]
fn the_canary_is_a_node_that_is_well_where_there_is_one() {
    let ill: [fn(&mut Node); 4] = [
        |node| node.staleness = "soft".into(),
        |node| node.staleness = "hard".into(),
        |node| node.confirmed_revision = 5,
        |node| node.last_nack = Some(NodeNack { revision: 8, ..NodeNack::default() }),
    ];
    let drawn = go(conduct(&rollout(), &fleet(4, 0), &config())).stages[0].nodes.clone();
    for make_ill in ill {
        let mut seen = fleet(4, 0);
        seen.nodes.iter_mut().filter(|node| drawn.contains(&node.name)).for_each(make_ill);
        let other = go(conduct(&rollout(), &seen, &config())).stages[0].nodes.clone();
        assert!(other.len() == 1 && other != drawn, "{other:?}");
        // Where none is well, the draw alone says who it is.
        seen.nodes.iter_mut().for_each(make_ill);
        assert_eq!(go(conduct(&rollout(), &seen, &config())).stages[0].nodes, drawn);
    }
}
