//! Small random worlds: a few names, so that everything collides with everything, and every kind of fact.

use std::sync::Arc;

use policy_engine::facts::{
    Acceptance, Bound, Check, Endpoint, Facts, Grant, GrantSubject, Guardrail, Key, Licence,
    LicenceAcceptance, LicenceTerm, Limit, LimitScope, Model, ModelCard, ModelGlob, Permission, Price,
    PricePerMillion, Principal, Provider, Role, Route, RouteTarget, Staleness, Subject, Team, Tenant, Terms,
    Territory, Timeouts,
};
use policy_engine::vocabulary::{
    Action, Adapter, Duration, Entity, Id, Instant, LicenceKind, MaskAction, Name, OnStoreLoss, Operation,
    Period, PrincipalType, Transport, UnknownFields,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::rulebook::{self, Words};

pub(crate) const TENANTS: [&str; 2] = ["acme", "bolt"];
pub(crate) const TEAMS: [&str; 2] = ["blue", "red"];
pub(crate) const PEOPLE: [&str; 3] = ["ada", "bob", "cyd"];
pub(crate) const MODELS: [&str; 3] = ["big", "mid", "tiny"];
pub(crate) const ENDPOINTS: [&str; 4] = ["e1", "e2", "e3", "e4"];
pub(crate) const PROVIDERS: [&str; 2] = ["north", "south"];
pub(crate) const LICENCES: [&str; 2] = ["free", "paid"];
pub(crate) const PLACES: [&str; 5] = ["eu-central-1", "FR", "GB", "us-east-1", "US"];
pub(crate) const AREAS: [&str; 4] = ["DE", "EU", "GB", "US"];
pub(crate) const GEOS: [&str; 2] = ["eu", "us"];
pub(crate) const WORDS: [&str; 2] = ["project-x", "project-y"];
/// Tools that a vendor runs; no rule knows the last of them.
pub(crate) const TOOLS: [&str; 3] = ["web_search", "mcp", "brand_new"];
/// Instants at and around which things begin and end.
pub(crate) const TIMES: [i64; 4] = [0, 10, 20, 30];

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn glob(text: &str) -> ModelGlob {
    ModelGlob::new(text).unwrap()
}

/// The id of a tenant's own thing, or of the platform's.
pub(crate) fn id(owner: Option<&str>, text: &str) -> Id {
    Id { tenant: owner.map(name), name: name(text) }
}

fn names<T: AsRef<str>>(texts: Vec<T>) -> Vec<Name> {
    texts.iter().map(|text| name(text.as_ref())).collect()
}

fn some<T>(list: &'static [T]) -> impl Strategy<Value = Vec<T>>
where
    T: Clone + std::fmt::Debug + Send + Sync,
{
    subsequence(list, 0..=list.len())
}

fn time() -> impl Strategy<Value = Option<Instant>> {
    prop::option::of(select(&TIMES[..]).prop_map(Instant))
}

/// Mostly everywhere; where `geos` is set, now and then only in some.
fn geos(limited: bool) -> impl Strategy<Value = Vec<Name>> {
    let some = subsequence(&GEOS[..], 1..=2).prop_map(names);
    prop_oneof![(if limited { 3 } else { 1 }) => Just(vec![]), u32::from(limited) => some]
}

fn flag() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![Just(None), Just(Some(false)), Just(Some(true))]
}

type Map<T> = policy_engine::facts::Map<Id, Arc<T>>;

fn map<T: std::fmt::Debug + 'static>(
    all: Vec<(Option<&'static str>, &'static str)>,
    one: impl Strategy<Value = T> + 'static,
    chance: f64,
) -> impl Strategy<Value = Map<T>> {
    let one = one.boxed();
    let each = all.into_iter().map(move |(owner, text)| {
        let maybe = match chance < 1.0 {
            true => prop::option::weighted(chance, one.clone()).boxed(),
            false => one.clone().prop_map(Some).boxed(),
        };
        (Just(id(owner, text)), maybe)
    });
    let each: Vec<_> = each.collect();
    each.prop_map(|all| all.into_iter().filter_map(|(id, fact)| Some((id, Arc::new(fact?)))).collect())
}

