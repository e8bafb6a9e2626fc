//! Licences, prices and limits: to the day, to the place, to the part of the scope.

use policy_engine::decision::Decision;
use policy_engine::facts::{
    Acceptance, Bound, Facts, LicenceAcceptance, LicenceTerm, Limit, LimitScope, ModelGlob, Price,
    PricePerMillion,
};
use policy_engine::reason::ReasonCode;
use policy_engine::vocabulary::{Instant, Name, OnStoreLoss, Period};

use super::narrowing::{Ask, code, decision, key, permit};
use super::plain::{change, house, id, licence, model, name, put, tenant};

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn asking(instant: &str) -> Ask<'static> {
    Ask { instant: at(instant), ..Ask::default() }
}

/// C9: a licence that excludes licensees of the EU for one model and not for another.
#[test]
fn a_territory_is_about_the_licensee_not_the_user() {
    let mut facts = house();
    let mut vision = licence();
    vision.territory.exclude = vec![name("EU")];
    put(&mut facts.licences, "llama-vision", vision);
    put(&mut facts.models, "llama-text", model(Some("terms"), &["in-eu"]));
    put(&mut facts.models, "llama-vision", model(Some("llama-vision"), &["in-eu"]));
    let code = |facts: &Facts, model: &str| code(facts, &Ask { model, ..Ask::default() });
    assert_eq!(code(&facts, "llama-vision"), "licence_territory");
    assert_eq!(code(&facts, "llama-text"), "allow");
    change(&mut facts.principals, "acme/ada").residency = Some(name("DE"));
    change(&mut facts.tenants, "acme").domicile = Some(name("US"));
    assert_eq!(code(&facts, "llama-vision"), "allow", "a user in the EU of a licensee in the US");
    *change(&mut facts.tenants, "acme") = tenant(None);
    assert_eq!(code(&facts, "llama-vision"), "licence_territory", "an unknown domicile could be excluded");
    assert_eq!(code(&facts, "llama-text"), "allow", "a licence for everywhere asks nothing");
    change(&mut facts.licences, "llama-vision").territory.include = vec![name("US-CA")];
    change(&mut facts.tenants, "acme").domicile = Some(name("US"));
    assert_eq!(code(&facts, "llama-vision"), "licence_territory", "somewhere in the US is not California");
}

#[test]
fn a_term_begins_and_ends_at_midnight_utc() {
    let mut facts = house();
    change(&mut facts.licences, "terms").term =
        LicenceTerm { from: Some(at("2026-01-01")), until: Some(at("2027-01-01")) };
    for (instant, expected) in [
        ("2025-12-31T23:59:59.999999Z", "licence_not_started"),
        ("2026-01-01T00:00:00Z", "allow"),
        ("2026-12-31T23:59:59.999999Z", "allow"),
        ("2027-01-01T00:00:00Z", "licence_expired"),
        ("2027-01-01T00:59:59+01:00", "allow"),
    ] {
        assert_eq!(code(&facts, &asking(instant)), expected, "{instant}");
    }
}

#[test]
fn an_acceptance_is_of_one_text_by_one_team() {
    let mut facts = house();
    // Further licences, so that a position taken for another one is seen.
    put(&mut facts.licences, "a-first", licence());
    put(&mut facts.licences, "acme/own", licence());
    let terms = change(&mut facts.licences, "terms");
    (terms.acceptance, terms.text_digest) = (Acceptance::Required, Some("v2".to_owned()));
    assert_eq!(code(&facts, &Ask::default()), "licence_not_accepted");
    let accepted = |team: &str, digest: Option<&str>| LicenceAcceptance {
        licence: name("terms"),
        team: name(team),
        text_digest: digest.map(str::to_owned),
        accepted_by: "legal@acme.example".to_owned(),
        geos: vec![],
    };
    for (team, digest, expected) in [
        ("sales", Some("v2"), "licence_not_accepted"),
        ("research", Some("v1"), "licence_not_accepted"),
        ("research", None, "licence_not_accepted"),
        ("research", Some("v2"), "allow"),
    ] {
        put(&mut facts.acceptances, "acme/yes", accepted(team, digest));
        assert_eq!(code(&facts, &Ask::default()), expected, "{team} {digest:?}");
    }
    put(&mut facts.licences, "acme/terms", licence());
    assert_eq!(
        code(&facts, &Ask::default()),
        "licence_not_accepted",
        "now it accepts the tenant's own licence"
    );
    put(&mut facts.acceptances, "acme/yes", accepted("research", Some("v2")));
    change(&mut facts.licences, "terms").text_digest = None;
    facts.licences.remove(&id("acme/terms"));
    assert_eq!(code(&facts, &Ask::default()), "allow", "a licence without a text is accepted by name");
}

