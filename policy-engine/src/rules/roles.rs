//! Roles: who may do what, where. RBAC with domains, in Casbin's terms.
//!
//! Law: nothing is allowed unless a grant gives it, and taking a grant, a role or a line away never allows more.
//! Absent on purpose: denials (rules forbid, roles do not), geos (projection has already dropped what is not here),
//! and whether a name means this model or that (a caller's name is resolved before it comes here).
//!
//! # The model
//! A request is *subject, domain, object, action, operation*. Every fact becomes lines of a Casbin policy
//! ([`policy_lines`]); Casbin over those lines (`roles_casbin.rs`, a feature) is the truth, authorises admin calls and
//! is the oracle that [`RoleIndex`], which answers for requests, is proved equal to.
//!
//! | fact | line | holds in the domain |
//! |---|---|---|
//! | a role's permission, a glob and an operation | `p, role:acme/chat, acme/*, model:sim-*, infer, chat` | its tenant's; a platform role's: all |
//! | a role inherits another | `g, role:acme/chat, role:/viewer, acme/*` | its tenant's; a platform role's: all |
//! | a grant in a team | `g, team:acme/research, role:/chat, acme/research` | that team's |
//! | a grant without a team | `g, principal:acme/ada, role:/chat, acme/*` | every team's of the tenant, and the tenant's own |
//! | a grant of the platform | `g, principal:/root, role:/admin, *` | all |
//!
//! # Domains
//! `acme/research` is a team at work, `acme/` the tenant as a whole, `/` the platform. A request to a model comes from
//! a team. An admin call on what belongs to a tenant as a whole is asked in `acme/`, where a grant made in one team
//! does not hold: to administer `research` is not to administer `acme`.
//!
//! # Subjects
//! A caller acts as itself, as each team its principal lists, and as each group its principal lists; what any of them
//! may do, it may do. Acting in a team's domain does not make anybody a member of that team. Subjects are of one
//! tenant or of the platform, and a grant reaches only subjects of its own: groups and principals of the same name in
//! another tenant are other subjects.
//!
//! # Names
//! A role named in a tenant's grant or role is the tenant's own of that name, else the platform's; a platform role
//! knows only platform roles. A reference to nothing gives nothing (`compile` reports it). Circles of inheritance mean
//! that all their roles have all their permissions.
//!
//! # Objects
//! A model is visible in a tenant's domains if it is the platform's or the tenant's own; globs match its name, never
//! an alias. `infer` does not imply `view`. No models listed: none. No operations listed: all. For the admin actions
//! the object is a kind by its plural (`teams`), no resources listed means all, and operations mean nothing.
//! `write` does not imply `read`.

mod bits;
mod domain;
mod index;
mod lines;
mod matched;

pub use domain::{Access, Domain, Subject, subjects};
pub use index::{RoleIndex, RoleSetIx};
pub use lines::{Line, policy_lines};
pub use matched::{MatchedGrant, matched_grants};

#[cfg(test)]
mod tests;
