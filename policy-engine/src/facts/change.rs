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

/// Every resource in which `before` and `after` differ, by kind and id. Costs a walk over all that the two do not share.
pub fn changes(before: &Facts, after: &Facts) -> Vec<Change> {
    let mut found = Vec::new();
    let same = |id: &Id| id.clone();
    differ(Kind::Tenant, (&before.tenants, &after.tenants), same, &mut found);
    differ(Kind::Team, (&before.teams, &after.teams), same, &mut found);
    differ(Kind::Principal, (&before.principals, &after.principals), same, &mut found);
    differ(Kind::Role, (&before.roles, &after.roles), same, &mut found);
    differ(Kind::Grant, (&before.grants, &after.grants), same, &mut found);
    differ(Kind::Provider, (&before.providers, &after.providers), same, &mut found);
    differ(Kind::Endpoint, (&before.endpoints, &after.endpoints), same, &mut found);
    differ(Kind::Licence, (&before.licences, &after.licences), same, &mut found);
    differ(Kind::LicenceAcceptance, (&before.acceptances, &after.acceptances), same, &mut found);
    differ(Kind::Model, (&before.models, &after.models), same, &mut found);
    differ(Kind::Limit, (&before.limits, &after.limits), same, &mut found);
    differ(Kind::Rule, (&before.rules, &after.rules), same, &mut found);
    differ(Kind::Guardrail, (&before.guardrails, &after.guardrails), same, &mut found);
    differ(Kind::Price, (&before.prices, &after.prices), same, &mut found);
    let key = |name: &Name| {
        let key = after.keys.get(name).or_else(|| before.keys.get(name));
        Id { tenant: key.map(|key| key.tenant.clone()), name: name.clone() }
    };
    differ(Kind::Key, (&before.keys, &after.keys), key, &mut found);
    found
}

fn differ<K: Ord + Clone, T: PartialEq>(
    kind: Kind,
    maps: (&Map<K, Arc<T>>, &Map<K, Arc<T>>),
    id: impl Fn(&K) -> Id,
    found: &mut Vec<Change>,
) {
    let (before, after) = maps;
    let gone = before.unshared(after).filter(|(key, _)| !after.contains_key(key)).map(|(key, _)| key);
    let new = after
        .unshared(before)
        .filter(|(key, fact)| before.get(key).is_none_or(|old| !Arc::ptr_eq(old, fact) && old != *fact));
    found.extend(gone.chain(new.map(|(key, _)| key)).map(|key| Change { kind, id: id(key) }));
}
