//! Random worlds: the engine answers like the reference, and nothing that ought to narrow ever widens.

use std::sync::Arc;

use policy_engine::facts::{Facts, Rule};
use policy_engine::vocabulary::{Effect, Id, Mode, Name};
use policy_engine::{Scope, compile, project};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;

use super::ask::{Answer, Question, ask, question, snapshot};
use super::rulebook::{Words, rule};
use super::world::{ANY, AREAS, ENDPOINTS, Kind, PLACES, TENANTS, facts, id, name};
use super::{reference, worlds};

/// A world and what is asked in it.
fn asked(kind: Kind, questions: usize) -> impl Strategy<Value = (Facts, Vec<Question>)> {
    (facts(kind), prop::collection::vec(question(), questions))
}

fn with_rule(facts: &Facts, owner: Option<&str>, rule: Rule) -> Facts {
    let mut more = facts.clone();
    more.rules.insert(id(owner, "added"), Arc::new(rule));
    more
}

/// The answers before and after a change to the facts.
fn answers(before: &Facts, after: &Facts, questions: &[Question]) -> Vec<(Answer, Answer)> {
    let (before, after) = (snapshot(before), snapshot(after));
    questions.iter().map(|question| (ask(&before, question), ask(&after, question))).collect()
}

fn never_looser(before: &Facts, after: &Facts, questions: &[Question]) -> Result<(), TestCaseError> {
    for (before, after) in answers(before, after, questions) {
        prop_assert!(after.at_least_as_strict_as(&before), "{before:#?}\nbecame\n{after:#?}");
    }
    Ok(())
}

/// That the random worlds are worth asking: enough is allowed, and for enough different reasons refused.
#[test]
fn the_worlds_hold_every_kind_of_answer() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut codes = std::collections::BTreeMap::<String, usize>::new();
    let mut tools = 0;
    for _ in 0..1_600 {
        let (facts, questions) = asked(ANY, 6).new_tree(&mut runner).unwrap().current();
        let snapshot = snapshot(&facts);
        for question in &questions {
            let code = match ask(&snapshot, question) {
                Answer::Allow(_) => {
                    tools += usize::from(!question.tools.is_empty());
                    "allow".to_owned()
                }
                Answer::Deny(code) => code,
            };
            *codes.entry(code).or_default() += 1;
        }
    }
    assert!(codes["allow"] > 400, "{codes:?}");
    assert!(tools > 5, "{tools} requests with tools of the vendor's are allowed");
    let expected = [
        "content_blocked",
        "key_scope",
        "licence_expired",
        "licence_not_accepted",
        "licence_not_started",
        "licence_purpose",
        "licence_territory",
        "model_not_found",
        "not_entitled",
        "obligation_conflict",
        "permit_missing",
        "residency_unsatisfied",
        "rule_forbids",
        "rule_undecided",
        "unpriced_model",
    ];
    for code in expected {
        assert!(codes.contains_key(code), "no {code} in {codes:?}");
    }
}

proptest! {
    #![proptest_config(worlds(512))]

    #[test]
    fn the_index_answers_like_walking_every_fact((facts, questions) in asked(ANY, 6)) {
        let snapshot = snapshot(&facts);
        for question in &questions {
            prop_assert_eq!(ask(&snapshot, question), reference::answer(&facts, question), "{:#?}", question);
        }
    }
}

