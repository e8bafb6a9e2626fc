//! The compiled snapshot: everything a request is judged by, as tables of rows that refer to each other by position.
//!
//! Law: immutable once built; every position in a row is valid in the same snapshot, because `compile` made both.
//! Absent on purpose: anything that changes per request, and any credential.

mod areas;
mod bits;
pub(crate) mod content;
mod limits;
mod people;
pub(crate) mod registry;
pub(crate) mod rows;
mod rulebook;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use areas::{areas_of, declared_areas_of};
pub(crate) use bits::has_bit;
pub use content::{ContentView, WordList};
pub(crate) use limits::Limits;
pub(crate) use people::People;
pub(crate) use registry::Registry;
pub use rows::{
    EndpointRow, KeyRow, LicenceRow, LimitRow, ModelRow, PrincipalRow, ProviderRow, RuleRow, TeamRow,
    TenantRow,
};
pub(crate) use rulebook::{Filed, HashedBy, RuleBucket, RuleTable};
pub(crate) use table::Table;

use crate::decision::{EndpointIx, LimitIx, ModelIx, RuleIx};
use crate::facts::{Facts, Map, ModelGlob};
use crate::request::Caller;
use crate::rules::condition::{Interner, Members, Symbol};
use crate::rules::roles::{RoleIndex, RoleSetIx};
use crate::shards::Shards;
use crate::vocabulary::{Action, Geo, Id, Name, Operation};

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The revision the facts belong to.
    pub revision: u64,
    /// The geo of the node; `None` where facts were not projected (the control plane's own check).
    pub geo: Option<Geo>,
}

/// Everything a request is judged by.
#[derive(Debug, Clone)]
pub struct CompiledSnapshot {
    /// What it was made from, so that the next can be made from what changed.
    pub(crate) facts: Facts,
    pub(crate) header: Header,
    pub(crate) symbols: Interner,
    pub(crate) geo_symbol: Option<Symbol>,
    /// The symbols of the operations, in the order of [`Operation::ALL`].
    pub(crate) operation_symbols: Vec<Symbol>,
    /// The names of the roles in each role set.
    pub(crate) role_symbols: Vec<Arc<[Symbol]>>,
    pub(crate) people: People,
    pub(crate) keys: Shards<Box<str>, KeyRow>,
    /// Revoked keys that refer to nobody, and so are left out.
    pub(crate) idle_keys: Map<Name, ()>,
    pub(crate) narrowings: Narrowings,
    pub(crate) roles: Arc<RoleIndex>,
    pub(crate) registry: Registry,
    pub(crate) rules: RuleTable,
    pub(crate) limits: Limits,
    pub(crate) content: ContentTable,
}

/// What keys are narrowed to, each list of patterns once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowings {
    pub(crate) sets: Table<Narrowing>,
}

/// The models that a key is narrowed to.
#[derive(Debug, Clone)]
pub(crate) struct Narrowing {
    /// As written.
    pub(crate) patterns: Arc<[ModelGlob]>,
    /// Those there are, as bits over their positions.
    pub(crate) models: Arc<[u64]>,
}

/// Content views: the platform's, and one for each tenant with guardrails or content rules of its own.
#[derive(Debug, Clone)]
pub(crate) struct ContentTable {
    pub(crate) platform: Arc<ContentView>,
    pub(crate) by_tenant: HashMap<u32, Arc<ContentView>>,
}

/// Whose a request is, by name.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'s> {
    /// The tenant.
    pub tenant: &'s TenantRow,
    /// The team the caller acts in.
    pub team: &'s TeamRow,
    /// The principal.
    pub principal: &'s PrincipalRow,
}

impl CompiledSnapshot {
    /// What this is a snapshot of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The row of an API key, by its public id.
    pub fn key(&self, public_id: &str) -> Option<&KeyRow> {
        self.keys.get(public_id)
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The caller that a principal is in a team; `None` where one of the names is unknown or the principal is not in the team.
    pub fn find_caller(&self, tenant: &Name, team: &Name, principal: &Name) -> Option<Caller> {
        let tenant = self.people.tenant(tenant)?;
        let team = self.people.team(Some(tenant), team)?;
        let principal = self.people.principal(Some(tenant), principal)?;
        let caller = Caller { tenant, team, principal, narrowed: None };
        self.role_set(caller).map(|_| caller)
    }

    /// Whose a caller's requests are.
    pub fn identity(&self, caller: Caller) -> Option<Identity<'_>> {
        Some(Identity {
            tenant: self.people.tenants.get(caller.tenant as usize)?,
            team: self.people.teams.get(caller.team as usize)?,
            principal: self.people.principals.get(caller.principal as usize)?,
        })
    }

