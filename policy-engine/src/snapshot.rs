//! The compiled snapshot: everything a request is judged by, as tables of rows that refer to each other by position.
//!
//! Law: immutable once built; every position in a row is valid in the same snapshot, because `compile` made both.
//! Absent on purpose: anything that changes per request, and any credential.

mod areas;
mod bits;
pub(crate) mod content;
pub(crate) mod rows;
mod rulebook;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use areas::{areas_of, declared_areas_of};
pub(crate) use bits::has_bit;
pub use content::{ContentView, WordList};
pub use rows::{
    EndpointRow, KeyRow, LicenceRow, LimitRow, ModelRow, PrincipalRow, ProviderRow, RuleRow, TeamRow,
    TenantRow,
};
pub(crate) use rulebook::{Map, RuleBucket, RuleTable};

use crate::decision::{EndpointIx, LimitIx, ModelIx, RuleIx};
use crate::request::Caller;
use crate::rules::condition::{Interner, Members, Symbol};
use crate::rules::roles::{RoleIndex, RoleSetIx};
use crate::vocabulary::{Action, Geo, Name, Operation};
use rows::SiteRow;

/// Number of copy-on-write shards the keys lie in, so that a change touches one.
const KEY_SHARDS: usize = 256;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The revision the facts belong to.
    pub revision: u64,
    /// The geo of the node; `None` where facts were not projected (the control plane's own check).
    pub geo: Option<Geo>,
}

/// Everything a request is judged by.
#[derive(Debug)]
pub struct CompiledSnapshot {
    pub(crate) header: Header,
    pub(crate) symbols: Interner,
    pub(crate) geo_symbol: Option<Symbol>,
    /// The symbols of the operations, in the order of [`Operation::ALL`].
    pub(crate) operation_symbols: Vec<Symbol>,
    /// The names of the roles in each role set.
    pub(crate) role_symbols: Vec<Box<[Symbol]>>,
    pub(crate) tenants: Vec<TenantRow>,
    pub(crate) teams: Vec<TeamRow>,
    pub(crate) principals: Vec<PrincipalRow>,
    pub(crate) people: HashMap<(u32, Name), u32>,
    pub(crate) team_names: HashMap<(u32, Name), u32>,
    pub(crate) tenant_names: HashMap<Name, u32>,
    pub(crate) keys: Vec<Arc<HashMap<Box<str>, KeyRow>>>,
    /// Sets of models that keys are narrowed to, as bits over models.
    pub(crate) narrowings: Vec<Box<[u64]>>,
    pub(crate) roles: RoleIndex,
    pub(crate) providers: Vec<ProviderRow>,
    pub(crate) endpoints: Vec<EndpointRow>,
    /// What each endpoint is asked by, in the order of the endpoints.
    pub(crate) sites: Vec<SiteRow>,
    pub(crate) licences: Vec<LicenceRow>,
    pub(crate) models: Vec<ModelRow>,
    /// Names and aliases of the platform's models, then of each tenant's own.
    pub(crate) model_names: HashMap<Box<str>, u32>,
    pub(crate) tenant_model_names: HashMap<u32, HashMap<Box<str>, u32>>,
    pub(crate) rules: RuleTable,
    pub(crate) limits: Vec<LimitRow>,
    pub(crate) limit_index: LimitIndex,
    pub(crate) content: ContentTable,
}

/// Limits under the narrowest part of their scope.
#[derive(Debug, Default)]
pub(crate) struct LimitIndex {
    pub(crate) by_key: HashMap<Box<str>, Vec<u32>>,
    pub(crate) by_principal: HashMap<u32, Vec<u32>>,
    pub(crate) by_team: HashMap<u32, Vec<u32>>,
    pub(crate) by_tenant: HashMap<u32, Vec<u32>>,
    pub(crate) platform: Vec<u32>,
}

