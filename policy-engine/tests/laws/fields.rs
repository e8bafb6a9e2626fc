//! An endpoint that rejects fields outside the published schema is no candidate for a request that has one.

use policy_engine::decision::Decision;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Effect, UnknownFields};
use proptest::prelude::*;

use super::ask::{ask, question, snapshot};
use super::narrowing::{Ask, code, decision, permit};
use super::plain::{change, house, put, rule};
use super::world::{ANY, facts};
use super::worlds;

/// The house, with endpoints that reject.
fn rejecting(endpoints: &[&str]) -> Facts {
    let mut facts = house();
    for endpoint in endpoints {
        change(&mut facts.endpoints, endpoint).unknown_fields = UnknownFields::Reject;
    }
    facts
}

fn fields() -> [String; 2] {
    ["plugins", "transforms"].map(str::to_owned)
}

#[test]
fn a_request_with_such_a_field_goes_where_it_is_forwarded() {
    let (facts, fields) = (rejecting(&["in-eu"]), fields());
    let asked = Ask { fields: &fields, ..Ask::default() };
    let (snapshot, given) = permit(&facts, &asked);
    let places: Vec<_> =
        given.candidates.iter().map(|c| snapshot.endpoint(c.endpoint).unwrap().id.to_string()).collect();
    assert_eq!(places, ["in-us"]);
    let dropped = &given.dropped[0];
    assert_eq!((dropped.code.as_str(), dropped.field.as_deref()), ("unknown_field", Some("plugins")));
    assert_eq!(dropped.endpoint.as_ref().unwrap().to_string(), "in-eu");
    assert_eq!(permit(&facts, &Ask::default()).1.candidates.len(), 2, "nothing unknown, nobody dropped");
    assert_eq!(permit(&house(), &asked).1.candidates.len(), 2, "the default is to forward");
}

#[test]
fn where_nobody_takes_it_the_field_is_named() {
    let (facts, fields) = (rejecting(&["in-eu", "in-us"]), fields());
    let Decision::Deny(denial) = decision(&facts, &Ask { fields: &fields, ..Ask::default() }) else {
        panic!("allowed")
    };
    let reason = &denial.reasons[0];
    assert_eq!((reason.code.as_str(), reason.field.as_deref()), ("unknown_field", Some("plugins")));
    assert!(reason.to_string().contains("`plugins`") && reason.endpoint.is_none(), "{reason}");
    assert_eq!(code(&facts, &Ask::default()), "allow");
}

#[test]
fn what_the_caller_can_mend_is_told_before_what_it_cannot_and_policy_before_both() {
    let mut facts = rejecting(&["in-us"]);
    let fields = fields();
    let asked = Ask { fields: &fields, ..Ask::default() };
    put(&mut facts.rules, "no", rule(Effect::Forbid, "'EU' in endpoint.processingRegions"));
    assert_eq!(code(&facts, &asked), "unknown_field", "without the field it would go to in-us");
    assert_eq!(code(&facts, &Ask::default()), "allow");
    put(&mut facts.rules, "nor", rule(Effect::Forbid, "'US' in endpoint.processingRegions"));
    assert_eq!(code(&facts, &asked), "rule_forbids", "without the field it would go nowhere either");
    put(&mut facts.rules, "at-all", rule(Effect::Forbid, "purpose == null"));
    assert_eq!(code(&rejecting(&["in-eu", "in-us"]), &asked), "unknown_field");
    assert_eq!(code(&facts, &asked), "rule_forbids");
}

proptest! {
    #![proptest_config(worlds(60))]

    #[test]
    fn a_field_that_is_not_published_never_allows_more(
        facts in facts(ANY), questions in prop::collection::vec(question(), 8),
    ) {
        let snapshot = snapshot(&facts);
        for question in questions {
            let without = super::ask::Question { fields: vec![], ..question.clone() };
            let with = super::ask::Question { fields: vec!["plugins".to_owned()], ..question };
            prop_assert!(ask(&snapshot, &with).at_least_as_strict_as(&ask(&snapshot, &without)));
        }
    }
}
