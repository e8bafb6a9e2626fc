//! What a candidate is held against, and what is told of that.

use proto::admin::{NodeRefusals, ResourceChange};

use super::*;

/// What is seen of a canary and seven others: `stable` is in force beside the rollout, `c7` is the candidate.
fn seen(rollout: &Rollout, of: impl Fn(bool) -> Vec<NodeTally>) -> Observed {
    let mut seen = following(rollout, 4, 2);
    for geo in ["eu", "us"] {
        seen.contents.add(Line::Stable, geo, "stable");
        seen.contents.add(Line::Candidate, geo, "c7");
    }
    seen.nodes.iter_mut().for_each(|node| node.tallies = of(node.line == "candidate"));
    seen
}

#[test]
fn what_a_withdrawn_or_an_aborted_content_refused_excuses_no_candidate() {
    let rollout = at_the_canary();
    // The same rule, in force for a while, was withdrawn; an earlier rollout of it was aborted.
    let past = [judged(4, "withdrawn", [100, 0, 100]), judged(3, "aborted", [100, 0, 47])];
    let told = |good: u64, beside: u64| {
        let seen = seen(&rollout, |is_canary| {
            let stable = judged(5, "stable", [if is_canary { good } else { beside }, 0, 0]);
            let new = is_canary.then(|| judged(7, "c7", [30, 0, 30]));
            new.into_iter().chain(past.clone()).chain([stable]).collect()
        });
        let reason = back(conduct(&rollout, &seen, &config()));
        (reason, super::told(&rollout, &seen, &config()).other_tally.unwrap())
    };
    let candidate = "refusals under the candidate: 100.0 % of 30 requests";
    for (good, beside, held) in [
        (50, 3, "0.0 % of 50 requests under the stable content"),
        (3, 60, "0.0 % of 60 requests under the stable content"),
        (1, 0, "held against none: 1 request under the stable content"),
    ] {
        let (reason, stable) = told(good, beside);
        assert_eq!(reason, format!("{candidate}, {held}"));
        // What is shown is what it was held against.
        assert!(held.contains(&format!("{} under", counted(stable.requests))), "{reason}: {stable:?}");
    }
}

#[test]
fn of_too_few_requests_of_the_stable_content_no_refusal_is_an_excuse() {
    let rollout = at_the_canary();
    let with = |denials: u64| {
        let seen = seen(&rollout, |is_canary| match is_canary {
            true => vec![judged(7, "c7", [100, 0, denials]), judged(5, "stable", [3, 0, 3])],
            false => vec![],
        });
        conduct(&rollout, &seen, &config())
    };
    assert_eq!(with(10), Step::Stay);
    let reason = back(with(11));
    assert!(
        reason.ends_with("11.0 % of 100 requests, held against none: 3 requests under the stable content"),
        "{reason}"
    );
}

#[test]
fn a_candidate_under_which_nothing_goes_is_seen_by_few_requests() {
    let rollout = at_the_canary();
    let with = |new: [u64; 3], stable: [u64; 3]| {
        let seen = seen(&rollout, |is_canary| match is_canary {
            true => vec![judged(7, "c7", new), judged(5, "stable", stable)],
            false => vec![],
        });
        conduct(&rollout, &seen, &config())
    };
    assert_eq!(
        back(with([13, 0, 13], [8, 0, 1])),
        "not one of 13 requests under the candidate was answered well, 12.5 % of 8 requests under the stable content were not"
    );
    assert!(matches!(with([5, 2, 3], [5, 0, 0]), Step::Back(_)), "failures and refusals alike");
    for (new, stable, why) in [
        ([13, 0, 12], [8, 0, 0], "one went well"),
        ([4, 0, 4], [8, 0, 0], "too few"),
        ([13, 0, 13], [4, 0, 0], "too few of the stable content"),
        ([13, 0, 13], [8, 0, 4], "nor does it go under the stable content"),
    ] {
        assert_eq!(with(new, stable), Step::Stay, "{why}");
    }
}

#[test]
fn what_is_the_same_content_under_an_earlier_number_is_the_stable_content() {
    let rollout = at_the_canary();
    // It refuses half of what it is asked, and the candidate does not change that.
    let seen = seen(&rollout, |is_canary| match is_canary {
        true => vec![judged(7, "c7", [100, 0, 50]), judged(2, "stable", [100, 0, 50])],
        false => vec![],
    });
    assert_eq!(conduct(&rollout, &seen, &config()), Step::Stay);
}

#[test]
fn a_stage_that_was_asked_too_little_says_that_it_was_passed_on_acks_alone() {
    let rollout = at_the_canary();
    for (requests, note) in [
        (0, "passed on acks alone: 0 requests seen, 20 are needed to judge by"),
        (1, "passed on acks alone: 1 request seen, 20 are needed to judge by"),
        (20, ""),
    ] {
        let mut seen = Observed { now: START + 62 * SECOND, ..following(&rollout, 4, 62) };
        for node in &mut seen.nodes {
            node.tallies = vec![judged(7, "", [requests, 0, 0]), judged(6, "", [500, 0, 0])];
        }
        let done = go(conduct(&rollout, &seen, &config()));
        assert_eq!((done.stages[0].state.as_str(), done.stages[0].note.as_str()), ("done", note));
    }
}

#[test]
fn what_callers_do_wrong_themselves_takes_back_only_what_could_have_caused_it() {
    // Of 60 requests under the candidate 30 were refused with a code; limits are told by code alone.
    let with = |kind: &str, code: &str, denials: u64, is_told: bool| {
        let change = ResourceChange { kind: kind.into(), ..ResourceChange::default() };
        let rollout = Rollout { changes: vec![change], ..at_the_canary() };
        let refused = NodeRefusals { code: code.into(), requests: 30 };
        let refusals = is_told.then_some(refused).into_iter().collect();
        let new = NodeTally { refusals, ..judged(7, "c7", [60, 0, denials]) };
        let seen = seen(&rollout, |is_canary| {
            is_canary.then(|| new.clone()).into_iter().chain([judged(5, "stable", [100, 0, 0])]).collect()
        });
        let told = super::told(&rollout, &seen, &config()).candidate_tally.unwrap();
        (matches!(conduct(&rollout, &seen, &config()), Step::Back(_)), told.requests, told.denials)
    };
    for code in ["model_not_found", "not_entitled", "key_scope"] {
        assert_eq!(with("Rule", code, 30, true), (false, 30, 0), "{code}");
        assert_eq!(with("Guardrail", code, 30, true), (false, 30, 0), "{code}");
        for kind in ["Model", "Endpoint", "Provider", "Role", "Grant"] {
            assert_eq!(with(kind, code, 30, true), (true, 60, 30), "{kind} {code}");
        }
    }
    assert_eq!(with("Rule", "rule_forbids", 30, true), (true, 60, 30));
    assert_eq!(
        with("Price", "rule_forbids", 30, true),
        (true, 60, 30),
        "what is not the caller's own always counts"
    );
    assert_eq!(with("Rule", "no_such_code", 30, true), (true, 60, 30), "nor is what is not known");
    assert_eq!(with("Price", "rate_limit_exceeded", 0, true), (false, 30, 0));
    assert_eq!(with("Rule", "insufficient_quota", 0, true), (false, 30, 0));
    assert_eq!(with("Price", "insufficient_quota", 0, true), (true, 60, 30));
    // A build that does not tell by code: all of it counts.
    assert_eq!(with("Rule", "model_not_found", 30, false), (true, 60, 30));
}
