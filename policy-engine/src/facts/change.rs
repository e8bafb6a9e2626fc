//! In what two sets of facts differ.
//!
//! Law: a list of changes names every resource that is in one of them alone, or in both with different content.

use std::sync::Arc;

use super::{Facts, Map};
use crate::vocabulary::{Id, Kind, Name};

/// One resource in which two sets of facts differ. A key's id is its tenant and its public id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// The resource.
    pub id: Id,
}

/// The key under which the map of one kind keeps a resource.
pub(crate) trait Keyed<K> {
    /// That key.
    fn key(&self) -> &K;
}

impl Keyed<Id> for Id {
    fn key(&self) -> &Id {
        self
    }
}

impl Keyed<Name> for Id {
    fn key(&self) -> &Name {
        &self.name
    }
}

/// The key of a resource in this map.
pub(crate) fn key_in<'i, K, V>(_: &Map<K, V>, id: &'i Id) -> &'i K
where
    Id: Keyed<K>,
{
    id.key()
}

/// Every resource in which `before` and `after` differ, by kind and id. Costs a walk over all that the two do not share.
pub fn changes(before: &Facts, after: &Facts) -> Vec<Change> {
    let mut found = Vec::new();
    differ(Kind::Tenant, (&before.tenants, &after.tenants), &mut found);
    differ(Kind::Team, (&before.teams, &after.teams), &mut found);
    differ(Kind::Principal, (&before.principals, &after.principals), &mut found);
    differ(Kind::Role, (&before.roles, &after.roles), &mut found);
    differ(Kind::Grant, (&before.grants, &after.grants), &mut found);
    differ(Kind::Provider, (&before.providers, &after.providers), &mut found);
    differ(Kind::Endpoint, (&before.endpoints, &after.endpoints), &mut found);
    differ(Kind::Licence, (&before.licences, &after.licences), &mut found);
    differ(Kind::LicenceAcceptance, (&before.acceptances, &after.acceptances), &mut found);
    differ(Kind::Model, (&before.models, &after.models), &mut found);
    differ(Kind::Limit, (&before.limits, &after.limits), &mut found);
    differ(Kind::Rule, (&before.rules, &after.rules), &mut found);
    differ(Kind::Guardrail, (&before.guardrails, &after.guardrails), &mut found);
    differ(Kind::Price, (&before.prices, &after.prices), &mut found);
    let keys = unlike(&before.keys, &after.keys);
    found.extend(keys.flat_map(|name| key_changes((before, after), name)));
    found
}

/// A key in which facts before and after differ: two resources where it went from one tenant to another.
pub(crate) fn key_changes((before, after): (&Facts, &Facts), name: &Name) -> Vec<Change> {
    let of = |facts: &Facts| facts.keys.get(name).map(|key| Id::of(key.tenant.clone(), name.clone()));
    let (gone, new) = (of(before), of(after));
    let gone = gone.filter(|gone| Some(gone) != new.as_ref());
    gone.into_iter().chain(new).map(|id| Change { kind: Kind::Key, id }).collect()
}

fn differ<T: PartialEq>(
    kind: Kind,
    (before, after): (&Map<Id, Arc<T>>, &Map<Id, Arc<T>>),
    found: &mut Vec<Change>,
) {
    found.extend(unlike(before, after).map(|id| Change { kind, id: id.clone() }));
}

/// The keys at which two maps differ; what they share is passed over.
fn unlike<'m, K: Ord, T: PartialEq>(
    before: &'m Map<K, Arc<T>>,
    after: &'m Map<K, Arc<T>>,
) -> impl Iterator<Item = &'m K> {
    let gone = before.unshared(after).filter(|(key, _)| !after.contains_key(*key));
    let is_new = |(key, fact): &(&K, &Arc<T>)| {
        before.get(*key).is_none_or(|old| !Arc::ptr_eq(old, fact) && old != *fact)
    };
    let gone = gone.map(|(key, _)| key);
    gone.chain(after.unshared(before).filter(is_new).map(|(key, _)| key))
}
