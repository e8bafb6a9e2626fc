//! The projection of changed facts, from that of the facts before.
//!
//! Law: equal to `project` of the changed facts, and the changes it tells are all in which the two projections differ.
//!
//! A resource is narrowed again if it changed, or if one that it may name came or went, in the facts or in the projection; by
//! nothing else can its projection change. Who may name one is found by a walk over all that might, so that of many changes the whole
//! is made and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::narrowing::Narrowing;
use super::{Scope, project};
use crate::facts::{Change, Facts, changes as differing, key_changes, key_in, users};
use crate::vocabulary::{Id, Kind, Name};

/// Facts before and after some changes.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'f> {
    /// Before.
    pub before: &'f Facts,
    /// After; they differ from those before in the changes alone.
    pub after: &'f Facts,
}

/// So many changes of what others name are made one by one: each is a walk over everything that may name it, and the whole is one walk
/// that narrows and compares everything.
const FEW: usize = 32;

/// What `project(after, scope)` gives, made from the projection of the facts before; and in what the two projections differ.
pub fn project_changes(
    projected: &Facts,
    facts: Versions<'_>,
    scope: &Scope,
    changes: &[Change],
) -> (Facts, Vec<Change>) {
    let Versions { before, after } = facts;
    if changes.iter().filter(|change| is_named(change.kind)).nth(FEW).is_some() {
        let out = project(after, scope);
        let differences = differing(projected, &out);
        return (out, differences);
    }
    let mut out = projected.clone();
    let mut open = Open::of(changes);
    let mut differences = Vec::new();
    macro_rules! narrow {
        ($($map:ident as $kind:ident by $one:ident),*) => {$({
            while let Some(id) = open.next(Kind::$kind) {
                let key = key_in(&after.$map, &id);
                let narrowed = {
                    let narrowing = Narrowing { facts: after, out: &out, scope };
                    after.$map.get(key).and_then(|fact| narrowing.$one(key, fact))
                };
                let held = out.$map.get(key);
                let flipped = before.$map.contains_key(key) != after.$map.contains_key(key);
                let change = Change { kind: Kind::$kind, id: id.clone() };
                if flipped || held.is_some() != narrowed.is_some() {
                    open.note(users(after, &change));
                    // A key that went from one tenant to another may be named by what either owns.
                    let moved = if change.kind == Kind::Key { key_changes((before, after), &id.name) } else { vec![] };
                    moved.iter().for_each(|change| open.note(users(after, change)));
                }
                match narrowed {
                    Some(new) if held.is_some_and(|held| Arc::ptr_eq(held, &new) || *held == new) => continue,
                    Some(new) => drop(out.$map.insert(key.clone(), new)),
                    None if held.is_none() => continue,
                    None => drop(out.$map.remove(key)),
                }
                differences.push(change);
            }
        })*};
    }
    in_order!(narrow);
    let (keys, mut differences): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|c| c.kind == Kind::Key);
    let keys: BTreeSet<Name> = keys.into_iter().map(|change| change.id.name).collect();
    differences.extend(keys.iter().flat_map(|name| key_changes((projected, &out), name)));
    (out, differences)
}

/// Whether many others may name one of these.
fn is_named(kind: Kind) -> bool {
    match kind {
        Kind::Tenant | Kind::Team | Kind::Principal | Kind::Role | Kind::Provider => true,
        Kind::Endpoint | Kind::Licence | Kind::Model => true,
        Kind::Grant | Kind::LicenceAcceptance | Kind::Key | Kind::Limit => false,
        Kind::Rule | Kind::Guardrail | Kind::Price => false,
    }
}

/// What is still to be narrowed again, and what has been.
struct Open(BTreeMap<Kind, (BTreeSet<Id>, BTreeSet<Id>)>);

impl Open {
    fn of(changes: &[Change]) -> Self {
        let mut open = Self(BTreeMap::new());
        open.note(changes.to_vec());
        open
    }

    fn note(&mut self, changes: Vec<Change>) {
        for change in changes {
            let (waiting, done) = self.0.entry(change.kind).or_default();
            if !done.contains(&change.id) {
                waiting.insert(change.id);
            }
        }
    }

    fn next(&mut self, kind: Kind) -> Option<Id> {
        let (waiting, done) = self.0.get_mut(&kind)?;
        let next = waiting.pop_first()?;
        done.insert(next.clone());
        Some(next)
    }
}
