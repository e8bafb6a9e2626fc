//! Whether an actor may do something with what is in force, and what it is told where it may not.

use policy_engine::rules::roles::{Access, Domain};
use policy_engine::vocabulary::{Action, Id, Kind, Name};
use proto::code::ErrorCode;
use proto::name::Collection;
use proto::status::Refusal;

use super::Actor;
use crate::error::unspoken;
use crate::publish::Published;

impl Published {
    /// Whether the actor may do this with a kind of resource of a tenant, or with `None` of the platform.
    pub fn permits(&self, actor: &Actor, action: Action, kind: Kind, tenant: Option<&Name>) -> bool {
        self.permits_plural(actor, action, Collection::of(kind).plural, tenant)
    }

    /// The same for a collection that is no kind, such as `revisions`.
    pub fn permits_plural(&self, actor: &Actor, action: Action, plural: &str, tenant: Option<&Name>) -> bool {
        match actor {
            Actor::Platform(_) => true,
            Actor::Auditor { scope, .. } => scope.permits(action, plural, tenant),
            Actor::Elevated { holder, .. } => match holder.scope() {
                // The platform's own is nobody's who is narrowed to tenants.
                Some(scope) if !scope.tenants.is_empty() => {
                    scope.permits(action, plural, tenant)
                        || tenant.is_some_and(|tenant| scope.has_tenant(tenant))
                }
                // Who makes keys of a tenant can be any principal of it: what a principal takes ends at its tenant.
                _ => match holder.as_ref() {
                    Actor::Principal { tenant: own, .. } => {
                        tenant == Some(own) || self.permits_plural(holder, action, plural, tenant)
                    }
                    _ => true,
                },
            },
            Actor::Principal { tenant: own, principal, .. } => {
                let caller = Id::of(own.clone(), principal.clone());
                let domain = tenant.map_or(Domain::Platform, |tenant| Domain::Tenant(tenant.clone()));
                self.authoriser.permits(
                    &self.facts,
                    &caller,
                    &domain,
                    &Access::Admin { action, kind: plural },
                )
            }
        }
    }

    /// Refuses what is not permitted: another tenant's things as if they were not there, else as forbidden.
    pub fn demand(
        &self,
        actor: &Actor,
        action: Action,
        kind: Kind,
        tenant: Option<&Name>,
    ) -> Result<(), Refusal> {
        self.demand_plural(actor, action, Collection::of(kind).plural, tenant)
    }

    /// The same for a collection that is no kind.
    pub fn demand_plural(
        &self,
        actor: &Actor,
        action: Action,
        plural: &str,
        tenant: Option<&Name>,
    ) -> Result<(), Refusal> {
        if self.permits_plural(actor, action, plural, tenant) {
            return Ok(());
        }
        Err(refusal(actor, action, plural, tenant))
    }

    /// Refuses a change that is not permitted. A tenant itself, its domicile and currency among it, is the platform's to say.
    pub(crate) fn demand_write(&self, actor: &Actor, kind: Kind, id: &Id) -> Result<(), Refusal> {
        let governor = if kind == Kind::Tenant { None } else { id.tenant.as_ref() };
        if self.permits(actor, Action::Write, kind, governor) {
            return Ok(());
        }
        Err(refusal(actor, Action::Write, Collection::of(kind).plural, owner(kind, id)))
    }
}

fn refusal(actor: &Actor, action: Action, plural: &str, tenant: Option<&Name>) -> Refusal {
    let is_hidden = match (actor, tenant) {
        (Actor::Principal { tenant: own, .. }, Some(tenant)) => own != tenant,
        (_, Some(tenant)) => actor.scope().is_some_and(|scope| !scope.has_tenant(tenant)),
        (_, None) => false,
    };
    match is_hidden {
        true => absent(),
        false => Refusal::new(
            ErrorCode::PermissionDenied,
            format!("no grant allows `{action}` on `{plural}` here"),
        ),
    }
}

/// What is told about a thing whose existence is not the caller's to know, whether or not it is there: never which.
pub(crate) fn absent() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "there is no such resource")
}

/// What is told about a thing that is not there, by its AIP name, to who may know.
pub(crate) fn missing(name: &str) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("there is no such resource: `{}`", unspoken(name)))
}

/// Whose permission to read decides: a tenant may read what it is.
pub(crate) fn owner(kind: Kind, id: &Id) -> Option<&Name> {
    if kind == Kind::Tenant { Some(&id.name) } else { id.tenant.as_ref() }
}