/// Content views: the platform's, and one for each tenant with guardrails or content rules of its own.
#[derive(Debug)]
pub(crate) struct ContentTable {
    pub(crate) views: Vec<Arc<ContentView>>,
    pub(crate) by_tenant: HashMap<u32, u32>,
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
        self.keys.get(shard_of(public_id)).and_then(|shard| shard.get(public_id))
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.iter().map(|shard| shard.len()).sum()
    }

    /// The caller that a principal is in a team; `None` where one of the names is unknown or the principal is not in the team.
    pub fn find_caller(&self, tenant: &Name, team: &Name, principal: &Name) -> Option<Caller> {
        let tenant = *self.tenant_names.get(tenant)?;
        let team = *self.team_names.get(&(tenant, team.clone()))?;
        let principal = *self.people.get(&(tenant, principal.clone()))?;
        let row = self.principals.get(principal as usize)?;
        let role_set = row.roles_in(team)?;
        Some(Caller { tenant, team, principal, role_set, narrowed: None })
    }

    /// Whose a caller's requests are.
    pub fn identity(&self, caller: Caller) -> Option<Identity<'_>> {
        Some(Identity {
            tenant: self.tenants.get(caller.tenant as usize)?,
            team: self.teams.get(caller.team as usize)?,
            principal: self.principals.get(caller.principal as usize)?,
        })
    }

    /// What a name or alias means to a caller: the tenant's own model of that name, else the platform's.
    pub fn find_model(&self, caller: Caller, name: &str) -> Option<ModelIx> {
        let own = self.tenant_model_names.get(&caller.tenant).and_then(|names| names.get(name));
        own.or_else(|| self.model_names.get(name)).map(|ix| ModelIx(*ix))
    }

    /// A model's row.
    pub fn model(&self, ix: ModelIx) -> Option<&ModelRow> {
        self.models.get(ix.position())
    }

    /// An endpoint's row.
    pub fn endpoint(&self, ix: EndpointIx) -> Option<&EndpointRow> {
        self.endpoints.get(ix.position())
    }

    /// All endpoints, in the order of their positions.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointIx, &EndpointRow)> {
        self.endpoints.iter().enumerate().map(|(at, row)| (EndpointIx(at as u32), row))
    }

    /// The provider of an endpoint.
    pub fn provider_of(&self, endpoint: &EndpointRow) -> Option<&ProviderRow> {
        self.providers.get(endpoint.provider as usize)
    }

    /// A limit's row.
    pub fn limit(&self, ix: LimitIx) -> Option<&LimitRow> {
        self.limits.get(ix.position())
    }

    /// All limits, in the order of their positions.
    pub fn limits(&self) -> impl Iterator<Item = (LimitIx, &LimitRow)> {
        self.limits.iter().enumerate().map(|(at, row)| (LimitIx(at as u32), row))
    }

    /// A rule's row.
    pub fn rule(&self, ix: RuleIx) -> Option<&RuleRow> {
        self.rules.rows.get(ix.position())
    }

    /// A licence's row, of a model that has one.
    pub fn licence_of(&self, model: &ModelRow) -> Option<&LicenceRow> {
        self.licences.get(model.licence? as usize)
    }

    /// The detectors for what a caller sends and receives.
    pub fn content(&self, caller: Caller) -> Option<&Arc<ContentView>> {
        let at = self.content.by_tenant.get(&caller.tenant).copied().unwrap_or(0);
        self.content.views.get(at as usize)
    }

    /// The models a caller may see, in the order of their positions.
    pub fn visible_models(&self, caller: Caller) -> impl Iterator<Item = (ModelIx, &ModelRow)> {
        let rows = self.models.iter().enumerate().map(|(at, row)| (ModelIx(at as u32), row));
        rows.filter(move |(ix, row)| row.reaches(caller.tenant) && self.may_see(caller, *ix))
    }

    /// Whether a caller may know of a model: by a `view` grant or an `infer` grant for any operation.
    pub(crate) fn may_see(&self, caller: Caller, model: ModelIx) -> bool {
        let may =
            |action, operation| self.roles.permits(caller.role_set, action, operation, model.position());
        self.within_narrowing(caller, model)
            && Operation::ALL.iter().any(|op| may(Action::View, *op) || may(Action::Infer, *op))
    }

    /// Whether a caller may use a model for an operation, as far as roles and the key go.
    pub fn may_infer(&self, caller: Caller, operation: Operation, model: ModelIx) -> bool {
        self.within_narrowing(caller, model)
            && self.roles.permits(caller.role_set, Action::Infer, operation, model.position())
    }

    pub(crate) fn role_symbols(&self, set: RoleSetIx) -> Members<'_> {
        self.role_symbols.get(set.position()).map_or(Members::Unknown, |symbols| Members::Known(symbols))
    }

    pub(crate) fn operation_symbol(&self, operation: Operation) -> Option<Symbol> {
        self.operation_symbols.get(operation as usize).copied()
    }

    pub(crate) fn within_narrowing(&self, caller: Caller, model: ModelIx) -> bool {
        let Some(set) = caller.narrowed else { return true };
        self.narrowings.get(set as usize).is_some_and(|bits| has_bit(bits, model.position()))
    }
}

/// The shard a key lies in; FNV-1a, so that it is the same on every machine.
pub(crate) fn shard_of(public_id: &str) -> usize {
    let hash = public_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash % KEY_SHARDS as u64) as usize
}

/// Empty shards.
pub(crate) fn key_shards() -> Vec<HashMap<Box<str>, KeyRow>> {
    (0..KEY_SHARDS).map(|_| HashMap::new()).collect()
}
