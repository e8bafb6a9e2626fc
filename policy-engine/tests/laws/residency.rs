//! Where a request may be processed, and what is said when no place is left.

use policy_engine::decision::Decision;
use policy_engine::facts::{Facts, Obligation, Rule};
use policy_engine::reason::ReasonCode;
use policy_engine::vocabulary::{Effect, Entity, MaskAction};

use super::narrowing::{Ask, code, decision, permit};
use super::plain::{change, house, name, put, rule};

fn within(places: &[&str], legal_ref: &str, when: &str) -> Rule {
    Rule {
        obligations: vec![Obligation::Residency(places.iter().map(|p| name(p)).collect())],
        legal_ref: Some(legal_ref.to_owned()),
        ..rule(Effect::Require, when)
    }
}

fn endpoints(facts: &Facts, ask: &Ask<'_>) -> Vec<String> {
    let (snapshot, permit) = permit(facts, ask);
    permit.candidates.iter().map(|c| snapshot.endpoint(c.endpoint).unwrap().id.to_string()).collect()
}

#[test]
fn only_endpoints_that_stay_within_are_left_and_the_others_say_why() {
    let mut facts = house();
    put(&mut facts.rules, "eu", within(&["EU", "UK"], "GDPR Art. 44", "'EU' in subject.jurisdictions"));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"]);
    let (_, kept) = permit(&facts, &Ask::default());
    assert_eq!(kept.dropped.len(), 1);
    assert_eq!(kept.dropped[0].code, ReasonCode::ResidencyUnsatisfied);
    assert_eq!(kept.dropped[0].legal_ref.as_deref(), Some("GDPR Art. 44"));
    assert_eq!(kept.dropped[0].endpoint.as_ref().unwrap().to_string(), "in-us");
    let sales = Ask { team: "sales", ..Ask::default() };
    assert_eq!(endpoints(&facts, &sales), ["in-eu", "in-us"], "its subjects are elsewhere");
    let claimed = [name("DE")];
    assert_eq!(endpoints(&facts, &Ask { areas: &claimed, ..sales }), ["in-eu"], "a declaration adds");
}

/// C7: two laws that leave no place between them are both named.
#[test]
fn laws_that_contradict_each_other_are_both_named() {
    let mut facts = house();
    put(&mut facts.rules, "eu", within(&["EU"], "GDPR Art. 44", "'EU' in subject.jurisdictions"));
    put(&mut facts.rules, "us", within(&["US"], "ITAR 120.54", "'US' in subject.jurisdictions"));
    change(&mut facts.teams, "acme/research").jurisdictions.push(name("US"));
    let Decision::Deny(denial) = decision(&facts, &Ask::default()) else { panic!("allowed") };
    assert!(denial.reasons.iter().all(|r| r.code == ReasonCode::ObligationConflict));
    let laws: Vec<_> = denial.reasons.iter().filter_map(|r| r.legal_ref.as_deref()).collect();
    assert_eq!(laws, ["GDPR Art. 44", "ITAR 120.54"]);
    assert_eq!(denial.matched.len(), 2);
}

#[test]
fn laws_that_contradict_each_other_about_one_endpoint_refuse_that_endpoint() {
    let mut facts = house();
    put(&mut facts.rules, "all", within(&["EU", "US"], "A", ""));
    put(&mut facts.rules, "odd", within(&["BR"], "B", "endpoint.name == 'in-us'"));
    let (_, kept) = permit(&facts, &Ask::default());
    assert_eq!(kept.candidates.len(), 1);
    let codes: Vec<_> = kept.dropped.iter().map(|r| (r.code, r.legal_ref.as_deref().unwrap())).collect();
    assert_eq!(codes, [(ReasonCode::ObligationConflict, "A"), (ReasonCode::ObligationConflict, "B")]);
}

