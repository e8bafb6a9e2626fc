//! Roles and grants: that what they refer to is there. What they permit is compiled by the role index.

use std::sync::Arc;

use super::build::Build;
use crate::facts::{Grant, GrantSubject};
use crate::project::resolve;
use crate::snapshot::People;
use crate::vocabulary::{Id, Kind, Name};

pub(super) fn check(build: &mut Build<'_>, people: &People) {
    let facts = build.facts;
    for (id, role) in &facts.roles {
        people.owner_of(build, Kind::Role, id);
        for (n, parent) in role.inherits.iter().enumerate() {
            if resolve(&facts.roles, &id.tenant, parent).is_none() {
                build.missing((Kind::Role, id), format!("spec.inherits[{n}]"), (Kind::Role, parent.as_str()));
            }
        }
    }
    facts.grants.iter().for_each(|grant| check_grant(build, people, grant));
}

pub(crate) fn check_grant(build: &mut Build<'_>, people: &People, (id, grant): (&Id, &Arc<Grant>)) {
    let facts = build.facts;
    people.owner_of(build, Kind::Grant, id);
    let at = (Kind::Grant, id);
    if resolve(&facts.roles, &id.tenant, &grant.role).is_none() {
        build.missing(at, "spec.role", (Kind::Role, grant.role.as_str()));
    }
    let own = |name: &Name| Id { tenant: id.tenant.clone(), name: name.clone() };
    if let Some(team) = grant.team.as_ref().filter(|t| !facts.teams.contains_key(&own(t))) {
        build.missing(at, "spec.team", (Kind::Team, team.as_str()));
    }
    match &grant.to {
        GrantSubject::Team(team) if !facts.teams.contains_key(&own(team)) => {
            build.missing(at, "spec.to.team", (Kind::Team, team.as_str()));
        }
        GrantSubject::Principal(who) if !facts.principals.contains_key(&own(who)) => {
            build.missing(at, "spec.to.principal", (Kind::Principal, who.as_str()));
        }
        _ => {}
    }
}
