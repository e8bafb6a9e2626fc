//! A house with one of everything, for laws that are shown on facts written for them: acme of Germany with two teams, a
//! person in both, a model with one endpoint in the EU and one in the US, licensed and open to everybody, and in acme's own
//! cellar a provider with an endpoint.

use std::sync::Arc;

use policy_engine::facts::{
    Acceptance, Endpoint, Facts, Grant, GrantSubject, Licence, LicenceTerm, Map, Model, ModelCard, ModelGlob,
    Permission, Principal, Provider, Role, Route, RouteTarget, Rule, Team, Tenant, Terms, Territory,
    Timeouts,
};
use policy_engine::vocabulary::{
    Action, Adapter, Effect, Id, Layer, LicenceKind, Mode, Name, Operation, PrincipalType, Transport,
    UnknownFields,
};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// `acme/x` is acme's own, `x` the platform's.
pub(crate) fn id(text: &str) -> Id {
    match text.split_once('/') {
        Some((tenant, text)) => Id::of(name(tenant), name(text)),
        None => Id::platform(name(text)),
    }
}

pub(crate) fn put<T>(map: &mut Map<Id, Arc<T>>, at: &str, fact: T) {
    map.insert(id(at), Arc::new(fact));
}

/// A fact that is there, to be changed.
pub(crate) fn change<'m, T: Clone>(map: &'m mut Map<Id, Arc<T>>, at: &str) -> &'m mut T {
    Arc::make_mut(map.get_mut(&id(at)).unwrap())
}

fn team(facts: &mut Facts, at: &str, areas: &[&str]) {
    put(&mut facts.teams, at, Team { jurisdictions: areas.iter().map(|a| name(a)).collect(), geos: vec![] });
}

pub(crate) fn person(teams: &[&str]) -> Principal {
    Principal {
        kind: PrincipalType::User,
        teams: teams.iter().map(|t| name(t)).collect(),
        groups: vec![],
        residency: None,
        geos: vec![],
    }
}

pub(crate) fn tenant(domicile: Option<&str>) -> Tenant {
    Tenant {
        display_name: String::new(),
        time_zone: "UTC".to_owned(),
        currency: "USD".parse().unwrap(),
        domicile: domicile.map(name),
        must_audit: false,
        staleness: Default::default(),
        geos: vec![],
    }
}

fn provider() -> Provider {
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
    }
}

fn endpoint(provider: &str, place: &str) -> Endpoint {
    Endpoint {
        provider: name(provider),
        upstream_model: "up".to_owned(),
        processing_regions: vec![name(place)],
        storage_regions: vec![],
        terms: Terms::default(),
        timeouts: Timeouts::default(),
        unknown_fields: UnknownFields::Forward,
        geos: vec![],
    }
}

pub(crate) fn model(licence: Option<&str>, route: &[&str]) -> Model {
    let target =
        |e: &&str| RouteTarget { endpoint: name(e), weight: 1, canary_percent: None, mirror_percent: None };
    Model {
        card: ModelCard { operations: vec![Operation::Chat], ..ModelCard::default() },
        licence: licence.map(name),
        aliases: vec![],
        route: Route { groups: vec![route.iter().map(target).collect()], ..Route::default() },
        geos: vec![],
    }
}

pub(crate) fn licence() -> Licence {
    Licence {
        kind: LicenceKind::ModelLicence,
        spdx: None,
        term: LicenceTerm::default(),
        territory: Territory::default(),
        prohibited: vec![],
        permitted: vec![],
        seats: None,
        acceptance: Acceptance::NotRequired,
        text_digest: None,
        attribution: None,
        geos: vec![],
    }
}

pub(crate) fn rule(effect: Effect, when: &str) -> Rule {
    Rule {
        layer: Layer::Regulation,
        effect,
        when: when.to_owned(),
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

pub(crate) fn permission(action: Action, models: &str) -> Permission {
    Permission {
        action,
        models: vec![ModelGlob::new(models).unwrap()],
        operations: vec![],
        resources: vec![],
    }
}

pub(crate) fn grant(role: &str, to: GrantSubject) -> Grant {
    Grant { role: name(role), team: None, to, geos: vec![] }
}

pub(crate) fn house() -> Facts {
    let mut facts = Facts::default();
    put(&mut facts.tenants, "acme", tenant(Some("DE")));
    team(&mut facts, "acme/research", &["EU"]);
    team(&mut facts, "acme/sales", &["US"]);
    put(&mut facts.principals, "acme/ada", person(&["research", "sales"]));
    let everything = vec![permission(Action::Infer, "*"), permission(Action::View, "*")];
    put(&mut facts.roles, "user", Role { permissions: everything, inherits: vec![], geos: vec![] });
    put(&mut facts.grants, "acme/all", grant("user", GrantSubject::Principal(name("ada"))));
    put(&mut facts.providers, "vendor", provider());
    put(&mut facts.providers, "acme/cellar", provider());
    put(&mut facts.endpoints, "in-eu", endpoint("vendor", "eu-central-1"));
    put(&mut facts.endpoints, "in-us", endpoint("vendor", "us-east-1"));
    put(&mut facts.endpoints, "acme/home", endpoint("cellar", "DE"));
    put(&mut facts.licences, "terms", licence());
    put(&mut facts.models, "big", model(Some("terms"), &["in-eu", "in-us"]));
    facts
}
