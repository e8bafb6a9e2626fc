//! Who calls the admin API, and what they may do there.
//!
//! Law: Casbin decides, from the grants in force; who may do nothing with a thing does not learn whether it exists.
//! Absent on purpose: any rule of its own about who may do what, but three about the platform's own tokens: an administrator's may do
//! everything, an auditor's may look at what is in its scope, and rights that were taken for a while reach as far as their holder's scope.

mod authenticate;
mod authorise;
mod scope;

pub use authenticate::{Authenticator, Role, TokenDigest, token_digest};
pub(crate) use authorise::{absent, missing, owner};
pub use scope::Scope;

use policy_engine::vocabulary::Name;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of a platform admin token, by the token's name.
    Platform(String),
    /// The holder of a platform auditor's token.
    Auditor {
        /// The token's name.
        name: String,
        /// What it may look at.
        scope: Scope,
    },
    /// The principal an API key acts for.
    Principal {
        /// The tenant.
        tenant: Name,
        /// The principal.
        principal: Name,
        /// The team the key acts in.
        team: Name,
        /// The key's public id.
        key_id: Name,
    },
    /// Somebody who took the platform's rights for a while.
    Elevated {
        /// Who.
        holder: Box<Actor>,
        /// AIP name of the elevation.
        elevation: String,
    },
}

impl Actor {
    /// The AIP name under which the audit log knows the actor.
    pub fn name(&self) -> String {
        match self {
            Self::Platform(name) | Self::Auditor { name, .. } => format!("platform/{name}"),
            Self::Principal { tenant, principal, .. } => format!("tenants/{tenant}/principals/{principal}"),
            Self::Elevated { holder, .. } => holder.name(),
        }
    }

    /// The public id of the key that was used; empty for a platform token.
    pub fn key_id(&self) -> String {
        match self {
            Self::Platform(_) | Self::Auditor { .. } => String::new(),
            Self::Principal { key_id, .. } => key_id.to_string(),
            Self::Elevated { holder, .. } => holder.key_id(),
        }
    }

    /// A tenant of its own, where it is not of the whole platform.
    pub(crate) fn own_tenant(&self) -> Option<&Name> {
        match self {
            Self::Principal { tenant, .. } => Some(tenant),
            _ => self.scope().and_then(|scope| scope.tenants.first()),
        }
    }

    /// What it is narrowed to, where it is by its token.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Auditor { scope, .. } => Some(scope),
            Self::Elevated { holder, .. } => holder.scope(),
            Self::Platform(_) | Self::Principal { .. } => None,
        }
    }

    /// AIP name of the elevation under which it acts; empty where it acts under none.
    pub(crate) fn elevation(&self) -> &str {
        match self {
            Self::Elevated { elevation, .. } => elevation,
            _ => "",
        }
    }
}
