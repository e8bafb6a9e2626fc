use std::sync::Arc;

use policy_engine::facts::Role;
use policy_engine::vocabulary::{Id, Kind};

use super::*;

fn roles(count: usize) -> Facts {
    let mut facts = Facts::default();
    for number in 0..count {
        facts.roles.insert(role(number), Arc::new(bare(vec![])));
    }
    facts
}

fn bare(geos: Vec<Geo>) -> Role {
    Role { permissions: vec![], inherits: vec![], geos }
}

fn role(number: usize) -> Id {
    Id::platform(format!("role-{number}").parse().unwrap())
}

fn changes(numbers: std::ops::Range<usize>) -> Vec<Change> {
    numbers.map(|number| Change { kind: Kind::Role, id: role(number) }).collect()
}

fn geo() -> Geo {
    "eu".parse().unwrap()
}

fn elsewhere(facts: &Facts, numbers: std::ops::Range<usize>) -> Facts {
    let mut facts = facts.clone();
    for number in numbers {
        facts.roles.insert(role(number), Arc::new(bare(vec!["us".parse().unwrap()])));
    }
    facts
}

#[test]
fn what_goes_to_another_geo_is_much_less_here() {
    let (before, after) = (roles(40), elsewhere(&roles(40), 0..30));
    let (scopes, versions) = (Scopes::default(), Versions { before: &before, after: &after });
    assert!(scopes.judge(versions, &changes(0..30), false).is_ok(), "nobody is there to ask");
    assert!(scopes.follow(&geo(), &before).is_some() && scopes.follow(&geo(), &before).is_none());
    let (place, shrunk) = scopes.judge(versions, &changes(0..30), false).unwrap_err();
    assert_eq!((place, shrunk.before, shrunk.after), (geo(), 40, 10));
    let judged = scopes.judge(versions, &changes(0..30), true).unwrap();
    assert!(judged.may_shrink && judged.peaks[0].sizes.all == 10);
}

#[test]
fn steps_that_were_accepted_may_add_up_also_after_a_start() {
    let mut scopes = Scopes::default();
    scopes.follow(&geo(), &roles(40));
    let mut rows = vec![];
    let mut may = vec![];
    for (before, after) in [(40, 30), (30, 22), (22, 18), (18, 17)] {
        let versions = Versions { before: &roles(before), after: &roles(after) };
        let judged = scopes.judge(versions, &changes(after..before), false).unwrap();
        may.push(judged.may_shrink);
        if !judged.peaks.is_empty() {
            rows.clone_from(&judged.peaks);
        }
        scopes.keep(judged);
        if !rows.is_empty() {
            scopes = Scopes::open(rows.clone(), &roles(after));
        }
    }
    assert_eq!(may, [false, false, true, false], "once, when they add up to what a node would refuse");
    let grown = Versions { before: &roles(17), after: &roles(90) };
    let judged = scopes.judge(grown, &changes(17..90), false).unwrap();
    assert_eq!(judged.peaks, [PeakRow { geo: "eu".into(), sizes: Sizes { all: 90, ..Sizes::default() } }]);
}

#[test]
fn what_was_judged_is_what_is_sent_and_is_projected_once() {
    let (before, after) = (roles(40), elsewhere(&roles(41), 0..3));
    let (scopes, versions) = (Scopes::default(), Versions { before: &before, after: &after });
    scopes.follow(&geo(), &before);
    let mut judged = scopes.judge(versions, &changes(0..41), false).unwrap();
    let projected = judged.projected(7);
    let here = &projected[&geo()];
    assert_eq!((here.after, here.facts.roles.len(), projected.len()), (7, 38, 1));
    assert_eq!(here.facts, project(&after, &Scope { geo: geo() }));
    // What came, and what went; nothing else is sent.
    assert_eq!(here.changes, [changes(0..3), changes(40..41)].concat());
    scopes.keep(judged);
    let same = Versions { before: &after, after: &after };
    let again = scopes.judge(same, &[], false).unwrap().projected(8);
    assert_eq!((again[&geo()].facts.roles.len(), again[&geo()].changes.len()), (38, 0));
}