fn of_tenants(texts: &[&'static str]) -> Vec<(Option<&'static str>, &'static str)> {
    TENANTS.iter().flat_map(|t| texts.iter().map(move |text| (Some(*t), *text))).collect()
}

fn of_platform(texts: &[&'static str]) -> Vec<(Option<&'static str>, &'static str)> {
    texts.iter().map(|text| (None, *text)).collect()
}

fn of_all(texts: &[&'static str]) -> Vec<(Option<&'static str>, &'static str)> {
    [of_platform(texts), of_tenants(texts)].concat()
}

/// What a world may be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Whether people and things may be limited to geos.
    pub(crate) geos: bool,
    /// What conditions may say.
    pub(crate) words: Words,
}

/// Any world.
pub(crate) const ANY: Kind = Kind { geos: false, words: Words::ANY };

/// A world whose references hold.
pub(crate) fn facts(kind: Kind) -> impl Strategy<Value = Facts> {
    (people(kind), things(kind), terms(), rulebook::rules(kind.words, 7)).prop_map(
        |(people, things, terms, rules)| {
            let facts = Facts { rules, ..people };
            let (providers, endpoints, licences, models) = things;
            let (acceptances, limits, prices, guardrails) = terms;
            let facts = Facts { providers, endpoints, licences, models, ..facts };
            whole(Facts { acceptances, limits, prices, guardrails, ..facts })
        },
    )
}

fn people(kind: Kind) -> impl Strategy<Value = Facts> {
    let tenant = (prop::option::of(select(&AREAS[..])), geos(kind.geos), any::<bool>()).prop_map(
        |(domicile, geos, strict)| Tenant {
            display_name: String::new(),
            time_zone: "UTC".to_owned(),
            currency: "USD".parse().unwrap(),
            domicile: domicile.map(name),
            must_audit: false,
            staleness: Staleness { strict_revocation: strict, ..Staleness::default() },
            geos,
        },
    );
    let team =
        (some(&AREAS), geos(kind.geos)).prop_map(|(areas, geos)| Team { jurisdictions: names(areas), geos });
    let principal = (prop::option::of(select(&AREAS[..])), geos(kind.geos), any::<bool>());
    let principal = principal.prop_map(|(residency, geos, service)| Principal {
        kind: if service { PrincipalType::Service } else { PrincipalType::User },
        teams: names(TEAMS.to_vec()),
        groups: vec![],
        residency: residency.map(name),
        geos,
    });
    let line = (
        prop_oneof![4 => Just(Action::Infer), 1 => Just(Action::View)],
        prop_oneof![
            3 => Just("*"),
            1 => select(&MODELS[..]),
            1 => Just("*i*")
        ],
    );
    let line = line.prop_map(|(action, models)| Permission {
        action,
        models: vec![glob(models)],
        operations: vec![],
        resources: vec![],
    });
    let role = (prop::collection::vec(line, 1..3), geos(kind.geos));
    let role = role.prop_map(|(permissions, geos)| Role { permissions, inherits: vec![], geos });
    let to = prop_oneof![
        select(&TEAMS[..]).prop_map(|t| GrantSubject::Team(name(t))),
        select(&PEOPLE[..]).prop_map(|p| GrantSubject::Principal(name(p))),
    ];
    let grant = (select(&["r1", "r2"][..]), prop::option::of(select(&TEAMS[..])), to);
    let grant =
        grant.prop_map(|(role, team, to)| Grant { role: name(role), team: team.map(name), to, geos: vec![] });
    (
        map(of_platform(&TENANTS), tenant, 1.0),
        map(of_tenants(&TEAMS), team, 1.0),
        map(of_tenants(&PEOPLE), principal, 1.0),
        map(of_platform(&["r1", "r2"]), role, 1.0),
        map(of_tenants(&["g1", "g2", "g3"]), grant, 0.9),
        prop::collection::vec(
            (select(&TENANTS[..]), select(&TEAMS[..]), select(&PEOPLE[..]), narrowing()),
            3,
        ),
    )
        .prop_map(|(tenants, teams, principals, roles, grants, keys)| {
            let key = |(n, (tenant, team, principal, models)): (usize, _)| {
                let key = Key {
                    mac: [0; 32],
                    scope_key: String::new(),
                    tenant: name(tenant),
                    principal: name(principal),
                    team: name(team),
                    models,
                    geos: vec![],
                    expires: None,
                    revoked: false,
                };
                (name(&format!("k{n}")), Arc::new(key))
            };
            let keys = keys.into_iter().enumerate().map(key).collect();
            Facts { tenants, teams, principals, roles, grants, keys, ..Facts::default() }
        })
}

fn narrowing() -> impl Strategy<Value = Vec<ModelGlob>> {
    prop_oneof![2 => Just(vec![]), 1 => select(&MODELS[..]).prop_map(|m| vec![glob(m)])]
}

fn things(kind: Kind) -> impl Strategy<Value = (Map<Provider>, Map<Endpoint>, Map<Licence>, Map<Model>)> {
    let terms = || {
        (flag(), flag()).prop_map(|(trains_on_data, dpa)| Terms { trains_on_data, dpa, ..Terms::default() })
    };
    let provider = (terms(), geos(kind.geos)).prop_map(|(terms, geos)| Provider {
        adapter: Adapter::Simulated,
        base_url: String::new(),
        credential: None,
        auth: None,
        api_version: String::new(),
        responses_api: None,
        transport: Transport::Http,
        template: None,
        terms,
        geos,
    });
    let places = || {
        let stored = prop_oneof![2 => Just(vec![]), 1 => subsequence(&PLACES[..], 1..=2)];
        (subsequence(&PLACES[..], 0..=2), stored)
    };
    let unknown_fields = prop_oneof![3 => Just(UnknownFields::Forward), 1 => Just(UnknownFields::Reject)];
    let endpoint = (select(&PROVIDERS[..]), places(), terms(), unknown_fields, geos(kind.geos));
    let endpoint = endpoint.prop_map(|(provider, (places, stored), terms, unknown_fields, geos)| Endpoint {
        provider: name(provider),
        upstream_model: String::new(),
        processing_regions: names(places),
        storage_regions: names(stored),
        terms,
        timeouts: Timeouts::default(),
        unknown_fields,
        geos,
    });
    let model = (
        prop::option::weighted(0.4, select(&LICENCES[..])),
        subsequence(&ENDPOINTS[..], 1..=4),
        prop::option::of(select(&["limited", "high"][..])),
        geos(kind.geos),
    );
    let model = model.prop_map(|(licence, route, risk, geos)| Model {
        card: ModelCard {
            operations: vec![Operation::Chat],
            risk_class: risk.map(str::to_owned),
            ..ModelCard::default()
        },
        licence: licence.map(name),
        aliases: vec![],
        route: Route {
            groups: vec![
                route
                    .iter()
                    .map(|e| RouteTarget {
                        endpoint: name(e),
                        weight: 1,
                        canary_percent: None,
                        mirror_percent: None,
                    })
                    .collect(),
            ],
            ..Route::default()
        },
        geos,
    });
    // One tenant has everything of its own as well, under the platform's names.
    let with_own = |texts: &[&'static str]| {
        let own = texts.iter().map(|text| (Some(TENANTS[0]), *text));
        of_platform(texts).into_iter().chain(own).collect::<Vec<_>>()
    };
    (
        map(with_own(&PROVIDERS), provider, 1.0),
        map(with_own(&ENDPOINTS), endpoint, 1.0),
        map(of_platform(&LICENCES), licence(kind), 1.0),
        map([of_platform(&MODELS), vec![(Some(TENANTS[0]), MODELS[0])]].concat(), model, 0.95),
    )
}

fn licence(kind: Kind) -> impl Strategy<Value = Licence> {
    let bounds = (time(), time(), some(&["DE", "US"]), some(&["GB", "FR"]));
    let rest = (prop::option::of(Just("sha")), any::<bool>(), any::<bool>(), geos(kind.geos));
    (bounds, rest).prop_map(|((from, until, include, exclude), (text, accept, train, geos))| Licence {
        kind: LicenceKind::VendorEula,
        spdx: None,
        term: LicenceTerm { from, until: until.filter(|until| from.is_none_or(|from| from < *until)) },
        territory: Territory { include: names(include), exclude: names(exclude) },
        prohibited: if train { vec!["training".to_owned()] } else { vec![] },
        permitted: vec![],
        seats: None,
        acceptance: if accept { Acceptance::Required } else { Acceptance::NotRequired },
        text_digest: text.map(str::to_owned),
        attribution: train.then(|| "made by them".to_owned()),
        geos,
    })
}

type TermMaps = (Map<LicenceAcceptance>, Map<Limit>, Map<Price>, Map<Guardrail>);

fn terms() -> impl Strategy<Value = TermMaps> {
    let digest = prop_oneof![2 => Just(Some("sha")), 1 => Just(Some("old")), 1 => Just(None)];
    let acceptance = (select(&LICENCES[..]), select(&TEAMS[..]), digest);
    let acceptance = acceptance.prop_map(|(licence, team, digest)| LicenceAcceptance {
        licence: name(licence),
        team: name(team),
        text_digest: digest.map(str::to_owned),
        accepted_by: String::new(),
        geos: vec![],
    });
    let entity = || subsequence(&[Entity::Email, Entity::Phone][..], 1..=2);
    let what = prop_oneof![
        entity().prop_map(|detect| (detect, vec![])),
        subsequence(&WORDS[..], 1..=2).prop_map(|w| (vec![], w.into_iter().map(str::to_owned).collect())),
    ];
    let check = (what, select(MaskAction::ALL));
    let check = check.prop_map(|((detect, words), action)| Check { detect, words, action });
    let checks = || prop::collection::vec(check.clone(), 0..3);
    let guardrail = (some(&MODELS), some(&TEAMS), checks(), checks());
    let guardrail = guardrail.prop_map(|(models, teams, input, output)| Guardrail {
        applies: Subject { models: models.into_iter().map(glob).collect(), teams: names(teams) },
        input,
        output,
        geos: vec![],
    });
    let price = (select(&MODELS[..]), prop::option::of(select(&ENDPOINTS[..])), time(), 1..100_i64);
    let price = price.prop_map(|(model, endpoint, valid_from, input)| Price {
        model: name(model),
        endpoint: endpoint.map(name),
        valid_from,
        currency: "USD".parse().unwrap(),
        per_million: PricePerMillion { input, ..PricePerMillion::default() },
        per_unit: Default::default(),
        geos: vec![],
    });
    (
        map(of_tenants(&["a1", "a2"]), acceptance, 0.9),
        map(of_all(&["l1", "l2"]), limit(), 0.6),
        map(of_all(&["p1", "p2", "p3"]), price, 0.7),
        map(of_all(&["w1", "w2"]), guardrail, 0.3),
    )
}

fn limit() -> impl Strategy<Value = Limit> {
    fn part(list: &'static [&'static str]) -> impl Strategy<Value = Option<Name>> {
        prop::option::weighted(0.2, select(list).prop_map(name))
    }
    let keys = part(&["k0", "k1", "k2"]);
    let model = prop::option::weighted(0.3, select(&["*", "big", "*i*"][..]).prop_map(glob));
    let scope = (part(&TEAMS), part(&PEOPLE), keys, model, part(&ENDPOINTS), part(&PROVIDERS));
    let scope = scope.prop_map(|(team, principal, key, model, endpoint, provider)| LimitScope {
        team,
        principal,
        key,
        model,
        endpoint,
        provider,
        each: None,
    });
    let minute = Period::Sliding(Duration(60_000_000));
    let bound = prop_oneof![
        2 => Just(Bound::Requests(10, minute)),
        1 => Just(Bound::Spend("1.00 USD".parse().unwrap(), Period::Day)),
    ];
    (scope, bound).prop_map(|(scope, bound)| Limit {
        scope,
        bound,
        on_store_loss: OnStoreLoss::Closed,
        geos: vec![],
    })
}

/// Takes out what could not be said: a platform's thing of one team, a limit on a key of others, a price said twice.
fn whole(mut facts: Facts) -> Facts {
    let keys = facts.keys.clone();
    facts.limits.retain(|id, limit| {
        let scope = &limit.scope;
        let tenant = id.tenant.as_ref();
        let of_people = scope.team.is_some() || scope.principal.is_some();
        let key = scope.key.as_ref().and_then(|key| keys.get(key));
        (tenant.is_some() || !of_people) && key.is_none_or(|key| tenant.is_none_or(|t| *t == key.tenant))
    });
    facts.guardrails.retain(|id, guardrail| id.tenant.is_some() || guardrail.applies.teams.is_empty());
    let models = &facts.models;
    facts.prices.retain(|id, price| model_named(models, &id.tenant, &price.model).is_some());
    let mut seen = Vec::new();
    facts.prices.retain(|id, price| {
        let model = model_named(models, &id.tenant, &price.model);
        let slot = (id.tenant.clone(), model, price.endpoint.clone(), price.valid_from);
        let new = !seen.contains(&slot);
        seen.push(slot);
        new
    });
    facts
}

/// The model that a name means in a tenant.
pub(crate) fn model_named(models: &Map<Model>, tenant: &Option<Name>, text: &Name) -> Option<Id> {
    let own = Id { tenant: tenant.clone(), name: text.clone() };
    [own, Id::platform(text.clone())].into_iter().find(|id| models.contains_key(id))
}
