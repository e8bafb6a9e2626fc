//! Small random policies over two tenants and the platform: few names, so that they meet, shadow and circle.

use std::sync::Arc;

use policy_engine::facts::{Facts, Grant, GrantSubject, Map, ModelGlob, Permission, Principal, Role};
use policy_engine::rules::roles::Domain;
use policy_engine::vocabulary::{Action, Id, Name, Operation, PrincipalType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Every domain there is, and a team that nobody ever names.
pub(crate) const DOMAINS: [&str; 7] =
    ["/", "acme/", "acme/red", "acme/blue", "acme/none", "globex/", "globex/red"];

/// Kinds of governed resources.
pub(crate) const KINDS: [&str; 3] = ["teams", "grants", "keys"];

const OWNERS: [&str; 3] = ["", "acme", "globex"];
const ROLES: [&str; 4] = ["a", "b", "c", "missing"];
const GLOBS: [&str; 8] = ["*", "sim-*", "*-x", "sim-a", "s*m*x", "**", "own-x", "nothing"];
const KIND_GLOBS: [&str; 4] = ["*", "*s", "teams", "g*"];

/// `acme/x` in a tenant, `/x` of the platform.
fn id(text: &str) -> Id {
    let (tenant, name) = text.split_once('/').unwrap();
    Id { tenant: Name::new(tenant).ok(), name: Name::new(name).unwrap() }
}

/// A domain by its text.
pub(crate) fn domain(text: &str) -> Domain {
    match text.split_once('/').unwrap() {
        ("", _) => Domain::Platform,
        (tenant, "") => Domain::Tenant(Name::new(tenant).unwrap()),
        (tenant, team) => Domain::Team(Name::new(tenant).unwrap(), Name::new(team).unwrap()),
    }
}

/// The models, in the order of their indices; only one tenant has its own.
pub(crate) fn models() -> Vec<Id> {
    ["/sim-a", "/sim-x", "/gpt", "acme/own-x", "acme/sim-a"].map(id).to_vec()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(texts: &[&'static str], most: usize) -> impl Strategy<Value = Vec<Name>> + use<> {
    subsequence(texts.to_vec(), 0..=most).prop_map(|texts| texts.into_iter().map(name).collect())
}

fn globs(texts: &[&'static str]) -> impl Strategy<Value = Vec<ModelGlob>> + use<> {
    subsequence(texts.to_vec(), 0..=2)
        .prop_map(|texts| texts.iter().map(|t| ModelGlob::new(t).unwrap()).collect())
}

fn permission() -> impl Strategy<Value = Permission> {
    let action =
        prop_oneof![4 => Just(Action::Infer), 2 => Just(Action::View), 2 => select(Action::ALL.to_vec())];
    let operations = subsequence(Operation::ALL.to_vec(), 0..=2);
    (action, globs(&GLOBS), operations, globs(&KIND_GLOBS)).prop_map(
        |(action, models, operations, resources)| Permission { action, models, operations, resources },
    )
}

fn role() -> impl Strategy<Value = (Id, Role)> {
    let own = (select(OWNERS.to_vec()), select(ROLES[..3].to_vec()));
    (own, vec(permission(), 1..4), names(&ROLES, 2)).prop_map(|((owner, text), permissions, inherits)| {
        (id(&format!("{owner}/{text}")), Role { permissions, inherits, geos: Vec::new() })
    })
}

fn grant() -> impl Strategy<Value = (Id, Grant)> {
    let to = prop_oneof![
        select(vec!["red", "blue"]).prop_map(|team| GrantSubject::Team(name(team))),
        select(vec!["ada", "bob", "root"]).prop_map(|one| GrantSubject::Principal(name(one))),
        select(vec!["red", "staff"]).prop_map(|group| GrantSubject::Group(name(group))),
    ];
    let team = proptest::option::of(select(vec!["red", "blue"]).prop_map(name));
    (select(OWNERS.to_vec()), 0..1000_u32, select(ROLES.to_vec()), team, to).prop_map(
        |(owner, n, role, team, to)| {
            (id(&format!("{owner}/g{n}")), Grant { role: name(role), team, to, geos: Vec::new() })
        },
    )
}

fn principal() -> impl Strategy<Value = Principal> {
    (names(&["red", "blue"], 2), names(&["red", "staff"], 2)).prop_map(|(teams, groups)| Principal {
        kind: PrincipalType::User,
        teams,
        groups,
        residency: None,
        geos: Vec::new(),
    })
}

/// A random policy. The same principals are always there, with the same names in both tenants.
pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    let principals = ["acme/ada", "acme/bob", "globex/ada", "/root"].map(|one| (Just(id(one)), principal()));
    (vec(role(), 3..9), vec(grant(), 2..16), Vec::from(principals)).prop_map(|(roles, grants, principals)| {
        Facts {
            roles: roles.into_iter().map(|(id, role)| (id, Arc::new(role))).collect(),
            grants: grants.into_iter().map(|(id, grant)| (id, Arc::new(grant))).collect(),
            principals: principals.into_iter().map(|(id, principal)| (id, Arc::new(principal))).collect(),
            ..Facts::default()
        }
    })
}

/// A grant of the first of so many roles, each of which inherits the next, the last of which may do something; and the
/// last inherits the first.
pub(crate) fn chain(length: usize) -> Facts {
    let infer = || Permission {
        action: Action::Infer,
        models: vec![ModelGlob::new("*").unwrap()],
        operations: Vec::new(),
        resources: Vec::new(),
    };
    let role = |n: usize| {
        let last = n + 1 == length;
        let permissions = if last { vec![infer()] } else { Vec::new() };
        let inherits = vec![name(&format!("r{}", if last { 0 } else { n + 1 }))];
        (id(&format!("/r{n}")), Arc::new(Role { permissions, inherits, geos: Vec::new() }))
    };
    let to = GrantSubject::Principal(name("ada"));
    let grant = Grant { role: name("r0"), team: Some(name("red")), to, geos: Vec::new() };
    let ada = Principal {
        kind: PrincipalType::User,
        teams: Vec::new(),
        groups: Vec::new(),
        residency: None,
        geos: Vec::new(),
    };
    Facts {
        roles: (0..length).map(role).collect(),
        grants: Map::from_iter([(id("acme/g"), Arc::new(grant))]),
        principals: Map::from_iter([(id("acme/ada"), Arc::new(ada))]),
        ..Facts::default()
    }
}
