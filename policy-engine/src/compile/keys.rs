//! API keys in their shards.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Build, ModelSets};
use crate::facts::{Key, Map, ModelGlob};
use crate::request::Caller;
use crate::shards::Shards;
use crate::snapshot::{KeyRow, Narrowing, Narrowings, People};
use crate::vocabulary::{Id, Kind, Name};

/// The keys' tables while they are built.
pub(crate) struct Keys<'a> {
    pub(crate) people: &'a People,
    pub(crate) models: &'a mut ModelSets,
    pub(crate) rows: Shards<Box<str>, KeyRow>,
    pub(crate) idle: Map<Name, ()>,
    pub(crate) narrowings: Narrowings,
    /// Looked up when the first key asks.
    by_patterns: Option<HashMap<Arc<[ModelGlob]>, u32>>,
    scope_keys: HashMap<String, Arc<str>>,
}

pub(super) fn compile<'a>(build: &mut Build<'_>, people: &'a People, models: &'a mut ModelSets) -> Keys<'a> {
    let mut keys = Keys::new(people, models, Narrowings::default());
    let facts = build.facts;
    facts.keys.iter().for_each(|(public_id, key)| keys.put(build, public_id, key));
    keys
}

impl<'a> Keys<'a> {
    /// No keys yet.
    pub(crate) fn new(people: &'a People, models: &'a mut ModelSets, narrowings: Narrowings) -> Self {
        Self {
            people,
            models,
            rows: Shards::default(),
            idle: Map::default(),
            narrowings,
            by_patterns: None,
            scope_keys: HashMap::new(),
        }
    }

    /// Enters a key, or notes what is wrong with it. A revoked key that refers to nobody any more is left out: it opens nothing
    /// either way.
    pub(crate) fn put(&mut self, build: &mut Build<'_>, public_id: &Name, key: &Key) {
        let Some(caller) = self.caller_of(build, (public_id, key)) else {
            self.rows.remove(public_id.as_str());
            if key.revoked {
                self.idle.insert(public_id.clone(), ());
            }
            return;
        };
        let narrowed = (!key.models.is_empty()).then(|| self.narrow(&key.models));
        let scope_key = match self.scope_keys.get(&key.scope_key) {
            Some(known) => known.clone(),
            None => {
                let new: Arc<str> = Arc::from(key.scope_key.as_str());
                self.scope_keys.insert(key.scope_key.clone(), new.clone());
                new
            }
        };
        let row = KeyRow {
            mac: key.mac,
            scope_key,
            expires: key.expires,
            revoked: key.revoked,
            caller: Caller { narrowed, ..caller },
        };
        self.rows.insert(Box::from(public_id.as_str()), row);
        self.idle.remove(public_id);
    }

    /// Takes out a key.
    pub(crate) fn remove(&mut self, public_id: &Name) {
        self.rows.remove(public_id.as_str());
        self.idle.remove(public_id);
    }

    /// The caller a key makes; a key whose principal left its team is a fault, since nothing would tell its owner otherwise.
    fn caller_of(&self, build: &mut Build<'_>, key: (&Name, &Key)) -> Option<Caller> {
        let (people, (public_id, key)) = (self.people, key);
        let tenant = people.tenant(&key.tenant);
        let team = people.team(tenant, &key.team);
        let principal = people.principal(tenant, &key.principal);
        let role_set = principal.and_then(|p| people.principals.get(p as usize)).zip(team);
        let role_set = role_set.and_then(|(principal, team)| principal.roles_in(team));
        if let (Some(tenant), Some(team), Some(principal), Some(_)) = (tenant, team, principal, role_set) {
            return Some(Caller { tenant, team, principal, narrowed: None });
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

    fn narrow(&mut self, patterns: &[ModelGlob]) -> u32 {
        let sets = &mut self.narrowings.sets;
        let known = || sets.iter().map(|set| set.patterns.clone()).zip(0..).collect();
        let known = self.by_patterns.get_or_insert_with(known);
        if let Some(at) = known.get(patterns) {
            return *at;
        }
        let patterns: Arc<[ModelGlob]> = patterns.into();
        let at =
            sets.push(Narrowing { patterns: patterns.clone(), models: self.models.of(&patterns).into() });
        known.insert(patterns, at);
        at
    }
}
