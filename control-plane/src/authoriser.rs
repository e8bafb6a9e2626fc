//! The grants in force, as Casbin evaluates them: who may do what with governed resources.
//!
//! Law: Casbin decides, and where it can't nothing is allowed.

use std::fmt;
use std::sync::Arc;

use policy_engine::facts::Facts;
use policy_engine::rules::roles::{Access, Domain};
use policy_engine::rules::roles_casbin::CasbinAuthoriser;
use policy_engine::vocabulary::{Id, Kind};

use crate::registry::Registry;

/// Kinds that decide who may do what: where none of them changed, nor did the answer.
const DECIDING: [Kind; 5] = [Kind::Tenant, Kind::Team, Kind::Principal, Kind::Role, Kind::Grant];

/// The grants in force, as Casbin knows them.
pub struct Authoriser {
    /// `None` where Casbin could not be set up: then only the platform's own token may do anything.
    casbin: Option<CasbinAuthoriser>,
}

impl fmt::Debug for Authoriser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authoriser")
    }
}

impl Authoriser {
    /// The grants of these facts.
    pub fn new(facts: &Facts) -> Self {
        let casbin = CasbinAuthoriser::new(facts).inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "no grant can be read")
        });
        Self { casbin: casbin.ok() }
    }

    /// The grants after a publication; those before, where no deciding kind changed.
    pub(crate) fn after(self: &Arc<Self>, before: &Registry, now: &Registry, facts: &Facts) -> Arc<Self> {
        let same = |kind: &Kind| before.kind_digest(*kind) == now.kind_digest(*kind);
        if DECIDING.iter().all(same) { self.clone() } else { Arc::new(Self::new(facts)) }
    }

    /// Whether a principal is allowed access in a domain.
    pub fn permits(&self, facts: &Facts, caller: &Id, domain: &Domain, access: &Access<'_>) -> bool {
        let (Some(casbin), Some(principal)) = (&self.casbin, facts.principals.get(caller)) else {
            return false;
        };
        casbin.enforce(domain, (caller, principal), access).unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a grant could not be evaluated");
            false
        })
    }
}
