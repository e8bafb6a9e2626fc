//! A made-up town to measure in: organisations with teams, people, keys, models, rules, limits, prices and guardrails.
//!
//! Law: the same size gives the same town, and no two requests in a row meet in it, so that nothing is measured warm by
//! accident. Four endpoints a model and about twenty matching rules a request, whatever the size.

use std::sync::Arc;

use policy_engine::facts::{
    Acceptance, Bound, Check, Each, Endpoint, Facts, Grant, GrantSubject, Guardrail, Key, Licence,
    LicenceTerm, Limit, LimitScope, Map, Model, ModelCard, ModelGlob, Obligation, Permission, Price,
    PricePerMillion, Principal, Provider, Role, Route, RouteTarget, Rule, Subject, Team, Tenant, Terms,
    Territory, Timeouts,
};
use policy_engine::snapshot::Header;
use policy_engine::vocabulary::{
    Action, Adapter, Currency, Duration, Effect, Entity, Id, Layer, LicenceKind, MaskAction, Mode, Name,
    OnStoreLoss, Operation, Period, PrincipalType, Transport, UnknownFields,
};

/// How large a town is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) principals: usize,
    pub(crate) rules: usize,
    pub(crate) models: usize,
}

/// The sizes to measure at, from a village to the floor's own.
pub(crate) const SIZES: [Size; 3] = [
    Size { principals: 10, rules: 100, models: 10 },
    Size { principals: 1_000, rules: 1_000, models: 100 },
    Size { principals: 100_000, rules: 10_000, models: 1_000 },
];

const TEAMS: usize = 10;
const AREAS: [&str; 8] = ["DE", "FR", "US-CA", "BR", "GB", "JP", "IN", "CN"];

impl Size {
    pub(crate) fn tenants(&self) -> usize {
        (self.principals / 1_000).max(1)
    }
}

