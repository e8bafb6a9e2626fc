//! Who refers to what: the facts that name a resource.
//!
//! Law: whatever could mean a resource is found, by name alone; that a name means another's thing of that name, and so is one
//! too many, costs time only.

use std::sync::Arc;

use super::{
    Change, Endpoint, Facts, Grant, GrantSubject, Guardrail, Key, LicenceAcceptance, Limit, Map, Model,
    Price, Principal, Role,
};
use crate::vocabulary::{Id, Kind, Name};

/// What may name other things.
trait Names {
    /// Whether it names a thing of this kind so.
    fn names(&self, kind: Kind, name: &Name) -> bool;
}

macro_rules! names {
    ($($fact:ident: $($kind:ident => |$it:ident, $name:ident| $test:expr),*;)*) => {$(
        impl Names for $fact {
            fn names(&self, kind: Kind, name: &Name) -> bool {
                match kind {
                    $(Kind::$kind => { let ($it, $name) = (self, name); $test })*
                    _ => false,
                }
            }
        }
    )*};
}

names! {
    Principal: Team => |it, name| it.teams.contains(name);
    Role: Role => |it, name| it.inherits.contains(name);
    Grant:
        Team => |it, name| it.team.as_ref() == Some(name) || matches!(&it.to, GrantSubject::Team(to) if to == name),
        Principal => |it, name| matches!(&it.to, GrantSubject::Principal(to) if to == name),
        Role => |it, name| it.role == *name;
    Endpoint: Provider => |it, name| it.provider == *name;
    Model:
        Endpoint => |it, name| it.route.groups.iter().flatten().any(|target| target.endpoint == *name),
        Licence => |it, name| it.licence.as_ref() == Some(name);
    LicenceAcceptance:
        Team => |it, name| it.team == *name,
        Licence => |it, name| it.licence == *name;
    Limit:
        Team => |it, name| it.scope.team.as_ref() == Some(name),
        Principal => |it, name| it.scope.principal.as_ref() == Some(name),
        Key => |it, name| it.scope.key.as_ref() == Some(name),
        Endpoint => |it, name| it.scope.endpoint.as_ref() == Some(name),
        Provider => |it, name| it.scope.provider.as_ref() == Some(name);
    Guardrail: Team => |it, name| it.applies.teams.contains(name);
    Price:
        Model => |it, name| it.model == *name,
        Endpoint => |it, name| it.endpoint.as_ref() == Some(name);
    Key:
        Tenant => |it, name| it.tenant == *name,
        Team => |it, name| it.team == *name,
        Principal => |it, name| it.principal == *name;
}

/// Every resource that may refer to one, of those that its owner or, where it is the platform's, anybody has. What a tenant
/// owns refers to the tenant.
pub(crate) fn users(facts: &Facts, of: &Change) -> Vec<Change> {
    let mut found = users_but_keys(facts, of);
    if matches!(of.kind, Kind::Tenant | Kind::Team | Kind::Principal) {
        keys(facts, of, &mut found);
    }
    found
}

/// What [`users`] finds without walking every key.
pub(crate) fn users_but_keys(facts: &Facts, of: &Change) -> Vec<Change> {
    let mut found = Vec::new();
    macro_rules! named {
        ($($map:ident as $kind:ident),*) => {{ $(named(&facts.$map, Kind::$kind, of, &mut found);)* }};
    }
    macro_rules! owned {
        ($($map:ident as $kind:ident),*) => {{ $({
            let owned = owned_by(&facts.$map, Some(&of.id.name));
            found.extend(owned.map(|(id, _)| Change { kind: Kind::$kind, id: id.clone() }));
        })* }};
    }
    match of.kind {
        Kind::Tenant => owned!(
            teams as Team,
            principals as Principal,
            roles as Role,
            grants as Grant,
            providers as Provider,
            endpoints as Endpoint,
            licences as Licence,
            acceptances as LicenceAcceptance,
            models as Model,
            limits as Limit,
            rules as Rule,
            guardrails as Guardrail,
            prices as Price
        ),
        Kind::Team => named!(
            principals as Principal,
            grants as Grant,
            acceptances as LicenceAcceptance,
            limits as Limit,
            guardrails as Guardrail
        ),
        Kind::Principal => named!(grants as Grant, limits as Limit),
        Kind::Role => named!(roles as Role, grants as Grant),
        Kind::Provider => named!(endpoints as Endpoint, limits as Limit),
        Kind::Endpoint => named!(models as Model, limits as Limit, prices as Price),
        Kind::Licence => named!(acceptances as LicenceAcceptance, models as Model),
        Kind::Model => named!(prices as Price),
        Kind::Key => named!(limits as Limit),
        Kind::Grant | Kind::LicenceAcceptance | Kind::Limit | Kind::Rule | Kind::Guardrail | Kind::Price => {}
    }
    found
}

fn named<T: Names>(all: &Map<Id, Arc<T>>, kind: Kind, of: &Change, found: &mut Vec<Change>) {
    let mut find = |(id, fact): (&Id, &Arc<T>)| {
        if fact.names(of.kind, &of.id.name) {
            found.push(Change { kind, id: id.clone() });
        }
    };
    match &of.id.tenant {
        None => all.iter().for_each(&mut find),
        owner => owned_by(all, owner.as_ref()).for_each(&mut find),
    }
    // A key is known to the platform by its public id alone.
    if of.kind == Kind::Key {
        owned_by(all, None).for_each(find);
    }
}

fn keys(facts: &Facts, of: &Change, found: &mut Vec<Change>) {
    let tenant = of.id.tenant.as_ref().unwrap_or(&of.id.name);
    let all = facts.keys.iter().filter(|(_, key)| key.tenant == *tenant && key.names(of.kind, &of.id.name));
    let change = |name: &Name| Change { kind: Kind::Key, id: Id::of(tenant.clone(), name.clone()) };
    found.extend(all.map(|(name, _)| change(name)));
}

/// What one owner has of a kind.
pub(crate) fn owned_by<'f, T>(
    all: &'f Map<Id, Arc<T>>,
    owner: Option<&Name>,
) -> impl Iterator<Item = (&'f Id, &'f Arc<T>)> + use<'f, T> {
    let owner = owner.cloned();
    let from = all.after(|id| id.tenant < owner);
    from.take_while(move |(id, _)| id.tenant == owner)
}
