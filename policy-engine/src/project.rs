//! What a node of one geo may hold: facts narrowed to a scope.
//!
//! Law: nothing that names other geos gets in, nothing in it refers to what stayed out, and narrowing never widens: a
//! reference is resolved among *all* facts first, so that a thing left out is never replaced by another of its name.
//!
//! | what refers | to something left out | outcome |
//! |---|---|---|
//! | anything of a tenant | tenant | left out |
//! | principal, guardrail | team | the team is taken off its list; a guardrail left without any is left out |
//! | role | role it inherits | taken off its list; who has a role in another scope alone has it not in this one |
//! | grant, key, acceptance, limit, price | any | left out |
//! | endpoint | provider | left out |
//! | model | endpoint | the target is taken off its route; the model stays, and without targets answers `no_endpoint` |
//! | model | licence | left out: its terms could not be kept |

/// The kinds in the order in which they are narrowed, each after those it refers to.
macro_rules! in_order {
    ($act:ident) => {
        $act!(
            tenants as Tenant by tenant, teams as Team by team, principals as Principal by principal,
            roles as Role by role, grants as Grant by grant, providers as Provider by provider,
            endpoints as Endpoint by endpoint, licences as Licence by licence, models as Model by model,
            acceptances as LicenceAcceptance by acceptance, keys as Key by key, limits as Limit by limit,
            rules as Rule by rule, guardrails as Guardrail by guardrail, prices as Price by price
        )
    };
}

mod changes;
mod narrowing;

use crate::facts::{Facts, Map};
use crate::vocabulary::{Geo, Id, Name};
use narrowing::Narrowing;

pub use changes::{Versions, project_changes};

/// The scope of a node. Node classes join here when they exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Where the node runs.
    pub geo: Geo,
}

/// Narrows facts to a scope, as the table above says.
pub fn project(facts: &Facts, scope: &Scope) -> Facts {
    let mut out = Facts::default();
    macro_rules! narrow {
        ($($map:ident as $kind:ident by $one:ident),*) => {$({
            let narrowing = Narrowing { facts, out: &out, scope };
            let kept = facts.$map.iter().filter_map(|(id, fact)| Some((id.clone(), narrowing.$one(id, fact)?)));
            out.$map = kept.collect();
        })*};
    }
    in_order!(narrow);
    out
}

/// The id of a thing of the same tenant.
fn sibling(tenant: &Option<Name>, name: &Name) -> Id {
    Id { tenant: tenant.clone(), name: name.clone() }
}

/// What a reference written in `tenant` means: the tenant's own thing, else the platform's.
pub(crate) fn resolve<T>(all: &Map<Id, T>, tenant: &Option<Name>, name: &Name) -> Option<Id> {
    let own = sibling(tenant, name);
    if all.contains_key(&own) {
        return Some(own);
    }
    let platform = Id::platform(name.clone());
    all.contains_key(&platform).then_some(platform)
}
