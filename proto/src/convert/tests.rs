mod given;

use policy_engine::facts::{Facts, Model};
use policy_engine::vocabulary::{Id, UnknownFields};
use policy_engine::{Scope, project};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::admin;

proptest! {
    #[test]
    fn facts_come_back_as_they_were_and_encode_alike(facts in given::facts()) {
        let sent = resources(&facts);
        let mut received = Facts::default();
        for resource in &sent {
            insert(&mut received, &resource.kind, &resource.name, &resource.body).unwrap();
        }
        prop_assert_eq!(&received, &facts);
        prop_assert_eq!(resources(&received), sent);
    }

    #[test]
    fn what_a_geo_has_of_facts_is_read_there(facts in given::facts()) {
        let narrowed = project(&facts, &Scope { geo: "eu".parse().unwrap() });
        let mut received = Facts::default();
        for resource in resources(&narrowed) {
            let read = insert(&mut received, &resource.kind, &resource.name, &resource.body);
            prop_assert!(read.is_ok(), "{} {}: {read:?}", resource.kind, resource.name);
        }
        prop_assert_eq!(received, narrowed);
    }

    #[test]
    fn a_flipped_byte_is_refused_or_means_something_that_can_be_said(
        facts in given::facts(), at: proptest::sample::Index, flip in 1..=255_u8,
    ) {
        for resource in resources(&facts).iter().filter(|resource| !resource.body.is_empty()) {
            let mut body = resource.body.to_vec();
            body[at.index(resource.body.len())] ^= flip;
            let mut read = Facts::default();
            if insert(&mut read, &resource.kind, &resource.name, &body).is_err() {
                prop_assert!(read == Facts::default(), "half of a refused resource was taken");
                continue;
            }
            let mut again = Facts::default();
            for said in resources(&read) {
                insert(&mut again, &said.kind, &said.name, &said.body).unwrap();
            }
            prop_assert_eq!(again, read);
        }
    }
}

fn model_of(spec: admin::ModelSpec) -> Result<(Id, Model), Faults> {
    admin::Model { name: "models/m".into(), spec: Some(spec), ..Default::default() }.read()
}

#[test]
fn every_fault_is_named_by_its_path() {
    let target = |endpoint: &str, weight, canary_percent| admin::RouteTarget {
        endpoint: endpoint.into(),
        weight,
        canary_percent,
        ..Default::default()
    };
    let mirror = |percent, canary_percent| admin::RouteTarget {
        mirror_percent: Some(percent),
        ..target("m", None, canary_percent)
    };
    let mut targets =
        vec![target("ok", None, Some(60)), target("", Some(0), Some(0)), target("b", None, Some(38))];
    targets.extend([mirror(101, None), mirror(1, Some(2))]);
    let faults = model_of(admin::ModelSpec {
        card: Some(admin::ModelCard { operations: vec!["chat".into(), "sing".into()], ..Default::default() }),
        route: Some(admin::Route {
            policy: "best".into(),
            groups: vec![admin::RouteGroup { targets }],
            retry_percent: Some(101),
            sticky_by: "mood".into(),
            ..Default::default()
        }),
        geos: vec!["e u".into()],
        ..Default::default()
    })
    .unwrap_err();
    let found: Vec<String> = faults.0.iter().map(|fault| fault.field.to_string()).collect();
    assert_eq!(
        found,
        [
            "spec.card.operations[1]",
            "spec.route.policy",
            "spec.route.groups[0].targets[1].weight",
            "spec.route.groups[0].targets[1].canaryPercent",
            "spec.route.groups[0].targets[1].endpoint",
            "spec.route.groups[0].targets[3].mirrorPercent",
            "spec.route.groups[0].targets[4].mirrorPercent",
            "spec.route.groups",
            "spec.route.retryPercent",
            "spec.route.stickyBy",
            "spec.geos[0]",
        ]
    );
    assert!(faults.to_string().contains("`sing` is not one of chat | embed |"), "{faults}");
}