#[test]
fn purposes_and_attribution_are_kept() {
    let mut facts = house();
    let terms = change(&mut facts.licences, "terms");
    terms.prohibited = vec!["training-on-outputs".to_owned()];
    terms.attribution = Some("Built with Llama".to_owned());
    let of = |purpose| Ask { purpose, ..Ask::default() };
    assert_eq!(code(&facts, &of(Some("training-on-outputs"))), "licence_purpose");
    let (_, kept) = permit(&facts, &of(Some("chat")));
    assert_eq!(kept.notices.iter().map(|n| n.to_string()).collect::<Vec<_>>(), ["Built with Llama"]);
    change(&mut facts.licences, "terms").permitted = vec!["research".to_owned()];
    assert_eq!(code(&facts, &of(Some("chat"))), "licence_purpose");
    assert_eq!(
        code(&facts, &of(None)),
        "licence_purpose",
        "a purpose that is not said is not among those permitted"
    );
    assert_eq!(code(&facts, &of(Some("research"))), "allow");
}

fn price(input: i64, endpoint: Option<&str>, from: Option<&str>) -> Price {
    Price {
        model: name("big"),
        endpoint: endpoint.map(name),
        valid_from: from.map(at),
        currency: "USD".parse().unwrap(),
        per_million: PricePerMillion { input, ..PricePerMillion::default() },
        per_unit: Default::default(),
        geos: vec![],
    }
}

/// The prices of the endpoint in the EU and of the one in the US.
fn prices(facts: &Facts, ask: &Ask<'_>) -> Vec<Option<i64>> {
    let candidates = permit(facts, ask).1.candidates;
    candidates.iter().map(|c| c.price.as_ref().map(|p| p.per_million.input)).collect()
}

#[test]
fn the_latest_price_that_has_begun_holds_the_endpoints_own_first() {
    let mut facts = house();
    assert_eq!(prices(&facts, &Ask::default()), [None, None], "unpriced is not free");
    put(&mut facts.prices, "a", price(1, None, Some("2026-01-01")));
    put(&mut facts.prices, "b", price(2, None, Some("2026-07-01")));
    put(&mut facts.prices, "c", price(3, Some("in-us"), Some("2026-03-01")));
    for (instant, expected) in [
        ("2025-12-31T23:59:59Z", [None, None]),
        ("2026-01-01", [Some(1), Some(1)]),
        ("2026-03-01", [Some(1), Some(3)]),
        ("2026-07-01", [Some(2), Some(3)]),
    ] {
        assert_eq!(prices(&facts, &asking(instant)), expected, "{instant}");
    }
    put(&mut facts.prices, "acme/ours", price(9, None, Some("2026-06-01")));
    assert_eq!(prices(&facts, &asking("2026-05-01")), [Some(1), Some(3)], "ours has not begun");
    assert_eq!(prices(&facts, &asking("2026-07-01")), [Some(9), Some(9)], "ours before the platform's");
}

/// A spend limit of the platform counts by prices; a tenant must not be able to make it mean nothing.
#[test]
fn a_tenants_price_is_never_below_the_platforms() {
    let mut facts = house();
    put(&mut facts.prices, "acme/ours", price(0, None, None));
    assert_eq!(prices(&facts, &Ask::default()), [Some(0), Some(0)], "nobody else prices it");
    put(&mut facts.prices, "a", price(5, Some("in-eu"), Some("2026-01-01")));
    assert_eq!(prices(&facts, &asking("2025-12-31")), [Some(0), Some(0)], "the platform's has not begun");
    assert_eq!(prices(&facts, &asking("2026-01-01")), [Some(5), Some(0)]);
    put(&mut facts.prices, "b", price(3, None, None));
    assert_eq!(prices(&facts, &asking("2026-01-01")), [Some(5), Some(3)]);
    put(&mut facts.prices, "acme/in-us", price(7, Some("in-us"), None));
    assert_eq!(prices(&facts, &asking("2026-01-01")), [Some(5), Some(7)], "a higher one stands");
}

#[test]
fn a_tenants_price_is_nobody_elses() {
    let mut facts = house();
    put(&mut facts.tenants, "bolt", tenant(None));
    put(&mut facts.prices, "bolt/cheap", price(1, None, None));
    assert_eq!(prices(&facts, &Ask::default()), [None, None]);
}

fn limit(scope: LimitScope, bound: Bound) -> Limit {
    Limit { scope, bound, on_store_loss: OnStoreLoss::Closed, geos: vec![] }
}

fn spend() -> Bound {
    Bound::Spend("1.00 USD".parse().unwrap(), Period::Day)
}

#[test]
fn an_unpriced_endpoint_is_not_used_under_a_spend_limit_that_counts_it() {
    let mut facts = house();
    put(&mut facts.prices, "eu", price(1, Some("in-eu"), None));
    assert_eq!(prices(&facts, &Ask::default()), [Some(1), None]);
    put(&mut facts.limits, "acme/money", limit(LimitScope::default(), spend()));
    let (snapshot, kept) = permit(&facts, &Ask::default());
    let left = snapshot.endpoint(kept.candidates[0].endpoint).unwrap();
    assert_eq!((kept.candidates.len(), left.id.to_string().as_str()), (1, "in-eu"));
    assert_eq!(kept.dropped[0].code, ReasonCode::Unpriced);
    assert_eq!(kept.dropped[0].endpoint.as_ref().unwrap().to_string(), "in-us");
    facts.prices.clear();
    assert_eq!(code(&facts, &Ask::default()), "unpriced_model");
    let of_us = LimitScope { endpoint: Some(name("in-us")), ..LimitScope::default() };
    put(&mut facts.limits, "acme/money", limit(of_us, spend()));
    let (_, kept) = permit(&facts, &Ask::default());
    assert_eq!(kept.candidates.len(), 1, "the other endpoint is not counted, so it needs no price");
    put(&mut facts.limits, "acme/money", limit(LimitScope::default(), Bound::Concurrent(1)));
    assert_eq!(permit(&facts, &Ask::default()).1.candidates.len(), 2, "only money needs a price");
}

