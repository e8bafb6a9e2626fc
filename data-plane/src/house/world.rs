//! The usual facts: one tenant, one team, one principal, and models that fail in every way.
//!
//! | model | its route |
//! |---|---|
//! | `fast` | one endpoint |
//! | `pair` | one that cannot be reached, then one that can |
//! | `down` | one that cannot be reached |
//! | `hidden` | one endpoint; nobody may know of it |
//! | `seen` | one endpoint; may be seen and not used |
//! | `embed` | one endpoint, for embeddings |

use std::sync::Arc;

use policy_engine::facts::{
    Endpoint, Facts, Grant, GrantSubject, Key, Model, ModelCard, ModelGlob, Permission, Price,
    PricePerMillion, Principal, Provider, Role, Route, RouteTarget, Team, Tenant, Terms, Timeouts,
};
use policy_engine::vocabulary::{
    Action, Adapter, Id, Name, Operation, PrincipalType, Tokens, Transport, UnknownFields,
};

/// A name.
pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// An id of the demo tenant.
pub(crate) fn id(text: &str) -> Id {
    Id::of(name("acme"), name(text))
}

pub(crate) fn platform(text: &str) -> Id {
    Id::platform(name(text))
}

/// The facts.
pub(crate) fn facts() -> Facts {
    let mut facts = Facts::default();
    people(&mut facts);
    registry(&mut facts);
    for model in ["fast", "pair", "down"] {
        let price = Price {
            model: name(model),
            endpoint: None,
            valid_from: None,
            currency: "USD".parse().unwrap(),
            per_million: PricePerMillion {
                input: 1_000_000,
                output: 2_000_000,
                ..PricePerMillion::default()
            },
            per_unit: Default::default(),
            geos: vec![],
        };
        facts.prices.insert(platform(model), Arc::new(price));
    }
    facts
}

/// A model may be asked for everything.
pub(crate) fn serve_all(facts: &mut Facts, model: &str) {
    if let Some(model) = facts.models.get_mut(&platform(model)) {
        Arc::make_mut(model).card.operations = Operation::ALL.to_vec();
    }
}

fn people(facts: &mut Facts) {
    let tenant = Tenant {
        display_name: "Acme".into(),
        time_zone: "Europe/Berlin".into(),
        currency: "USD".parse().unwrap(),
        domicile: Some(name("DE")),
        must_audit: false,
        staleness: Default::default(),
        geos: vec![],
    };
    facts.tenants.insert(platform("acme"), Arc::new(tenant));
    facts.teams.insert(id("research"), Arc::new(Team { jurisdictions: vec![name("EU")], geos: vec![] }));
    let ada = Principal {
        kind: PrincipalType::User,
        teams: vec![name("research")],
        groups: vec![],
        residency: Some(name("DE")),
        geos: vec![],
    };
    facts.principals.insert(id("ada"), Arc::new(ada));
    let permission = |action, globs: &[&str]| Permission {
        action,
        models: globs.iter().map(|glob| ModelGlob::new(glob).unwrap()).collect(),
        operations: vec![],
        resources: vec![],
    };
    let role = Role {
        permissions: vec![
            permission(Action::Infer, &["fast", "pair", "down", "embed"]),
            permission(Action::View, &["seen"]),
        ],
        inherits: vec![],
        geos: vec![],
    };
    facts.roles.insert(platform("user"), Arc::new(role));
    let grant =
        Grant { role: name("user"), team: None, to: GrantSubject::Team(name("research")), geos: vec![] };
    facts.grants.insert(id("grant"), Arc::new(grant));
    for (key, secret) in [("demo", "secret"), ("old", "old"), ("lost", "lost")] {
        let key_of = Key {
            mac: super::mac(secret),
            scope_key: "k1".into(),
            tenant: name("acme"),
            principal: name("ada"),
            team: name("research"),
            models: vec![],
            geos: vec![],
            expires: (key == "old").then(|| super::instant("2020-01-01")),
            revoked: key == "lost",
        };
        facts.keys.insert(name(key), Arc::new(key_of));
    }
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
    facts.providers.insert(platform("sim"), Arc::new(provider));
    for endpoint in ["sim-a", "sim-b", "down-a"] {
        let endpoint_of = Endpoint {
            provider: name("sim"),
            upstream_model: format!("{endpoint}-upstream"),
            processing_regions: vec![name("DE")],
            storage_regions: vec![name("DE")],
            terms: Terms::default(),
            timeouts: Timeouts::default(),
            unknown_fields: UnknownFields::Forward,
            geos: vec![],
        };
        facts.endpoints.insert(platform(endpoint), Arc::new(endpoint_of));
    }
    let routes: [(&str, Operation, &[&str]); 6] = [
        ("fast", Operation::Chat, &["sim-a"]),
        ("pair", Operation::Chat, &["down-a", "sim-b"]),
        ("down", Operation::Chat, &["down-a"]),
        ("hidden", Operation::Chat, &["sim-a"]),
        ("seen", Operation::Chat, &["sim-a"]),
        ("embed", Operation::Embed, &["sim-a"]),
    ];
    for (model, operation, endpoints) in routes {
        let target = |endpoint: &&str| {
            vec![RouteTarget {
                endpoint: name(endpoint),
                weight: 1,
                canary_percent: None,
                mirror_percent: None,
            }]
        };
        let model_of = Model {
            card: ModelCard {
                operations: vec![operation],
                context_window: Some(Tokens(8192)),
                max_output_tokens: Some(Tokens(1000)),
                ..ModelCard::default()
            },
            licence: None,
            aliases: vec![format!("{model}-alias")],
            route: Route { groups: endpoints.iter().map(target).collect(), ..Route::default() },
            geos: vec![],
        };
        facts.models.insert(platform(model), Arc::new(model_of));
    }
}