    /// What a name or alias means to a caller: the tenant's own model of that name, else the platform's.
    pub fn find_model(&self, caller: Caller, name: &str) -> Option<ModelIx> {
        let own = self.registry.tenant_model_names.get(&caller.tenant).and_then(|names| names.get(name));
        own.or_else(|| self.registry.model_names.get(name)).map(|ix| ModelIx(*ix))
    }

    /// A model's row.
    pub fn model(&self, ix: ModelIx) -> Option<&ModelRow> {
        self.registry.models.get(ix.position())
    }

    /// All models, in the order of their positions.
    pub fn models(&self) -> impl Iterator<Item = (ModelIx, &ModelRow)> {
        self.registry.models.iter().enumerate().map(|(at, row)| (ModelIx(at as u32), row))
    }

    /// An endpoint's row.
    pub fn endpoint(&self, ix: EndpointIx) -> Option<&EndpointRow> {
        self.registry.endpoints.get(ix.position())
    }

    /// All endpoints, in the order of their positions.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointIx, &EndpointRow)> {
        self.registry.endpoints.iter().enumerate().map(|(at, row)| (EndpointIx(at as u32), row))
    }

    /// The tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantRow> {
        self.people.tenants.iter()
    }

    /// All providers, those without endpoints among them, in the order of their ids.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderRow> {
        self.registry.providers.iter()
    }

    /// The provider of an id.
    pub fn provider(&self, id: &Id) -> Option<&ProviderRow> {
        let at = registry::position(&self.registry.providers, id)?;
        self.registry.providers.get(at as usize)
    }

    /// The provider of an endpoint.
    pub fn provider_of(&self, endpoint: &EndpointRow) -> Option<&ProviderRow> {
        self.registry.providers.get(endpoint.provider as usize)
    }

    /// A limit's row.
    pub fn limit(&self, ix: LimitIx) -> Option<&LimitRow> {
        self.limits.rows.get(ix.position())
    }

    /// All limits, in the order of their positions.
    pub fn limits(&self) -> impl Iterator<Item = (LimitIx, &LimitRow)> {
        self.limits.rows.iter().enumerate().map(|(at, row)| (LimitIx(at as u32), row))
    }

    /// A rule's row.
    pub fn rule(&self, ix: RuleIx) -> Option<&RuleRow> {
        self.rules.rows.get(ix.position())
    }

    /// A licence's row, of a model that has one.
    pub fn licence_of(&self, model: &ModelRow) -> Option<&LicenceRow> {
        self.registry.licences.get(model.licence? as usize)
    }

    /// The detectors for what a caller sends and receives.
    pub fn content(&self, caller: Caller) -> Option<&Arc<ContentView>> {
        Some(self.content.by_tenant.get(&caller.tenant).unwrap_or(&self.content.platform))
    }

    /// The models a caller may see, in the order of their positions.
    pub fn visible_models(&self, caller: Caller) -> impl Iterator<Item = (ModelIx, &ModelRow)> {
        self.models().filter(move |(ix, row)| row.reaches(caller.tenant) && self.may_see(caller, *ix))
    }

    /// Whether a caller may know of a model: by a `view` grant or an `infer` grant for any operation.
    pub(crate) fn may_see(&self, caller: Caller, model: ModelIx) -> bool {
        let Some(set) = self.role_set(caller) else { return false };
        let may = |action, operation| self.roles.permits(set, action, operation, model.position());
        self.within_narrowing(caller, model)
            && Operation::ALL.iter().any(|op| may(Action::View, *op) || may(Action::Infer, *op))
    }

    /// Whether a caller may use a model for an operation, as far as roles and the key go.
    pub fn may_infer(&self, caller: Caller, operation: Operation, model: ModelIx) -> bool {
        self.within_narrowing(caller, model)
            && self
                .role_set(caller)
                .is_some_and(|set| self.roles.permits(set, Action::Infer, operation, model.position()))
    }

    /// What a caller's principal may do in its team.
    pub(crate) fn role_set(&self, caller: Caller) -> Option<RoleSetIx> {
        self.people.principals.get(caller.principal as usize)?.roles_in(caller.team)
    }

    pub(crate) fn role_symbols(&self, caller: Caller) -> Members<'_> {
        let set = self.role_set(caller).and_then(|set| self.role_symbols.get(set.position()));
        set.map_or(Members::Unknown, |symbols| Members::Known(symbols))
    }

    pub(crate) fn operation_symbol(&self, operation: Operation) -> Option<Symbol> {
        self.operation_symbols.get(operation as usize).copied()
    }

    pub(crate) fn within_narrowing(&self, caller: Caller, model: ModelIx) -> bool {
        let Some(set) = caller.narrowed else { return true };
        self.narrowings.sets.get(set as usize).is_some_and(|set| has_bit(&set.models, model.position()))
    }
}