pub(crate) fn header() -> Header {
    Header { revision: 1, geo: Some(name("eu")) }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn glob(text: &str) -> ModelGlob {
    ModelGlob::new(text).unwrap()
}

pub(crate) fn tenant(n: usize) -> Name {
    name(&format!("tenant-{n}"))
}

pub(crate) fn team(n: usize) -> Name {
    name(&format!("team-{n}"))
}

pub(crate) fn principal(n: usize) -> Name {
    name(&format!("person-{n}@example.org"))
}

pub(crate) fn model(n: usize) -> Name {
    name(&format!("model-{n}"))
}

/// Where a person belongs.
pub(crate) fn home(size: &Size, person: usize) -> (Name, Name) {
    (tenant(person % size.tenants()), team(person / size.tenants() % TEAMS))
}

fn put<T>(map: &mut Map<Id, Arc<T>>, id: Id, fact: T) {
    map.insert(id, Arc::new(fact));
}

/// The facts of a town.
pub(crate) fn facts(size: &Size) -> Facts {
    let mut facts = Facts::default();
    people(&mut facts, size);
    registry(&mut facts, size);
    rules(&mut facts, size);
    commerce(&mut facts, size);
    facts
}

fn people(facts: &mut Facts, size: &Size) {
    let currency: Currency = "USD".parse().unwrap();
    for t in 0..size.tenants() {
        put(
            &mut facts.tenants,
            Id::platform(tenant(t)),
            Tenant {
                display_name: format!("Tenant {t}"),
                time_zone: "Europe/Berlin".to_owned(),
                currency,
                domicile: Some(name("DE")),
                must_audit: false,
                staleness: Default::default(),
                geos: vec![],
            },
        );
        for n in 0..TEAMS {
            let jurisdictions = vec![name(AREAS[(t + n) % AREAS.len()])];
            put(&mut facts.teams, Id::of(tenant(t), team(n)), Team { jurisdictions, geos: vec![] });
            put(
                &mut facts.grants,
                Id::of(tenant(t), name(&format!("grant-{n}"))),
                Grant {
                    role: name(&format!("role-{}", n % 5)),
                    team: Some(team(n)),
                    to: GrantSubject::Team(team(n)),
                    geos: vec![],
                },
            );
        }
    }
    for n in 0..5 {
        let line = |action, models: &str| Permission {
            action,
            models: vec![glob(models)],
            operations: vec![],
            resources: vec![],
        };
        put(
            &mut facts.roles,
            Id::platform(name(&format!("role-{n}"))),
            Role {
                permissions: vec![line(Action::Infer, "model-*"), line(Action::View, "*")],
                inherits: if n == 0 { vec![] } else { vec![name(&format!("role-{}", n - 1))] },
                geos: vec![],
            },
        );
    }
    for p in 0..size.principals {
        let (tenant, team) = home(size, p);
        put(
            &mut facts.principals,
            Id::of(tenant.clone(), principal(p)),
            Principal {
                kind: if p % 3 == 0 { PrincipalType::Service } else { PrincipalType::User },
                teams: vec![team.clone()],
                groups: vec![],
                residency: Some(name(AREAS[(p * 3 + 1) % AREAS.len()])),
                geos: vec![],
            },
        );
        facts.keys.insert(
            name(&format!("key{p:08}")),
            Arc::new(Key {
                mac: [7; 32],
                scope_key: "k1".to_owned(),
                tenant,
                principal: principal(p),
                team,
                models: if p % 20 == 0 { vec![glob(&format!("model-{}*", p % 9 + 1))] } else { vec![] },
                geos: vec![],
                expires: None,
                revoked: false,
            }),
        );
    }
}

fn registry(facts: &mut Facts, size: &Size) {
    for p in 0..10 {
        put(
            &mut facts.providers,
            Id::platform(name(&format!("provider-{p}"))),
            Provider {
                adapter: Adapter::Simulated,
                base_url: String::new(),
                credential: None,
                auth: None,
                api_version: String::new(),
                responses_api: None,
                transport: Transport::Http,
                template: None,
                terms: Terms {
                    trains_on_data: Some(false),
                    dpa: Some(true),
                    baa: Some(p % 2 == 0),
                    zero_retention: None,
                },
                geos: vec![],
            },
        );
    }
    for e in 0..size.models * 4 {
        put(
            &mut facts.endpoints,
            Id::platform(name(&format!("endpoint-{e}"))),
            Endpoint {
                provider: name(&format!("provider-{}", e % 10)),
                upstream_model: format!("upstream-{e}"),
                processing_regions: vec![name(["eu-central-1", "DE", "FR", "eu-west-3"][e % 4])],
                storage_regions: vec![name("EU")],
                terms: Terms::default(),
                timeouts: Timeouts::default(),
                unknown_fields: UnknownFields::Forward,
                geos: vec![],
            },
        );
    }
    for m in 0..size.models {
        let target = |n: usize| RouteTarget {
            endpoint: name(&format!("endpoint-{}", m * 4 + n)),
            weight: 1,
            canary_percent: None,
            mirror_percent: None,
        };
        put(
            &mut facts.models,
            Id::platform(model(m)),
            Model {
                card: ModelCard {
                    operations: vec![Operation::Chat],
                    risk_class: Some("limited".to_owned()),
                    ..ModelCard::default()
                },
                licence: Some(name(&format!("licence-{}", m % 20))),
                aliases: vec![format!("alias-{m}")],
                route: Route {
                    groups: vec![vec![target(0), target(1)], vec![target(2), target(3)]],
                    ..Route::default()
                },
                geos: vec![],
            },
        );
        put(
            &mut facts.prices,
            Id::platform(model(m)),
            Price {
                model: model(m),
                endpoint: None,
                valid_from: None,
                currency: "USD".parse().unwrap(),
                per_million: PricePerMillion {
                    input: 1_000,
                    cached_input: None,
                    output: 3_000,
                    reasoning: None,
                },
                per_unit: Default::default(),
                geos: vec![],
            },
        );
    }
    for n in 0..20 {
        put(
            &mut facts.licences,
            Id::platform(name(&format!("licence-{n}"))),
            Licence {
                kind: LicenceKind::VendorEula,
                spdx: None,
                term: LicenceTerm::default(),
                territory: Territory { include: vec![], exclude: vec![name("RU")] },
                prohibited: vec!["training-on-outputs".to_owned()],
                permitted: vec![],
                seats: None,
                acceptance: Acceptance::NotRequired,
                text_digest: None,
                attribution: None,
                geos: vec![],
            },
        );
    }
}

fn rule(effect: Effect, when: String, obligations: Vec<Obligation>) -> Rule {
    Rule {
        layer: Layer::Regulation,
        effect,
        when,
        obligations,
        reason_code: None,
        legal_ref: Some("Art. 1".to_owned()),
        valid_from: None,
        valid_to: None,
        mode: Mode::Enforce,
        or_unknown: Some(false),
        needs_permit: false,
        geos: vec![],
    }
}

/// A fifth of the rules are each tenant's own, the rest the platform's: by legal area, model, country, and a few for all.
fn rules(facts: &mut Facts, size: &Size) {
    let masks = |entity| vec![Obligation::Mask(vec![entity])];
    for n in 0..10 {
        let when =
            ["operation == 'chat'", "", "!stream", "model.riskClass != 'high'", "node.geo == 'eu'"][n % 5];
        let id = Id::platform(name(&format!("all-{n}")));
        put(&mut facts.rules, id, rule(Effect::Require, when.to_owned(), masks(Entity::Email)));
    }
    for n in 0..4 {
        let when = [
            "endpoint.terms.trainsOnData",
            "endpoint.terms.dpa",
            "'US' in endpoint.processingRegions",
            "'EU' in endpoint.processingRegions",
        ][n];
        let effect = if n % 2 == 0 { Effect::Forbid } else { Effect::Require };
        let duties = if n % 2 == 0 { vec![] } else { masks(Entity::Phone) };
        put(
            &mut facts.rules,
            Id::platform(name(&format!("place-{n}"))),
            rule(effect, when.to_owned(), duties),
        );
    }
    for (a, area) in AREAS.iter().enumerate() {
        for n in 0..5 {
            let effect = if n == 0 { Effect::Forbid } else { Effect::Require };
            let when = match n {
                0 => format!("'{area}' in subject.jurisdictions && purpose == 'social-scoring'"),
                _ => format!("'{area}' in subject.jurisdictions && operation == 'chat'"),
            };
            let duties = match n {
                0 => vec![],
                1 => vec![Obligation::Residency(vec![name("EEA"), name("UK")])],
                2 => vec![Obligation::Notice("you are talking to a machine".to_owned())],
                3 => vec![Obligation::NoCache],
                _ => masks(Entity::CreditDebitCardNumber),
            };
            put(&mut facts.rules, Id::platform(name(&format!("area-{a}-{n}"))), rule(effect, when, duties));
        }
    }
    let own = size.rules / 5;
    for n in 0..own {
        let tenant = tenant(n % size.tenants());
        let when = format!("'team-{}' in caller.teams && purpose != 'p{n}'", n % TEAMS);
        let effect = if n / size.tenants() < TEAMS { Effect::Require } else { Effect::Forbid };
        let when = if effect == Effect::Forbid {
            format!("'team-{}' in caller.teams && purpose == 'p{n}'", n % TEAMS)
        } else {
            when
        };
        let duties =
            if effect == Effect::Require { masks(Entity::InternationalBankAccountNumber) } else { vec![] };
        put(&mut facts.rules, Id::of(tenant, name(&format!("own-{n}"))), rule(effect, when, duties));
    }
    for n in facts.rules.len()..size.rules {
        let model = model(n % size.models);
        let (effect, when, duties) = if n % 2 == 0 && n < size.models * 8 {
            (
                Effect::Require,
                format!("model.name == '{model}' && purpose != 'p{n}'"),
                vec![Obligation::NoCache],
            )
        } else {
            (Effect::Forbid, format!("model.name == '{model}' && purpose == 'p{n}'"), vec![])
        };
        put(&mut facts.rules, Id::platform(name(&format!("model-{n}"))), rule(effect, when, duties));
    }
}

fn commerce(facts: &mut Facts, size: &Size) {
    let limit = |scope, bound| Limit { scope, bound, on_store_loss: OnStoreLoss::LocalShare, geos: vec![] };
    let minute = Period::Sliding(Duration(60_000_000));
    for t in 0..size.tenants() {
        let scope = LimitScope { each: Some(Each::Key), ..LimitScope::default() };
        put(
            &mut facts.limits,
            Id::of(tenant(t), name("rpm")),
            limit(scope.clone(), Bound::Requests(100, minute)),
        );
        let spend = Bound::Spend("50.00 USD".parse().unwrap(), Period::Month);
        put(&mut facts.limits, Id::of(tenant(t), name("spend")), limit(LimitScope::default(), spend));
        for n in 0..TEAMS {
            let scope =
                LimitScope { team: Some(team(n)), model: Some(glob("model-1*")), ..LimitScope::default() };
            put(
                &mut facts.limits,
                Id::of(tenant(t), name(&format!("tpm-{n}"))),
                limit(scope, Bound::Tokens(9_000, minute)),
            );
        }
        if t % 10 == 0 {
            let words =
                Check { detect: vec![], words: vec![format!("project-{t}")], action: MaskAction::Block };
            put(
                &mut facts.guardrails,
                Id::of(tenant(t), name("words")),
                Guardrail { applies: Subject::default(), input: vec![words], output: vec![], geos: vec![] },
            );
        }
    }
    let check = Check { detect: vec![Entity::Email, Entity::Phone], words: vec![], action: MaskAction::Mask };
    put(
        &mut facts.guardrails,
        Id::platform(name("baseline")),
        Guardrail {
            applies: Subject::default(),
            input: vec![check.clone()],
            output: vec![check],
            geos: vec![],
        },
    );
}
