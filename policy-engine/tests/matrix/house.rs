//! The house of the matrix: one person a role, models that differ in route, geo and licence.

use std::sync::Arc;

use policy_engine::facts::{
    Acceptance, Check, Endpoint, Facts, Grant, GrantSubject, Guardrail, Licence, LicenceAcceptance,
    LicenceTerm, Map, Model, ModelCard, ModelGlob, Obligation, Permission, Principal, Provider, Role, Route,
    RouteTarget, Rule, Subject, Team, Tenant, Terms, Territory, Timeouts,
};
use policy_engine::vocabulary::{
    Action, Adapter, Effect, Entity, Id, Instant, Layer, LicenceKind, MaskAction, Mode, Name, Operation,
    PrincipalType, Transport, UnknownFields,
};

pub(crate) const GEOS: [&str; 2] = ["eu", "us"];
/// Principals, each named after the one role it has.
pub(crate) const ROLES: [&str; 5] = ["engineer", "analyst", "viewer", "auditor", "stranger"];
pub(crate) const MODELS: [&str; 6] = ["open", "licensed", "us-only", "vectors", "own", "none"];
pub(crate) const LICENCE_STATES: [&str; 7] =
    ["in force", "not begun", "ended", "elsewhere", "domicile unknown", "not accepted", "old text accepted"];

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(text: &str) -> Id {
    match text.split_once('/') {
        Some((tenant, text)) => Id::of(name(tenant), name(text)),
        None => Id::platform(name(text)),
    }
}

fn put<T>(map: &mut Map<Id, Arc<T>>, at: &str, fact: T) {
    map.insert(id(at), Arc::new(fact));
}

/// Everything, with the licence of `licensed` in a state of [`LICENCE_STATES`].
pub(crate) fn facts(state: &str) -> Facts {
    let mut facts = Facts::default();
    let domicile = if state == "domicile unknown" { None } else { Some(name("DE")) };
    put(
        &mut facts.tenants,
        "acme",
        Tenant {
            display_name: "Acme".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            currency: "USD".parse().unwrap(),
            domicile,
            must_audit: false,
            staleness: Default::default(),
            geos: vec![],
        },
    );
    put(&mut facts.teams, "acme/lab", Team { jurisdictions: vec![], geos: vec![] });
    people(&mut facts);
    registry(&mut facts);
    licence(&mut facts, state);
    facts
}

fn people(facts: &mut Facts) {
    let may = |action, models: &[&str], operations: &[Operation]| Permission {
        action,
        models: models.iter().map(|m| ModelGlob::new(m).unwrap()).collect(),
        operations: operations.to_vec(),
        resources: vec![],
    };
    let roles = [
        ("engineer", vec![may(Action::Infer, &["*"], &[])]),
        (
            "analyst",
            vec![may(Action::Infer, &["o*"], &[Operation::Chat]), may(Action::View, &["licensed"], &[])],
        ),
        ("viewer", vec![may(Action::View, &["*"], &[])]),
        ("auditor", vec![may(Action::Audit, &[], &[]), may(Action::Read, &[], &[])]),
    ];
    for (role, permissions) in roles {
        put(&mut facts.roles, role, Role { permissions, inherits: vec![], geos: vec![] });
        let to = GrantSubject::Principal(name(role));
        let grant = Grant { role: name(role), team: Some(name("lab")), to, geos: vec![] };
        put(&mut facts.grants, &format!("acme/{role}"), grant);
    }
    for principal in ROLES {
        put(
            &mut facts.principals,
            &format!("acme/{principal}"),
            Principal {
                kind: PrincipalType::User,
                teams: vec![name("lab")],
                groups: vec![],
                // The analyst is known to be in California, of the others nothing is known.
                residency: (principal == "analyst").then(|| name("US-CA")),
                // The auditor works in the EU alone.
                geos: if principal == "auditor" { vec![name("eu")] } else { vec![] },
            },
        );
    }
}

