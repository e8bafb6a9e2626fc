//! What does not compile: every fault is found at once, each with its kind, id, field and code.

use std::sync::Arc;

use policy_engine::compile;
use policy_engine::facts::{
    Acceptance, Bound, Check, Facts, GrantSubject, Guardrail, LicenceAcceptance, LicenceTerm, Limit,
    LimitScope, Obligation, Price, PricePerMillion, RouteTarget, Rule, Subject,
};
use policy_engine::snapshot::Header;
use policy_engine::vocabulary::{Effect, Instant, MaskAction, OnStoreLoss, Period};

use super::narrowing::key;
use super::plain::{change, grant, house, id, licence, model, name, put, rule, tenant};

/// `Kind id field code`, sorted.
fn faults(facts: &Facts) -> Vec<String> {
    let Err(faults) = compile(facts, Header { revision: 1, geo: None }) else { return Vec::new() };
    assert!(!faults.is_empty());
    let shown = faults.iter().map(|f| format!("{} {} {} {}", f.kind, f.id, f.field, f.code));
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

fn limit(scope: LimitScope, bound: Bound) -> Limit {
    Limit { scope, bound, on_store_loss: OnStoreLoss::Closed, geos: vec![] }
}

fn price(currency: &str, endpoint: Option<&str>) -> Price {
    Price {
        model: name("big"),
        endpoint: endpoint.map(name),
        valid_from: None,
        currency: currency.parse().unwrap(),
        per_million: PricePerMillion::default(),
        per_unit: Default::default(),
        geos: vec![],
    }
}

fn words(list: &[&str]) -> Guardrail {
    let words = list.iter().map(|w| (*w).to_owned()).collect();
    Guardrail {
        applies: Subject::default(),
        input: vec![Check { detect: vec![], words, action: MaskAction::Detect }],
        output: vec![],
        geos: vec![],
    }
}

#[test]
fn a_sound_house_compiles() {
    assert_eq!(faults(&house()), Vec::<String>::new());
    assert_eq!(faults(&Facts::default()), Vec::<String>::new());
}

#[test]
fn every_reference_is_proved_and_every_fault_is_told() {
    let mut facts = house();
    change(&mut facts.principals, "acme/ada").teams.push(name("gone"));
    put(&mut facts.grants, "acme/bad", grant("none", GrantSubject::Team(name("gone"))));
    put(&mut facts.grants, "acme/worse", grant("user", GrantSubject::Principal(name("gone"))));
    change(&mut facts.roles, "user").inherits.push(name("none"));
    change(&mut facts.endpoints, "in-eu").provider = name("none");
    change(&mut facts.endpoints, "in-us").processing_regions.push(name("atlantis"));
    put(&mut facts.models, "lost", model(Some("none"), &["nowhere", "in-eu"]));
    let sales = facts.teams[&id("acme/sales")].clone();
    facts.teams.insert(id("nobody/team"), sales);
    put(&mut facts.prices, "p", Price { model: name("none"), ..price("USD", None) });
    put(&mut facts.prices, "q", price("USD", Some("none")));
    let scope = LimitScope { provider: Some(name("none")), ..LimitScope::default() };
    put(&mut facts.limits, "l", limit(scope, Bound::Concurrent(1)));
    let accepted = LicenceAcceptance {
        licence: name("none"),
        team: name("gone"),
        text_digest: None,
        accepted_by: String::new(),
        geos: vec![],
    };
    put(&mut facts.acceptances, "acme/a", accepted);
    key(&mut facts, "k", &[]);
    Arc::make_mut(facts.keys.get_mut("k").unwrap()).team = name("gone");
    let expected = [
        "Endpoint in-eu spec.provider unknown_reference",
        "Endpoint in-us spec.processingRegions[1] unknown_region",
        "Grant acme/bad spec.role unknown_reference",
        "Grant acme/bad spec.to.team unknown_reference",
        "Grant acme/worse spec.to.principal unknown_reference",
        "Key acme/k team unknown_reference",
        "LicenceAcceptance acme/a spec.licence unknown_reference",
        "LicenceAcceptance acme/a spec.team unknown_reference",
        "Limit l spec.scope.provider unknown_reference",
        "Model lost spec.licence unknown_reference",
        "Model lost spec.route.groups[0][0].endpoint unknown_reference",
        "Price p spec.model unknown_reference",
        "Price q spec.endpoint unknown_reference",
        "Principal acme/ada spec.teams[2] unknown_reference",
        "Role user spec.inherits[0] unknown_reference",
        "Team nobody/team metadata.tenant unknown_reference",
    ];
    assert_eq!(faults(&facts), expected);
}

#[test]
fn every_kind_names_an_owner_that_is_there() {
    let mut facts = house();
    put(&mut facts.prices, "none/p", price("USD", None));
    put(&mut facts.limits, "none/l", limit(LimitScope::default(), Bound::Concurrent(1)));
    put(&mut facts.rules, "none/r", rule(Effect::Forbid, ""));
    put(&mut facts.guardrails, "none/g", words(&["x"]));
    put(&mut facts.licences, "none/c", licence());
    put(&mut facts.models, "none/m", model(None, &[]));
    let sales = facts.teams[&id("acme/sales")].clone();
    facts.teams.insert(id("orphan"), sales);
    put(&mut facts.tenants, "acme/nested", tenant(None));
    let kinds: Vec<_> = faults(&facts).iter().map(|f| f.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["Guardrail", "Licence", "Limit", "Model", "Price", "Rule", "Team", "Tenant"]);
}

/// A platform's endpoint comes with the platform's credential, so a tenant's model can't take it under terms of its own.
#[test]
fn what_speaks_to_vendors_is_not_borrowed() {
    let mut facts = house();
    put(&mut facts.models, "acme/y", model(None, &["home", "in-eu"]));
    change(&mut facts.endpoints, "acme/home").provider = name("vendor");
    put(&mut facts.models, "z", model(None, &["home"]));
    let expected = [
        "Endpoint acme/home spec.provider unknown_reference",
        "Model acme/y spec.route.groups[0][1].endpoint unknown_reference",
        "Model z spec.route.groups[0][0].endpoint unknown_reference",
    ];
    assert_eq!(faults(&facts), expected);
}

#[test]
fn names_of_models_mean_one_model() {
    let mut facts = house();
    change(&mut facts.models, "big").aliases = vec!["big".to_owned(), "x".to_owned(), "x".to_owned()];
    put(&mut facts.models, "acme/y", model(None, &["home"]));
    change(&mut facts.models, "acme/y").aliases = vec!["x".to_owned(), "big".to_owned()];
    assert_eq!(faults(&facts), Vec::<String>::new(), "a tenant's own names are beside the platform's");
    put(&mut facts.models, "x", model(None, &["in-eu", "in-eu"]));
    let expected = ["Model x metadata.name duplicate", "Model x spec.route.groups[0][1].endpoint duplicate"];
    assert_eq!(faults(&facts), expected);
    facts.models.remove(&id("x"));
    put(&mut facts.models, "z", model(None, &["in-eu"]));
    change(&mut facts.models, "z").aliases = vec!["new".to_owned(), "x".to_owned()];
    change(&mut facts.models, "z").route.groups.push(vec![RouteTarget {
        endpoint: name("in-us"),
        weight: 1,
        canary_percent: None,
        mirror_percent: None,
    }]);
    assert_eq!(faults(&facts), ["Model z spec.aliases[1] duplicate"]);
}

#[test]
fn money_is_counted_in_one_currency() {
    let mut facts = house();
    let spend = |money: &str| Bound::Spend(money.parse().unwrap(), Period::Day);
    put(&mut facts.limits, "acme/eur", limit(LimitScope::default(), spend("1.00 EUR")));
    assert_eq!(faults(&facts), ["Limit acme/eur spec.bound.spend currency"], "the tenant keeps dollars");
    facts.limits.clear();
    put(&mut facts.prices, "acme/p", price("EUR", None));
    assert_eq!(faults(&facts), ["Price acme/p spec.currency currency"]);
    facts.prices.clear();
    put(&mut facts.prices, "p", price("EUR", Some("in-eu")));
    assert_eq!(faults(&facts), Vec::<String>::new(), "nothing counts it");
    put(&mut facts.limits, "acme/usd", limit(LimitScope::default(), spend("1.00 USD")));
    assert_eq!(faults(&facts), ["Limit acme/usd spec.bound.spend currency"]);
    let elsewhere = LimitScope { endpoint: Some(name("in-us")), ..LimitScope::default() };
    put(&mut facts.limits, "acme/usd", limit(elsewhere, spend("1.00 USD")));
    assert_eq!(faults(&facts), Vec::<String>::new(), "it never meets that price");
    put(&mut facts.prices, "twin", price("EUR", Some("in-eu")));
    assert_eq!(faults(&facts), ["Price twin spec.validFrom duplicate"]);
    change(&mut facts.prices, "p").geos = vec![name("eu")];
    change(&mut facts.prices, "twin").geos = vec![name("us")];
    assert_eq!(faults(&facts), Vec::<String>::new(), "they never meet");
}

#[test]
fn rules_say_something_that_can_be_kept() {
    let mut facts = house();
    let requiring = |obligations| Rule { obligations, ..rule(Effect::Require, "") };
    let places = |places: &[&str]| Obligation::Residency(places.iter().map(|p| name(p)).collect());
    put(&mut facts.rules, "a", requiring(vec![]));
    put(&mut facts.rules, "b", requiring(vec![places(&[])]));
    put(&mut facts.rules, "c", requiring(vec![places(&["EU"]), places(&["US"])]));
    put(&mut facts.rules, "d", requiring(vec![Obligation::Mask(vec![]), Obligation::Block(vec![])]));
    put(&mut facts.rules, "e", requiring(vec![places(&["EU", "atlantis"])]));
    put(&mut facts.rules, "f", Rule { obligations: vec![Obligation::NoCache], ..rule(Effect::Forbid, "") });
    put(&mut facts.rules, "g", Rule { needs_permit: true, ..rule(Effect::Permit, "") });
    put(&mut facts.rules, "h", rule(Effect::Forbid, "caller.planet == 'earth'"));
    let dates = Rule { valid_from: Some(Instant(2)), valid_to: Some(Instant(2)), ..rule(Effect::Forbid, "") };
    put(&mut facts.rules, "i", dates);
    change(&mut facts.licences, "terms").term =
        LicenceTerm { from: Some(Instant(2)), until: Some(Instant(1)) };
    change(&mut facts.licences, "terms").acceptance = Acceptance::Required;
    let expected = [
        "Licence terms spec.term.to conflict",
        "Rule a spec.obligations missing",
        "Rule b spec.obligations[0].residency missing",
        "Rule c spec.obligations conflict",
        "Rule d spec.obligations[0].mask missing",
        "Rule d spec.obligations[1].block missing",
        "Rule e spec.obligations[0].residency[1] unknown_region",
        "Rule f spec.obligations conflict",
        "Rule g spec.needsPermit conflict",
        "Rule h spec.when condition",
        "Rule i spec.validTo conflict",
    ];
    assert_eq!(faults(&facts), expected);
}

#[test]
fn what_is_of_a_tenant_names_only_its_own_people() {
    let mut facts = house();
    put(&mut facts.tenants, "bolt", tenant(None));
    key(&mut facts, "mine", &[]);
    let scope = |team: Option<&str>, key: Option<&str>| LimitScope {
        team: team.map(name),
        key: key.map(name),
        ..LimitScope::default()
    };
    put(&mut facts.limits, "bolt/key", limit(scope(None, Some("mine")), Bound::Concurrent(1)));
    put(&mut facts.limits, "bolt/team", limit(scope(Some("research"), None), Bound::Concurrent(1)));
    put(&mut facts.limits, "team", limit(scope(Some("research"), None), Bound::Concurrent(1)));
    put(&mut facts.limits, "key", limit(scope(None, Some("mine")), Bound::Concurrent(1)));
    let of_team = |guardrail: Guardrail| Guardrail {
        applies: Subject { models: vec![], teams: vec![name("research")] },
        ..guardrail
    };
    put(&mut facts.guardrails, "bolt/g", of_team(words(&["x"])));
    put(&mut facts.guardrails, "g", of_team(words(&["x"])));
    let expected = [
        "Guardrail bolt/g spec.applies.teams[0] unknown_reference",
        "Guardrail g spec.applies.teams[0] unknown_reference",
        "Limit bolt/key spec.scope.key unknown_reference",
        "Limit bolt/team spec.scope.team unknown_reference",
        "Limit team spec.scope.team unknown_reference",
    ];
    assert_eq!(faults(&facts), expected);
}

#[test]
fn a_guardrail_that_cannot_be_compiled_is_the_one_named_and_once() {
    let mut facts = house();
    let long = "x".repeat(300);
    put(&mut facts.guardrails, "a-good", words(&["fine"]));
    put(&mut facts.guardrails, "b-bad", words(&["fine", " "]));
    put(&mut facts.guardrails, "c-long", words(&[&long]));
    put(&mut facts.guardrails, "acme/own", words(&["mine"]));
    put(&mut facts.guardrails, "acme/own-bad", words(&[""]));
    let expected = [
        "Guardrail acme/own-bad spec detectors",
        "Guardrail b-bad spec detectors",
        "Guardrail c-long spec detectors",
    ];
    assert_eq!(faults(&facts), expected);
}

#[test]
fn a_key_whose_principal_left_its_team_is_a_fault() {
    let mut facts = house();
    key(&mut facts, "k", &[]);
    change(&mut facts.principals, "acme/ada").teams = vec![name("sales")];
    assert_eq!(faults(&facts), ["Key acme/k team conflict"]);
}
