//! Facts: what the control plane was told, as plain validated data, before any of it is compiled.
//!
//! Law: a fact is complete in itself and knows nothing of others; that references hold is `compile`'s to prove.
//! Absent on purpose: secrets (a credential is a reference), wire types, anything computed.

mod change;
mod commerce;
mod map;
mod people;
mod registry;
mod rulebook;
pub mod template;
mod units;
mod users;

use std::sync::Arc;

pub use change::{Change, changes};
pub(crate) use change::{key_changes, key_in};
pub use commerce::{Amounts, Bound, Each, Limit, LimitScope, Price, PricePerMillion};
pub use map::{Iter, Map};
pub use people::{Grant, GrantSubject, Key, ModelGlob, Permission, Principal, Role, Staleness, Team, Tenant};
pub use registry::{
    AssumedRole, Auth, AwsSecret, Credential, Endpoint, Federation, Model, ModelCard, Provider, Route,
    RouteTarget, Terms, Timeouts, VaultSecret,
};
pub use rulebook::{
    Acceptance, Check, Guardrail, Licence, LicenceAcceptance, LicenceTerm, Obligation, Rule, Seats, Subject,
    Territory,
};
pub use units::{Label, Picture, PicturePrice, PricePerUnit, Units};

pub(crate) use users::{owned_by, users, users_but_keys};

use crate::vocabulary::{Id, Name};

/// Everything that is known, by kind and id. Entries are shared, so a changed copy costs what changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Organisations.
    pub tenants: Map<Id, Arc<Tenant>>,
    /// Units inside them.
    pub teams: Map<Id, Arc<Team>>,
    /// Users and services.
    pub principals: Map<Id, Arc<Principal>>,
    /// Sets of permissions.
    pub roles: Map<Id, Arc<Role>>,
    /// Roles given.
    pub grants: Map<Id, Arc<Grant>>,
    /// Vendors.
    pub providers: Map<Id, Arc<Provider>>,
    /// Deployments.
    pub endpoints: Map<Id, Arc<Endpoint>>,
    /// Licences.
    pub licences: Map<Id, Arc<Licence>>,
    /// Acceptances of licences.
    pub acceptances: Map<Id, Arc<LicenceAcceptance>>,
    /// Models with their routes.
    pub models: Map<Id, Arc<Model>>,
    /// Bounds.
    pub limits: Map<Id, Arc<Limit>>,
    /// Compliance rules.
    pub rules: Map<Id, Arc<Rule>>,
    /// Content checks.
    pub guardrails: Map<Id, Arc<Guardrail>>,
    /// Dated prices.
    pub prices: Map<Id, Arc<Price>>,
    /// API keys by public id, without their secrets.
    pub keys: Map<Name, Arc<Key>>,
}

/// Where a resource may travel: everywhere, or only to the geos it names.
pub type Geos = Vec<Name>;
