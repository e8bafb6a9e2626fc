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
    macro_rules! differ {
        ($($map:ident as $kind:ident),*) => {$({
            let unlike = unlike(&before.$map, &after.$map);
            found.extend(unlike.map(|id| Change { kind: Kind::$kind, id: id.clone() }));
        })*};
    }
    differ!(
        tenants as Tenant,
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
    );
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