#[test]
fn the_rule_that_an_endpoint_breaks_is_the_one_named() {
    let mut facts = house();
    put(&mut facts.rules, "a-wide", within(&["EU", "US"], "wide", ""));
    put(&mut facts.rules, "b-narrow", within(&["EU"], "narrow", ""));
    let (_, kept) = permit(&facts, &Ask::default());
    let laws: Vec<_> = kept.dropped.iter().filter_map(|r| r.legal_ref.as_deref()).collect();
    assert_eq!(laws, ["narrow"]);
}

#[test]
fn an_endpoint_of_unknown_place_satisfies_no_residency() {
    let mut facts = house();
    change(&mut facts.endpoints, "in-eu").processing_regions.clear();
    put(&mut facts.rules, "eu", within(&["global"], "any place", ""));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-us"]);
}

#[test]
fn a_declared_place_is_under_its_law_however_it_is_written() {
    let mut facts = house();
    put(&mut facts.rules, "eu", within(&["EU"], "GDPR Art. 44", "'EU' in subject.jurisdictions"));
    let sales = Ask { team: "sales", ..Ask::default() };
    for place in ["EU", "Eu", "eu", "de", "DE-BY", "EEA", "eu-west-1", "global", "europe"] {
        let claimed = [name(place)];
        assert_eq!(endpoints(&facts, &Ask { areas: &claimed, ..sales }), ["in-eu"], "{place}");
    }
    for place in ["US", "us-ca", "CH-ZH", "uk"] {
        let claimed = [name(place)];
        assert_eq!(endpoints(&facts, &Ask { areas: &claimed, ..sales }), ["in-eu", "in-us"], "{place}");
    }
}

#[test]
fn an_endpoint_stays_within_only_if_it_stores_there_too() {
    let mut facts = house();
    put(&mut facts.rules, "eu", within(&["EU"], "GDPR Art. 44", ""));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"], "it stores where it processes");
    change(&mut facts.endpoints, "in-eu").storage_regions = vec![name("FR")];
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"]);
    change(&mut facts.endpoints, "in-eu").storage_regions = vec![name("FR"), name("US")];
    change(&mut facts.endpoints, "in-us").storage_regions = vec![name("FR")];
    let Decision::Deny(denial) = decision(&facts, &Ask::default()) else { panic!("allowed") };
    assert_eq!(denial.code(), ReasonCode::ResidencyUnsatisfied);
    let of = |endpoint: &str| {
        let about = |r: &&policy_engine::reason::Reason| {
            r.endpoint.as_ref().is_some_and(|id| id.name.as_str() == endpoint)
        };
        denial.reasons.iter().find(about).unwrap().to_string()
    };
    assert!(of("in-eu").contains("stores what it is sent outside"), "{}", of("in-eu"));
    assert!(of("in-eu").contains("GDPR Art. 44"));
    assert!(!of("in-us").contains("stores what it is sent"), "{}", of("in-us"));

    change(&mut facts.endpoints, "in-eu").processing_regions.clear();
    change(&mut facts.endpoints, "in-eu").storage_regions = vec![name("FR")];
    assert_eq!(
        code(&facts, &Ask::default()),
        "residency_unsatisfied",
        "where it stores says nothing of where it processes"
    );
}

#[test]
fn what_an_endpoint_demands_is_done_for_the_whole_permit_and_what_it_blocks_goes_elsewhere() {
    let mut facts = house();
    let masking = |entity| Rule {
        obligations: vec![Obligation::Mask(vec![entity])],
        ..rule(Effect::Require, "endpoint.name == 'in-us'")
    };
    put(&mut facts.rules, "mask", masking(Entity::Email));
    let (_, kept) = permit(&facts, &Ask::default());
    assert_eq!(kept.candidates.len(), 2);
    assert_eq!(kept.input.on(Entity::Email), Some(MaskAction::Mask));
    assert_eq!(kept.output.on(Entity::Email), Some(MaskAction::Mask));

    let blocking =
        Rule { obligations: vec![Obligation::Block(vec![Entity::Phone])], ..masking(Entity::Phone) };
    put(&mut facts.rules, "block", blocking);
    let silent = permit(&facts, &Ask::default()).1;
    assert_eq!(
        silent.input.on(Entity::Phone),
        Some(MaskAction::Block),
        "were one in the answer, it is blocked"
    );
    let telling = Ask { found: &[Entity::Phone], ..Ask::default() };
    assert_eq!(endpoints(&facts, &telling), ["in-eu"]);
    let kept = permit(&facts, &telling).1;
    assert_eq!(kept.dropped[0].code, ReasonCode::ContentBlocked);
    assert_eq!(kept.input.on(Entity::Email), None, "nobody is left who demands it");
}