fn registry(facts: &mut Facts) {
    for provider in ["vendor", "acme/cellar"] {
        put(
            &mut facts.providers,
            provider,
            Provider {
                adapter: Adapter::Simulated,
                base_url: String::new(),
                credential: None,
                auth: None,
                api_version: String::new(),
                responses_api: None,
                transport: Transport::Http,
                template: None,
                terms: Terms::default(),
                geos: vec![],
            },
        );
    }
    let endpoint = |provider: &str, place: &str, geos: &[&str]| Endpoint {
        provider: name(provider),
        upstream_model: "model".to_owned(),
        processing_regions: vec![name(place)],
        storage_regions: vec![],
        terms: Terms::default(),
        timeouts: Timeouts::default(),
        unknown_fields: UnknownFields::Forward,
        geos: geos.iter().map(|geo| name(geo)).collect(),
    };
    put(&mut facts.endpoints, "frankfurt", endpoint("vendor", "eu-central-1", &["eu"]));
    put(&mut facts.endpoints, "virginia", endpoint("vendor", "us-east-1", &[]));
    put(&mut facts.endpoints, "acme/rack", endpoint("cellar", "DE", &[]));
    let model = |route: &[&str], licence: Option<&str>, operation, geos: &[&str]| Model {
        card: ModelCard { operations: vec![operation], ..ModelCard::default() },
        licence: licence.map(name),
        aliases: vec![],
        route: Route {
            groups: route
                .iter()
                .map(|e| {
                    vec![RouteTarget {
                        endpoint: name(e),
                        weight: 1,
                        canary_percent: None,
                        mirror_percent: None,
                    }]
                })
                .collect(),
            ..Route::default()
        },
        geos: geos.iter().map(|geo| name(geo)).collect(),
    };
    put(&mut facts.models, "open", model(&["frankfurt", "virginia"], None, Operation::Chat, &[]));
    put(&mut facts.models, "licensed", model(&["virginia"], Some("terms"), Operation::Chat, &[]));
    put(&mut facts.models, "us-only", model(&["virginia"], None, Operation::Chat, &["us"]));
    put(&mut facts.models, "vectors", model(&["frankfurt"], None, Operation::Embed, &[]));
    put(&mut facts.models, "acme/own", model(&["rack"], None, Operation::Chat, &[]));
}

fn licence(facts: &mut Facts, state: &str) {
    let date = |text: &str| Some(Instant::parse(text).unwrap());
    let term = match state {
        "not begun" => LicenceTerm { from: date("2026-06-02"), until: None },
        "ended" => LicenceTerm { from: None, until: date("2026-06-01") },
        _ => LicenceTerm { from: date("2026-01-01"), until: date("2027-01-01") },
    };
    put(
        &mut facts.licences,
        "terms",
        Licence {
            kind: LicenceKind::VendorEula,
            spdx: None,
            term,
            territory: Territory {
                include: vec![],
                exclude: vec![name(if state == "elsewhere" { "EU" } else { "RU" })],
            },
            prohibited: vec![],
            permitted: vec![],
            seats: None,
            acceptance: Acceptance::Required,
            text_digest: Some("v2".to_owned()),
            attribution: Some("with thanks to the vendor".to_owned()),
            geos: vec![],
        },
    );
    let text = match state {
        "not accepted" => return,
        "old text accepted" => "v1",
        _ => "v2",
    };
    put(
        &mut facts.acceptances,
        "acme/lab-terms",
        LicenceAcceptance {
            licence: name("terms"),
            team: name("lab"),
            text_digest: Some(text.to_owned()),
            accepted_by: "legal@acme.example".to_owned(),
            geos: vec![],
        },
    );
}

/// The same with rules and a guardrail: residency for the EU and for China, a prohibition, cards blocked, addresses masked.
pub(crate) fn with_rules(mut facts: Facts) -> Facts {
    let rule = |effect, when: &str, obligations, legal_ref: &str, or_unknown| Rule {
        layer: Layer::Regulation,
        effect,
        when: when.to_owned(),
        obligations,
        reason_code: None,
        legal_ref: Some(legal_ref.to_owned()),
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown,
        needs_permit: false,
        geos: vec![],
    };
    let within = |place: &str| vec![Obligation::Residency(vec![name(place)])];
    let eu = rule(Effect::Require, "'EU' in subject.jurisdictions", within("EU"), "GDPR Art. 44", None);
    put(&mut facts.rules, "eu", eu);
    let cn =
        rule(Effect::Require, "'CN' in subject.jurisdictions", within("CN"), "PIPL Art. 38", Some(false));
    put(&mut facts.rules, "cn", cn);
    let mut scoring = rule(Effect::Forbid, "purpose == 'social-scoring'", vec![], "AI Act Art. 5", None);
    scoring.reason_code = Some("prohibited_practice".to_owned());
    put(&mut facts.rules, "scoring", scoring);
    let telling = vec![Obligation::Notice("your data stays in California".to_owned())];
    let ca = rule(Effect::Require, "'US-CA' in subject.jurisdictions", telling, "CCPA", Some(false));
    put(&mut facts.rules, "ca", ca);
    let check = |detect, action| Check { detect: vec![detect], words: vec![], action };
    put(
        &mut facts.guardrails,
        "baseline",
        Guardrail {
            applies: Subject::default(),
            input: vec![
                check(Entity::CreditDebitCardNumber, MaskAction::Block),
                check(Entity::Email, MaskAction::Mask),
            ],
            output: vec![],
            geos: vec![],
        },
    );
    facts
}
