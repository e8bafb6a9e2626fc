//! What the rules are made of: places, conditions and roles, each compiled once and asked often.

pub mod condition;
pub mod geo;
pub mod roles;
#[cfg(feature = "casbin")]
pub mod roles_casbin;
