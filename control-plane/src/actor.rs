//! Who calls the admin API, and what they may do there.
//!
//! Law: Casbin decides, from the grants in force; who may do nothing with a thing does not learn whether it exists.
//! Absent on purpose: any rule of its own about who may do what, but that the platform's own token may do everything.

mod authenticate;
mod authorise;

pub use authenticate::{Authenticator, TokenDigest, token_digest};
pub(crate) use authorise::{absent, missing, owner};

use policy_engine::vocabulary::Name;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of a platform admin token, by the token's name.
    Platform(String),
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
}

impl Actor {
    /// The AIP name under which the audit log knows the actor.
    pub fn name(&self) -> String {
        match self {
            Self::Platform(name) => format!("platform/{name}"),
            Self::Principal { tenant, principal, .. } => format!("tenants/{tenant}/principals/{principal}"),
        }
    }

    /// The public id of the key that was used; empty for a platform token.
    pub fn key_id(&self) -> String {
        match self {
            Self::Platform(_) => String::new(),
            Self::Principal { key_id, .. } => key_id.to_string(),
        }
    }
}