/// Each part of a scope, with a request it fits and one it does not.
#[test]
fn every_part_of_a_scope_must_fit() {
    let none = LimitScope::default();
    let part = |part: &str| -> Option<Name> { Some(name(part)) };
    let cases: [(&str, LimitScope, bool); 15] = [
        ("all", none.clone(), true),
        ("acme/all", none.clone(), true),
        ("bolt/all", none.clone(), false),
        ("acme/team", LimitScope { team: part("research"), ..none.clone() }, true),
        ("acme/other-team", LimitScope { team: part("sales"), ..none.clone() }, false),
        ("acme/who", LimitScope { principal: part("ada"), ..none.clone() }, true),
        ("acme/other-who", LimitScope { principal: part("bob"), ..none.clone() }, false),
        ("acme/key", LimitScope { key: part("mine"), ..none.clone() }, true),
        ("acme/other-key", LimitScope { key: part("yours"), ..none.clone() }, false),
        ("model", LimitScope { model: Some(ModelGlob::new("b*").unwrap()), ..none.clone() }, true),
        ("other-model", LimitScope { model: Some(ModelGlob::new("s*").unwrap()), ..none.clone() }, false),
        ("acme/two", LimitScope { team: part("research"), principal: part("bob"), ..none.clone() }, false),
        ("acme/both", LimitScope { team: part("research"), principal: part("ada"), ..none.clone() }, true),
        ("acme/keyed-who", LimitScope { key: part("mine"), principal: part("bob"), ..none.clone() }, false),
        ("acme/keyed", LimitScope { key: part("mine"), team: part("sales"), ..none }, false),
    ];
    let mut facts = house();
    put(&mut facts.tenants, "bolt", tenant(None));
    put(&mut facts.principals, "acme/bob", super::plain::person(&["sales"]));
    key(&mut facts, "mine", &[]);
    key(&mut facts, "yours", &[]);
    for (at, scope, _) in &cases {
        put(&mut facts.limits, at, limit(scope.clone(), Bound::Concurrent(1)));
    }
    let (snapshot, kept) = permit(&facts, &Ask { key: Some("mine"), ..Ask::default() });
    let counted: Vec<String> =
        kept.limits.iter().map(|ix| snapshot.limit(*ix).unwrap().id.to_string()).collect();
    for (at, _, expected) in &cases {
        assert_eq!(counted.iter().any(|id| id == at), *expected, "{at}");
    }
    let (_, unkeyed) = permit(&facts, &Ask::default());
    assert_eq!(unkeyed.limits.len() + 1, kept.limits.len(), "without the key its limit does not count");
}

#[test]
fn a_limit_on_an_endpoint_or_provider_counts_its_candidates_alone() {
    let mut facts = house();
    let scope = |endpoint: Option<&str>, provider: Option<&str>| LimitScope {
        endpoint: endpoint.map(name),
        provider: provider.map(name),
        ..LimitScope::default()
    };
    put(&mut facts.limits, "us", limit(scope(Some("in-us"), None), Bound::Concurrent(1)));
    put(&mut facts.limits, "vendor", limit(scope(None, Some("vendor")), Bound::Concurrent(1)));
    let (_, kept) = permit(&facts, &Ask::default());
    assert_eq!(kept.limits.len(), 0);
    assert_eq!(kept.candidates.iter().map(|c| c.limits.len()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn dates_of_rules_hold_from_the_first_instant_to_the_last() {
    use policy_engine::vocabulary::Effect;
    let mut facts = house();
    let mut rule = super::plain::rule(Effect::Forbid, "");
    (rule.valid_from, rule.valid_to) = (Some(at("2026-02-28")), Some(at("2026-03-01")));
    rule.reason_code = Some("leap".to_owned());
    put(&mut facts.rules, "day", rule);
    for (instant, expected) in [
        ("2026-02-27T23:59:59.999999Z", "allow"),
        ("2026-02-28", "rule_forbids"),
        ("2026-02-28T23:59:59.999999Z", "rule_forbids"),
        ("2026-03-01", "allow"),
    ] {
        assert_eq!(code(&facts, &asking(instant)), expected, "{instant}");
    }
    let Decision::Deny(denial) = decision(&facts, &asking("2026-02-28")) else { panic!("allowed") };
    assert_eq!(denial.reasons[0].code_text(), "leap");
}
