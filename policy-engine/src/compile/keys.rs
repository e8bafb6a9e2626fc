//! API keys in their shards.

use std::collections::HashMap;
use std::sync::Arc;

use super::people::People;
use super::{Build, bits};
use crate::facts::ModelGlob;
use crate::request::Caller;
use crate::snapshot::{KeyRow, key_shards, shard_of};
use crate::vocabulary::{Id, Kind, Name};

type Shards = Vec<Arc<HashMap<Box<str>, KeyRow>>>;

pub(super) fn compile(build: &mut Build<'_>, people: &People, models: &[Id]) -> (Shards, Vec<Box<[u64]>>) {
    let mut shards = key_shards();
    let mut narrowings = Narrowings { models, seen: HashMap::new(), sets: Vec::new() };
    let mut scope_keys: HashMap<&str, Arc<str>> = HashMap::new();
    for (public_id, key) in &build.facts.keys {
        let Some(caller) = caller_of(build, people, public_id) else { continue };
        let narrowed = (!key.models.is_empty()).then(|| narrowings.intern(&key.models));
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
fn caller_of(build: &mut Build<'_>, people: &People, public_id: &Name) -> Option<Caller> {
    let key = build.facts.keys.get(public_id)?;
    let id = Id::of(key.tenant.clone(), public_id.clone());
    let at = (Kind::Key, &id);
    let Some(tenant) = people.tenant_at.get(&key.tenant).copied() else {
        build.missing(at, "tenant", (Kind::Tenant, key.tenant.as_str()));
        return None;
    };
    let team = people.team_at.get(&(tenant, key.team.clone())).copied();
    let principal = people.principal_at.get(&(tenant, key.principal.clone())).copied();
    if team.is_none() {
        build.missing(at, "team", (Kind::Team, key.team.as_str()));
    }
    if principal.is_none() {
        build.missing(at, "principal", (Kind::Principal, key.principal.as_str()));
    }
    let (team, principal) = (team?, principal?);
    let role_set = people.principals.get(principal as usize).and_then(|p| p.roles_in(team));
    if role_set.is_none() && !key.revoked {
        let message = format!("`{}` is not in the team `{}`", key.principal, key.team);
        build.fault(at, "team", "conflict", message);
    }
    Some(Caller { tenant, team, principal, role_set: role_set?, narrowed: None })
}

struct Narrowings<'a> {
    models: &'a [Id],
    seen: HashMap<Vec<ModelGlob>, u32>,
    sets: Vec<Box<[u64]>>,
}

impl Narrowings<'_> {
    fn intern(&mut self, globs: &[ModelGlob]) -> u32 {
        if let Some(at) = self.seen.get(globs) {
            return *at;
        }
        let fits = self.models.iter().enumerate();
        let fits = fits.filter(|(_, id)| globs.iter().any(|g| g.matches(id.name.as_str()))).map(|(n, _)| n);
        let at = self.sets.len() as u32;
        self.sets.push(bits(self.models.len(), fits));
        self.seen.insert(globs.to_vec(), at);
        at
    }
}
