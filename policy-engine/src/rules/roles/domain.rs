//! The three coordinates of a request: who asks, in which domain, for access to what; and how names are scoped.

use std::fmt;

use crate::facts::{Facts, Grant, GrantSubject, Principal};
use crate::vocabulary::{Action, Id, Name, Operation};

/// Where a request is made. Written as Casbin sees it: `/`, `acme/`, `acme/research`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// On what belongs to the platform.
    Platform,
    /// On what belongs to a tenant as a whole.
    Tenant(Name),
    /// From a team: tenant, then team.
    Team(Name, Name),
}

impl Domain {
    /// The tenant whose domain it is.
    pub fn tenant(&self) -> Option<&Name> {
        match self {
            Domain::Platform => None,
            Domain::Tenant(tenant) | Domain::Team(tenant, _) => Some(tenant),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Platform => f.write_str("/"),
            Domain::Tenant(tenant) => write!(f, "{tenant}/"),
            Domain::Team(tenant, team) => write!(f, "{tenant}/{team}"),
        }
    }
}

/// The domains a grant holds in. Written as Casbin's `keyMatch` reads them: `*`, `acme/*`, `acme/research`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum HeldIn {
    Everywhere,
    Tenant(Name),
    Team(Name, Name),
}

impl HeldIn {
    /// Where a grant holds; a platform grant in a team holds nowhere, since the platform has no teams.
    pub(super) fn of(id: &Id, grant: &Grant) -> Option<HeldIn> {
        match (&id.tenant, &grant.team) {
            (None, None) => Some(HeldIn::Everywhere),
            (None, Some(_)) => None,
            (Some(tenant), None) => Some(HeldIn::Tenant(tenant.clone())),
            (Some(tenant), Some(team)) => Some(HeldIn::Team(tenant.clone(), team.clone())),
        }
    }

    /// Where everything of an owner holds.
    pub(super) fn all_of(owner: Option<&Name>) -> HeldIn {
        owner.map_or(HeldIn::Everywhere, |tenant| HeldIn::Tenant(tenant.clone()))
    }

    pub(super) fn covers(&self, domain: &Domain) -> bool {
        match (self, domain) {
            (HeldIn::Everywhere, _) => true,
            (HeldIn::Tenant(mine), asked) => Some(mine) == asked.tenant(),
            (HeldIn::Team(tenant, team), Domain::Team(t, m)) => tenant == t && team == m,
            (HeldIn::Team(..), _) => false,
        }
    }
}

impl fmt::Display for HeldIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeldIn::Everywhere => f.write_str("*"),
            HeldIn::Tenant(tenant) => write!(f, "{tenant}/*"),
            HeldIn::Team(tenant, team) => write!(f, "{tenant}/{team}"),
        }
    }
}

/// Somebody a grant can be made to, with the tenant they are of. Written `team:acme/research`, `principal:/root`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The tenant; `None` is the platform.
    pub tenant: Option<Name>,
    /// Who, within it.
    pub who: GrantSubject,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sort, name) = match &self.who {
            GrantSubject::Team(name) => ("team", name),
            GrantSubject::Principal(name) => ("principal", name),
            GrantSubject::Group(name) => ("group", name),
        };
        write!(f, "{sort}:{}/{name}", self.tenant.as_ref().map_or("", Name::as_str))
    }
}

/// Every subject a principal acts as: itself, its teams, its groups.
pub fn subjects(id: &Id, principal: &Principal) -> Vec<Subject> {
    let itself = GrantSubject::Principal(id.name.clone());
    let teams = principal.teams.iter().cloned().map(GrantSubject::Team);
    let groups = principal.groups.iter().cloned().map(GrantSubject::Group);
    let all = std::iter::once(itself).chain(teams).chain(groups);
    all.map(|who| Subject { tenant: id.tenant.clone(), who }).collect()
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    /// To `infer` with or `view` a model.
    Model {
        /// The action; any other than `infer` and `view` is never allowed on a model.
        action: Action,
        /// For which operation.
        operation: Operation,
        /// The model.
        model: &'a Id,
    },
    /// To `read`, `write` or `audit` a kind of governed resource.
    Admin {
        /// The action; `infer` and `view` are never allowed on a kind.
        action: Action,
        /// The kind by its plural, such as `teams`.
        kind: &'a str,
    },
}

/// Whether an action is done to models; the others are done to kinds of resources.
pub(super) fn is_on_models(action: Action) -> bool {
    matches!(action, Action::Infer | Action::View)
}

/// Whether a model can be reached from a tenant's domains at all.
pub(super) fn is_visible(model: &Id, from: Option<&Name>) -> bool {
    model.tenant.is_none() || model.tenant.as_ref() == from
}

/// The role that `name` means inside `owner`'s facts: the owner's own, else the platform's.
pub(super) fn role_named(facts: &Facts, owner: Option<&Name>, name: &Name) -> Option<Id> {
    let own = Id { tenant: owner.cloned(), name: name.clone() };
    let candidates = [own, Id::platform(name.clone())];
    candidates.into_iter().find(|id| facts.roles.contains_key(id))
}