#[test]
fn a_permit_about_an_endpoint_permits_that_endpoint() {
    let mut facts = house();
    put(&mut facts.rules, "ask", Rule { needs_permit: true, ..rule(Effect::Require, "") });
    let Decision::Deny(denial) = decision(&facts, &Ask::default()) else { panic!("allowed") };
    assert_eq!(denial.code(), ReasonCode::PermitMissing);
    put(&mut facts.rules, "give", rule(Effect::Permit, "'DE' in endpoint.processingRegions"));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"]);
    put(&mut facts.rules, "give-all", rule(Effect::Permit, "stream || !stream"));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu", "in-us"]);
    put(&mut facts.rules, "never", rule(Effect::Forbid, "endpoint.name == 'in-us'"));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"], "a permit lifts nothing from a forbid");
}

#[test]
fn a_tenants_permit_lifts_that_tenants_rules_and_never_the_platforms() {
    let asking = Rule { needs_permit: true, ..rule(Effect::Require, "") };
    let giving = rule(Effect::Permit, "");
    let of_one = rule(Effect::Permit, "endpoint.name == 'in-eu'");
    let cases = [
        ("law", "acme/give", &giving, "permit_missing"),
        ("law", "acme/give", &of_one, "permit_missing"),
        ("law", "give", &giving, "allow"),
        ("law", "give", &of_one, "allow"),
        ("acme/ours", "acme/give", &giving, "allow"),
        ("acme/ours", "acme/give", &of_one, "allow"),
        ("acme/ours", "give", &giving, "allow"),
    ];
    for (demanding, id, permit, expected) in cases {
        let mut facts = house();
        put(&mut facts.rules, demanding, asking.clone());
        put(&mut facts.rules, id, permit.clone());
        assert_eq!(code(&facts, &Ask::default()), expected, "{demanding} {id} {}", permit.when);
    }
    let mut facts = house();
    put(&mut facts.rules, "law", Rule { when: "endpoint.name == 'in-eu'".to_owned(), ..asking.clone() });
    put(&mut facts.rules, "acme/ours", asking);
    put(&mut facts.rules, "acme/give", giving);
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-us"], "the law is about one endpoint alone");
}

/// A declared area must not make the unknown known, or a header would lift rules (C10).
#[test]
fn a_declaration_lifts_no_rule_that_matched_the_unknown() {
    let mut facts = house();
    change(&mut facts.teams, "acme/research").jurisdictions.clear();
    put(&mut facts.rules, "eu", within(&["EU"], "GDPR Art. 44", "'EU' in subject.jurisdictions"));
    assert_eq!(endpoints(&facts, &Ask::default()), ["in-eu"], "unknown counts as a match");
    let claimed = [name("US")];
    assert_eq!(endpoints(&facts, &Ask { areas: &claimed, ..Ask::default() }), ["in-eu"]);
    put(&mut facts.rules, "ask", Rule { needs_permit: true, ..rule(Effect::Require, "") });
    put(&mut facts.rules, "give", rule(Effect::Permit, "'US' in subject.jurisdictions"));
    let Decision::Deny(denial) = decision(&facts, &Ask { areas: &claimed, ..Ask::default() }) else {
        panic!("a header gave a permission")
    };
    assert_eq!(denial.code(), ReasonCode::PermitMissing);
}