#[test]
fn policy_may_be_good_for_a_minute_to_a_week() {
    let read = |keys: &str, rules: &str| {
        let staleness = admin::Staleness { keys: keys.into(), rules: rules.into(), strict_revocation: true };
        let spec = admin::TenantSpec { staleness: Some(staleness), ..Default::default() };
        admin::Tenant { name: "tenants/t".into(), spec: Some(spec), ..Default::default() }.read()
    };
    for good in ["1m", "60s", "24h", "7d"] {
        let (_, tenant) = read(good, "").unwrap();
        assert_eq!(tenant.staleness.keys, Some(good.parse().unwrap()));
        assert_eq!((tenant.staleness.rules, tenant.staleness.strict_revocation), (None, true));
    }
    for bad in ["59s", "8d", "169h", "0s", "soon", "24"] {
        let faults = read(bad, bad).unwrap_err();
        let fields: Vec<String> = faults.0.iter().map(|fault| fault.field.to_string()).collect();
        assert_eq!(fields, ["spec.staleness.keys", "spec.staleness.rules"], "{bad}: {faults}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (found, expected) in [
        (admin::Provider::default().read().map(drop), "name, spec.adapter"),
        (admin::Endpoint::default().read().map(drop), "name, spec.provider, spec.upstreamModel"),
        (admin::Limit::default().read().map(drop), "name, spec.bound"),
        (admin::Grant::default().read().map(drop), "name, spec.role, spec.to"),
        (admin::Price::default().read().map(drop), "name, spec.model, spec.currency, spec.perMillion.input"),
        (admin::Model::default().read().map(drop), "name, spec.card.operations"),
        (admin::Rule::default().read().map(drop), "name, spec.layer, spec.effect"),
        (admin::Licence::default().read().map(drop), "name, spec.kind"),
    ] {
        let faults = found.unwrap_err();
        let fields: Vec<String> = faults.0.iter().map(|fault| fault.field.to_string()).collect();
        assert_eq!(fields.join(", "), expected);
        assert!(faults.0.iter().all(|fault| fault.problem == Problem::Missing), "{faults}");
    }
}

#[test]
fn a_price_of_units_alone_is_one_and_says_which_pictures() {
    let picture = |amount: &str, size: &str, quality: &str| admin::PricePerPicture {
        amount: amount.into(),
        size: size.into(),
        quality: quality.into(),
    };
    let read = |per_unit: admin::PricePerUnit| {
        let spec = admin::PriceSpec {
            model: "m".into(),
            currency: "USD".into(),
            per_unit: Some(per_unit),
            ..Default::default()
        };
        admin::Price { name: "prices/p".into(), spec: Some(spec), ..Default::default() }.fact()
    };
    let pictures = vec![picture("0.04", "", ""), picture("0.08", "1024x1024", "hd")];
    let of_pictures = admin::PricePerUnit { pictures: pictures.clone(), ..Default::default() };
    let price = read(of_pictures.clone()).unwrap();
    assert_eq!(price.per_million, policy_engine::facts::PricePerMillion::default());
    assert_eq!(admin::PriceSpec::from(&price).per_unit, Some(of_pictures));
    let wrong = admin::PricePerUnit {
        request: Some("free".into()),
        pictures: vec![picture("", "", ""), picture("1", "a size of many letters", "")],
        ..Default::default()
    };
    let of_sizes = |count: u32| admin::PricePerUnit {
        pictures: (0..count).map(|side| picture("1", &format!("{side}x1"), "")).collect(),
        ..Default::default()
    };
    assert_eq!(read(of_sizes(64)).unwrap().per_unit.pictures.len(), 64);
    let twins = [pictures.clone(), pictures].concat();
    for (per_unit, fields) in [
        (admin::PricePerUnit::default(), "spec.perMillion.input"),
        (wrong, "spec.perUnit.pictures[0].amount, spec.perUnit.pictures[1].size, spec.perUnit.request"),
        (admin::PricePerUnit { pictures: twins, ..Default::default() }, "spec.perUnit.pictures"),
        (of_sizes(65), "spec.perUnit.pictures"),
    ] {
        let faults = read(per_unit).unwrap_err();
        let named: Vec<String> = faults.0.iter().map(|fault| fault.field.to_string()).collect();
        assert_eq!(named.join(", "), fields, "{faults}");
    }
}

#[test]
fn fields_nobody_published_are_forwarded_unless_an_endpoint_says_otherwise() {
    let endpoint = |word: &str| {
        let spec = admin::EndpointSpec {
            provider: "p".into(),
            upstream_model: "m".into(),
            unknown_fields: word.into(),
            ..Default::default()
        };
        admin::Endpoint { name: "endpoints/e".into(), spec: Some(spec), ..Default::default() }.fact()
    };
    for (word, meant, out) in [
        ("", UnknownFields::Forward, ""),
        ("forward", UnknownFields::Forward, ""),
        ("reject", UnknownFields::Reject, "reject"),
    ] {
        let fact = endpoint(word).unwrap();
        assert_eq!(
            (fact.unknown_fields, admin::EndpointSpec::from(&fact).unknown_fields.as_str()),
            (meant, out)
        );
    }
    let faults = endpoint("drop").unwrap_err();
    assert_eq!(faults.0[0].field.to_string(), "spec.unknownFields");
    assert!(faults.to_string().contains("forward | reject"), "{faults}");
}

#[test]
fn a_secret_is_never_repeated() {
    let credential = admin::Credential { source: Some(admin::credential::Source::Value("hush-hush".into())) };
    let spec = admin::ProviderSpec {
        adapter: "openai".into(),
        base_url: "https://user:hush-hush@example.org/v1".into(),
        credential: Some(credential),
        ..Default::default()
    };
    let faults =
        admin::Provider { name: "providers/p".into(), spec: Some(spec), ..Default::default() }.read();
    let faults = faults.unwrap_err();
    assert_eq!(faults.0.len(), 2);
    assert!(!faults.to_string().contains("hush"), "{faults}");
}

#[test]
fn a_last_day_is_within_the_term() {
    let spec = |to: &str| admin::LicenceSpec {
        kind: "vendorEula".into(),
        term: Some(admin::LicenceTerm { from: "2026-01-01".into(), to: to.into() }),
        ..Default::default()
    };
    let until = |to: &str| {
        let licence =
            admin::Licence { name: "licences/l".into(), spec: Some(spec(to)), ..Default::default() };
        licence.fact().map(|fact| fact.term.until.unwrap().to_string())
    };
    assert_eq!(until("2026-12-31").unwrap(), "2027-01-01");
    assert_eq!(until("2026-12-31T00:00:00Z").unwrap(), "2026-12-31");
    assert_eq!(until("2026-01-01").unwrap(), "2026-01-02", "a licence of one day");
    assert!(until("2025-12-31").is_err());
}

#[test]
fn an_unknown_field_is_refused_rather_than_dropped() {
    let team = admin::Team { name: "tenants/a/teams/b".into(), ..Default::default() };
    let mut body = team.encode_to_vec();
    insert(&mut Facts::default(), "Team", &team.name, &body).unwrap();
    body.extend([0x98, 0x06, 0x01]); // field 99, a varint
    assert!(insert(&mut Facts::default(), "Team", &team.name, &body).is_err());
}

#[test]
fn what_callers_are_told_fits_a_header() {
    let attribution = |text: String| {
        let spec =
            admin::LicenceSpec { kind: "modelLicence".into(), attribution: Some(text), ..Default::default() };
        admin::Licence { name: "licences/l".into(), spec: Some(spec), ..Default::default() }.fact().is_ok()
    };
    assert!(attribution("Built with Llama".into()) && attribution("é".repeat(512)));
    assert!(!attribution("two\nlines".into()) && !attribution("x".repeat(1025)));
}

#[test]
fn an_obligation_has_exactly_one_duty() {
    let rule = |obligation| admin::Rule {
        name: "rules/r".into(),
        spec: Some(admin::RuleSpec {
            layer: "team".into(),
            effect: "require".into(),
            obligations: vec![obligation],
            ..Default::default()
        }),
        ..Default::default()
    };
    let none = admin::Obligation::default();
    let two = admin::Obligation { no_cache: Some(true), mask: vec!["EMAIL".into()], ..none.clone() };
    let off = admin::Obligation { no_cache: Some(false), ..none.clone() };
    let silent = admin::Obligation { notice: Some(String::new()), ..none.clone() };
    for bad in [none.clone(), two, off, silent] {
        assert!(rule(bad.clone()).fact().is_err(), "{bad:?}");
    }
    let kept = |retention: &str| {
        let capture = Some(admin::Capture { retention: retention.into() });
        rule(admin::Obligation { capture, ..none.clone() }).fact().is_ok()
    };
    assert_eq!(["1s", "30d", "3660d"].map(kept), [true; 3]);
    assert_eq!(["", "0s", "999ms", "3661d", "for ever"].map(kept), [false; 5]);
}
