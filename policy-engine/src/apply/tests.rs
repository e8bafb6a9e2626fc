//! That what people do every day is applied, and not compiled behind the back of who asked for it.

use std::sync::Arc;

use super::*;
use crate::facts::{
    Bound, Endpoint, Grant, GrantSubject, Key, Limit, LimitScope, Model, ModelCard, ModelGlob, Permission,
    Price, PricePerMillion, Principal, Provider, Role, Route, RouteTarget, Rule, Team, Tenant, Terms,
    Timeouts, changes,
};
use crate::vocabulary::{
    Action, Adapter, Effect, Layer, Mode, Name, OnStoreLoss, Operation, PrincipalType, Transport,
    UnknownFields,
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(text: &str) -> Id {
    match text.split_once('/') {
        Some((tenant, text)) => Id::of(name(tenant), name(text)),
        None => Id::platform(name(text)),
    }
}

fn key(revoked: bool) -> Arc<Key> {
    Arc::new(Key {
        mac: [0; 32],
        scope_key: String::new(),
        tenant: name("acme"),
        principal: name("ada"),
        team: name("red"),
        models: vec![],
        geos: vec![],
        expires: None,
        revoked,
    })
}

fn principal(teams: &[&str]) -> Arc<Principal> {
    let teams = teams.iter().map(|team| name(team)).collect();
    Arc::new(Principal { kind: PrincipalType::User, teams, groups: vec![], residency: None, geos: vec![] })
}

fn rule(when: &str) -> Arc<Rule> {
    Arc::new(Rule {
        layer: Layer::Organisation,
        effect: Effect::Forbid,
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
    })
}

fn limit(most: u64) -> Arc<Limit> {
    let scope = LimitScope::default();
    Arc::new(Limit {
        scope,
        bound: Bound::Concurrent(most),
        on_store_loss: OnStoreLoss::Closed,
        geos: vec![],
    })
}

fn price(input: i64) -> Arc<Price> {
    Arc::new(Price {
        model: name("big"),
        endpoint: None,
        valid_from: None,
        currency: "USD".parse().unwrap(),
        per_million: PricePerMillion { input, ..PricePerMillion::default() },
        per_unit: Default::default(),
        geos: vec![],
    })
}

fn grant(to: GrantSubject) -> Arc<Grant> {
    Arc::new(Grant { role: name("user"), team: None, to, geos: vec![] })
}

fn house() -> Facts {
    let mut facts = Facts::default();
    let tenant = Tenant {
        display_name: String::new(),
        time_zone: "UTC".to_owned(),
        currency: "USD".parse().unwrap(),
        domicile: None,
        must_audit: false,
        staleness: Default::default(),
        geos: vec![],
    };
    facts.tenants.insert(id("acme"), Arc::new(tenant));
    for team in ["acme/red", "acme/blue"] {
        facts.teams.insert(id(team), Arc::new(Team { jurisdictions: vec![], geos: vec![] }));
    }
    facts.principals.insert(id("acme/ada"), principal(&["red"]));
    let models = vec![ModelGlob::new("*").unwrap()];
    let line = Permission { action: Action::Infer, models, operations: vec![], resources: vec![] };
    let role = Role { permissions: vec![line], inherits: vec![], geos: vec![] };
    facts.roles.insert(id("user"), Arc::new(role));
    facts.grants.insert(id("acme/all"), grant(GrantSubject::Team(name("red"))));
    facts.keys.insert(name("k1"), key(false));
    registry(&mut facts);
    facts.rules.insert(id("r"), rule("purpose == 'training'"));
    facts.limits.insert(id("acme/l"), limit(1));
    facts.prices.insert(id("p"), price(1));
    facts
}

fn registry(facts: &mut Facts) {
    let provider = Provider {
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
    };
    facts.providers.insert(id("vendor"), Arc::new(provider));
    let endpoint = Endpoint {
        provider: name("vendor"),
        upstream_model: "up".to_owned(),
        processing_regions: vec![],
        storage_regions: vec![],
        terms: Terms::default(),
        timeouts: Timeouts::default(),
        unknown_fields: UnknownFields::Forward,
        geos: vec![],
    };
    facts.endpoints.insert(id("e"), Arc::new(endpoint));
    let model = Model {
        card: ModelCard { operations: vec![Operation::Chat], ..ModelCard::default() },
        licence: None,
        aliases: vec![],
        route: Route {
            groups: vec![vec![RouteTarget {
                endpoint: name("e"),
                weight: 1,
                canary_percent: None,
                mirror_percent: None,
            }]],
            ..Route::default()
        },
        geos: vec![],
    };
    facts.models.insert(id("big"), Arc::new(model.clone()));
    facts.models.insert(id("spare"), Arc::new(model));
    facts.providers.insert(id("spare"), facts.providers[&id("vendor")].clone());
    facts.endpoints.insert(id("spare"), facts.endpoints[&id("e")].clone());
}

/// Whether one edit is applied without compiling everything.
fn is_applied(edit: impl FnOnce(&mut Facts)) -> bool {
    let before = house();
    let header = Header { revision: 1, geo: None };
    let prev = compile(&before, header.clone()).unwrap();
    let mut after = before.clone();
    edit(&mut after);
    let changes = changes(&before, &after);
    assert!(!changes.is_empty() && compile(&after, header.clone()).is_ok());
    Applying::new(&prev, &after, &changes).run(&header).is_some()
}

#[test]
fn what_people_do_every_day_costs_what_it_changes() {
    type Edit = fn(&mut Facts);
    let edits: [(&str, Edit); 27] = [
        ("a key is made", |facts| drop(facts.keys.insert(name("k2"), key(false)))),
        ("a key is revoked", |facts| drop(facts.keys.insert(name("k1"), key(true)))),
        ("a key is deleted", |facts| drop(facts.keys.remove("k1"))),
        ("a rule is added", |facts| {
            drop(facts.rules.insert(id("acme/new"), rule("caller.principal == 'ada'")))
        }),
        ("a rule is the first to name a place", |facts| {
            facts.rules.insert(id("r"), rule("caller.country == 'DE'"));
        }),
        ("a rule is changed", |facts| drop(facts.rules.insert(id("r"), rule("model.name == 'big'")))),
        ("a rule is deleted", |facts| drop(facts.rules.remove(&id("r")))),
        ("a price is changed", |facts| drop(facts.prices.insert(id("p"), price(2)))),
        ("a price is added", |facts| drop(facts.prices.insert(id("acme/p"), price(2)))),
        ("a limit is changed", |facts| drop(facts.limits.insert(id("acme/l"), limit(2)))),
        ("a limit is deleted", |facts| drop(facts.limits.remove(&id("acme/l")))),
        ("a grant is added", |facts| {
            facts.grants.insert(id("acme/g"), grant(GrantSubject::Principal(name("ada"))));
        }),
        ("a grant is deleted", |facts| drop(facts.grants.remove(&id("acme/all")))),
        ("a principal joins a team", |facts| {
            facts.principals.insert(id("acme/ada"), principal(&["blue", "red"]));
        }),
        ("a principal comes", |facts| drop(facts.principals.insert(id("acme/bob"), principal(&["red"])))),
        ("a team comes", |facts| {
            facts.teams.insert(id("acme/new"), facts.teams[&id("acme/red")].clone());
        }),
        ("a tenant comes", |facts| {
            facts.tenants.insert(id("bolt"), facts.tenants[&id("acme")].clone());
        }),
        ("a model's field is changed", |facts| {
            Arc::make_mut(facts.models.get_mut(&id("big")).unwrap()).aliases.push("large".to_owned());
        }),
        ("a model comes", |facts| {
            facts.models.insert(id("a"), facts.models[&id("big")].clone());
        }),
        ("a model goes", |facts| drop(facts.models.remove(&id("spare")))),
        ("an endpoint comes", |facts| {
            facts.endpoints.insert(id("a"), facts.endpoints[&id("e")].clone());
        }),
        ("an endpoint goes", |facts| drop(facts.endpoints.remove(&id("spare")))),
        ("a provider comes", |facts| {
            facts.providers.insert(id("a"), facts.providers[&id("vendor")].clone());
        }),
        ("a provider goes", |facts| drop(facts.providers.remove(&id("spare")))),
        ("an endpoint's field is changed", |facts| {
            Arc::make_mut(facts.endpoints.get_mut(&id("e")).unwrap()).processing_regions.push(name("DE"));
        }),
        ("a role permits more", |facts| {
            let role = Arc::make_mut(facts.roles.get_mut(&id("user")).unwrap());
            let line = role.permissions[0].clone();
            role.permissions.push(Permission { action: Action::View, ..line });
        }),
        ("a provider's field is changed", |facts| {
            Arc::make_mut(facts.providers.get_mut(&id("vendor")).unwrap()).terms.dpa = Some(true);
        }),
    ];
    for (what, edit) in edits {
        assert!(is_applied(edit), "{what}");
    }
}

#[test]
fn what_touches_everything_is_compiled() {
    assert!(!is_applied(|facts| drop(facts.rules.insert(id("r"), rule("caller.kind == 'user'")))));
    let own = |facts: &mut Facts| facts.roles[&id("user")].clone();
    assert!(!is_applied(|facts| {
        let role = own(facts);
        facts.roles.insert(id("acme/user"), role);
    }));
    let first_of_a_tenant = |facts: &mut Facts| {
        let mut model = facts.models[&id("big")].clone();
        Arc::make_mut(&mut model).route.groups.clear();
        facts.models.insert(id("acme/own"), model);
    };
    assert!(!is_applied(first_of_a_tenant));
}