proptest! {
    #![proptest_config(worlds(128))]

    #[test]
    fn a_forbid_that_holds_denies((facts, questions) in asked(ANY, 6), tenant in select(&TENANTS[..])) {
        let always = Rule {
            effect: Effect::Forbid,
            when: String::new(),
            obligations: vec![],
            needs_permit: false,
            valid_from: None,
            valid_to: None,
            mode: Mode::Enforce,
            ..one_rule()
        };
        for owner in [None, Some(tenant)] {
            let denying = with_rule(&facts, owner, always.clone());
            for (question, (before, after)) in questions.iter().zip(answers(&facts, &denying, &questions)) {
                if owner.is_none() {
                    prop_assert!(matches!(after, Answer::Deny(_)), "{:#?} was allowed", question);
                } else if question.key.is_none() && Some(question.tenant) != owner {
                    prop_assert_eq!(before, after, "a rule of another tenant was felt");
                } else if question.key.is_none() {
                    prop_assert!(matches!(after, Answer::Deny(_)), "{:#?} was allowed", question);
                }
            }
        }
    }

    #[test]
    fn a_rule_never_widens(
        (facts, questions) in asked(ANY, 6),
        rule in rule(Words { permits: false, ..Words::ANY }),
        owner in prop::option::of(select(&TENANTS[..])),
    ) {
        never_looser(&facts, &with_rule(&facts, owner, rule), &questions)?;
    }

    #[test]
    fn without_a_grant_nothing_more_is_allowed((facts, questions) in asked(ANY, 6), which in any::<Index>()) {
        let facts = without_rules_about_roles(facts);
        let mut fewer = facts.clone();
        if let Some(grant) = facts.grants.keys().nth(which.index(facts.grants.len().max(1))) {
            fewer.grants.remove(grant);
        }
        for (before, after) in answers(&facts, &fewer, &questions) {
            let same = before == after || matches!(after, Answer::Deny(_));
            prop_assert!(same, "{:#?}\nbecame\n{:#?}", before, after);
        }
    }

    #[test]
    fn names_and_order_of_rules_mean_nothing((facts, questions) in asked(ANY, 6), salt in any::<u64>()) {
        let renamed = |id: &Id, n: usize| {
            let text = format!("r{}", (n as u64 + 1).wrapping_mul(salt | 1));
            Id { tenant: id.tenant.clone(), name: name(&text) }
        };
        let mut shuffled = facts.clone();
        let rules = facts.rules.iter().enumerate();
        shuffled.rules = rules.map(|(n, (id, rule))| (renamed(id, n), rule.clone())).collect();
        for (before, after) in answers(&facts, &shuffled, &questions) {
            match (before, after) {
                (Answer::Allow(before), Answer::Allow(after)) => {
                    prop_assert_eq!(before.matched.len(), after.matched.len());
                    let (matched, shadow) = (before.matched.clone(), before.shadow.clone());
                    let after = super::ask::Terms { matched, shadow, ..after };
                    prop_assert_eq!(before, after);
                }
                (Answer::Deny(_), Answer::Deny(_)) => {}
                (before, after) => prop_assert!(false, "{:#?}\nbecame\n{:#?}", before, after),
            }
        }
    }

    #[test]
    fn more_places_to_process_in_never_allow_more(
        (facts, questions) in asked(Kind { geos: false, words: Words::POSITIVE }, 6),
        endpoint in select(&ENDPOINTS[..]),
        place in select(&PLACES[..]),
    ) {
        let mut wider = facts.clone();
        let endpoint = wider.endpoints.get_mut(&id(None, endpoint)).unwrap();
        // From nowhere known to somewhere known is to learn something, not to widen.
        if !endpoint.processing_regions.is_empty() {
            Arc::make_mut(endpoint).processing_regions.push(name(place));
        }
        never_looser(&facts, &wider, &questions)?;
    }

    #[test]
    fn what_a_caller_declares_never_loosens((facts, questions) in asked(ANY, 6), area in select(&AREAS[..])) {
        let snapshot = snapshot(&facts);
        for question in questions {
            let silent = Question { areas: vec![], classes: vec![], ..question.clone() };
            let telling = Question {
                areas: [question.areas.clone(), vec![name(area)]].concat(),
                classes: [question.classes.clone(), vec!["PHI".to_owned()]].concat(),
                ..question
            };
            let (silent, telling) = (ask(&snapshot, &silent), ask(&snapshot, &telling));
            prop_assert!(telling.at_least_as_strict_as(&silent), "{:#?}\nbecame\n{:#?}", silent, telling);
        }
    }

    #[test]
    fn more_classes_and_areas_never_loosen_rules_that_ask_for_them(
        (facts, questions) in asked(Kind { geos: false, words: Words::POSITIVE }, 6),
        area in select(&AREAS[..]),
    ) {
        let snapshot = snapshot(&facts);
        for question in questions {
            let more = Question {
                areas: [question.areas.clone(), vec![name(area)]].concat(),
                classes: vec!["PHI".to_owned(), "EMAIL".to_owned()],
                content: vec![0, 1, 2, 3],
                ..question.clone()
            };
            let (less, more) = (ask(&snapshot, &question), ask(&snapshot, &more));
            prop_assert!(more.at_least_as_strict_as(&less), "{:#?}\nbecame\n{:#?}", less, more);
        }
    }

    #[test]
    fn to_know_nothing_is_never_better_than_to_know(
        (facts, questions) in asked(Kind { geos: false, words: Words::LAW }, 6),
        what in 0..5,
    ) {
        let mut ignorant = facts.clone();
        match what {
            0 => ignorant.tenants.values_mut().for_each(|t| Arc::make_mut(t).domicile = None),
            1 => ignorant.endpoints.values_mut().for_each(|e| Arc::make_mut(e).processing_regions.clear()),
            2 => ignorant.models.values_mut().for_each(|m| Arc::make_mut(m).card.risk_class = None),
            3 => {
                ignorant.principals.values_mut().for_each(|p| Arc::make_mut(p).residency = None);
                ignorant.teams.values_mut().for_each(|t| Arc::make_mut(t).jurisdictions.clear());
            }
            _ => {
                let nothing = Default::default();
                ignorant.endpoints.values_mut().for_each(|e| Arc::make_mut(e).terms = nothing);
                ignorant.providers.values_mut().for_each(|p| Arc::make_mut(p).terms = nothing);
            }
        }
        let questions: Vec<_> = questions.into_iter().map(|q| Question { areas: vec![], ..q }).collect();
        never_looser(&facts, &ignorant, &questions)?;
    }

    #[test]
    fn a_scope_holds_nothing_of_another_and_allows_no_more((facts, questions) in asked(Kind { geos: true, words: Words::ANY }, 6)) {
        let facts = without_rules_about_roles(facts);
        let scope = Scope { geo: name("eu") };
        let projected = project(&facts, &scope);
        prop_assert_eq!(elsewhere(&projected), Vec::<String>::new());
        prop_assert_eq!(&project(&projected, &scope), &projected, "projecting twice is projecting once");
        let header = policy_engine::snapshot::Header { revision: 1, geo: Some(name("eu")) };
        prop_assert!(compile(&projected, header).is_ok(), "a projection of sound facts is sound");
        for (question, (all, here)) in questions.iter().zip(answers(&facts, &projected, &questions)) {
            let Answer::Allow(here) = here else { continue };
            let tenant = question.key.map_or(name(question.tenant), |key| facts.keys[key].tenant.clone());
            let model = Id::of(tenant, name(question.model));
            // Where a tenant's own model is not in the scope, its name means the platform's there.
            if facts.models.contains_key(&model) && !projected.models.contains_key(&model) {
                continue;
            }
            let Answer::Allow(all) = all else { return Err(TestCaseError::fail(format!("{question:#?} is allowed here alone"))) };
            prop_assert!(here.candidates.keys().all(|endpoint| all.candidates.contains_key(endpoint)));
        }
    }
}

