//! API keys in their shards.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Build, ModelSets};
use super::people::People;
use crate::facts::{Key, ModelGlob};
use crate::request::Caller;
use crate::snapshot::{KeyRow, key_shards, shard_of};
use crate::vocabulary::{Id, Kind, Name};

type Shards = Vec<Arc<HashMap<Box<str>, KeyRow>>>;

pub(super) fn compile(
    build: &mut Build<'_>,
    people: &People,
    models: &mut ModelSets<'_>,
) -> (Shards, Vec<Box<[u64]>>) {
    let facts = build.facts;
    let mut shards = key_shards();
    let mut narrowings = Narrowings::default();
    let mut scope_keys: HashMap<&str, Arc<str>> = HashMap::new();
    for (public_id, key) in &facts.keys {
        let Some(caller) = caller_of(build, people, (public_id, key)) else { continue };
        let narrowed = (!key.models.is_empty()).then(|| narrowings.intern(models, &key.models));
        let scope_key = scope_keys.entry(&key.scope_key).or_insert_with(|| Arc::from(key.scope_key.as_str()));
        let row = KeyRow {
            mac: key.mac,
            scope_key: scope_key.clone(),
            expires: key.expires,
            revoked: key.revoked,
            caller: Caller { narrowed, ..caller },
        };
        if let Some(shard) = shards.get_mut(shard_of(public_id.as_str())) {
            shard.insert(Box::from(public_id.as_str()), row);
        }
    }
    (shards.into_iter().map(Arc::new).collect(), narrowings.sets)
}

/// The caller a key makes; a key whose principal left its team is a fault, since nothing would tell its owner otherwise.
/// A revoked key that refers to nobody any more is left out: it opens nothing either way.
fn caller_of(build: &mut Build<'_>, people: &People, key: (&Name, &Key)) -> Option<Caller> {
    let (public_id, key) = key;
    let tenant = people.tenant_at.get(&key.tenant).copied();
    let team = tenant.and_then(|t| people.team_at.get(&(t, key.team.clone()))).copied();
    let principal = tenant.and_then(|t| people.principal_at.get(&(t, key.principal.clone()))).copied();
    let role_set = principal.and_then(|p| people.principals.get(p as usize)).zip(team);
    let role_set = role_set.and_then(|(principal, team)| principal.roles_in(team));
    if let (Some(tenant), Some(team), Some(principal), Some(role_set)) = (tenant, team, principal, role_set) {
        return Some(Caller { tenant, team, principal, role_set, narrowed: None });
    }
    if key.revoked {
        return None;
    }
    let id = Id::of(key.tenant.clone(), public_id.clone());
    let at = (Kind::Key, &id);
    if tenant.is_none() {
        build.missing(at, "tenant", (Kind::Tenant, key.tenant.as_str()));
        return None;
    }
    if team.is_none() {
        build.missing(at, "team", (Kind::Team, key.team.as_str()));
    }
    if principal.is_none() {
        build.missing(at, "principal", (Kind::Principal, key.principal.as_str()));
    }
    if team.is_some() && principal.is_some() {
        let message = format!("`{}` is not in the team `{}`", key.principal, key.team);
        build.fault(at, "team", "conflict", message);
    }
    None
}

/// Sets of models that keys are narrowed to, each once.
#[derive(Default)]
struct Narrowings {
    by_patterns: HashMap<Box<[ModelGlob]>, u32>,
    by_bits: HashMap<Box<[u64]>, u32>,
    sets: Vec<Box<[u64]>>,
}

impl Narrowings {
    fn intern(&mut self, models: &mut ModelSets<'_>, patterns: &[ModelGlob]) -> u32 {
        if let Some(at) = self.by_patterns.get(patterns) {
            return *at;
        }
        let set = models.of(patterns);
        let at = *self.by_bits.entry(set).or_insert_with_key(|set| {
            self.sets.push(set.clone());
            (self.sets.len() - 1) as u32
        });
        self.by_patterns.insert(patterns.into(), at);
        at
    }
}