/// A rule may forbid something to whoever has a role, so that to lose the role is to gain: not what these laws are about.
fn without_rules_about_roles(mut facts: Facts) -> Facts {
    facts.rules.retain(|_, rule| !rule.when.contains("caller.roles"));
    facts
}

fn one_rule() -> Rule {
    Rule {
        layer: policy_engine::vocabulary::Layer::Regulation,
        effect: Effect::Forbid,
        when: String::new(),
        obligations: vec![],
        reason_code: None,
        legal_ref: None,
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown: None,
        needs_permit: false,
        geos: vec![],
    }
}

/// What is in facts although it is only for other geos than `eu`.
fn elsewhere(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |what: String, geos: &[Name]| {
        if !geos.is_empty() && !geos.contains(&name("eu")) {
            found.push(what);
        }
    };
    facts.tenants.iter().for_each(|(id, t)| look(format!("tenant {id}"), &t.geos));
    facts.teams.iter().for_each(|(id, t)| look(format!("team {id}"), &t.geos));
    facts.principals.iter().for_each(|(id, p)| look(format!("principal {id}"), &p.geos));
    facts.roles.iter().for_each(|(id, r)| look(format!("role {id}"), &r.geos));
    facts.providers.iter().for_each(|(id, p)| look(format!("provider {id}"), &p.geos));
    facts.endpoints.iter().for_each(|(id, e)| look(format!("endpoint {id}"), &e.geos));
    facts.licences.iter().for_each(|(id, l)| look(format!("licence {id}"), &l.geos));
    facts.models.iter().for_each(|(id, m)| look(format!("model {id}"), &m.geos));
    found
}
