//! Why something is allowed: every grant that allows it, with the role and the line that do.
//!
//! Law: there is a match exactly when the index permits; the oracle's test counts on it too. Reads facts, not the
//! index, and walks every grant: for people who ask, not for requests.

use std::collections::VecDeque;
use std::fmt;

use super::domain::{Access, Domain, HeldIn, Subject, is_on_models, is_visible, role_named, subjects};
use crate::facts::{Facts, Permission, Principal};
use crate::vocabulary::Id;

/// One reason why access is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedGrant {
    /// The grant.
    pub grant: Id,
    /// As whom the principal has it.
    pub subject: Subject,
    /// From the granted role by inheritance to the role whose line allows; at least one.
    pub roles: Vec<Id>,
    /// The line of the last role, counted from 0.
    pub line: usize,
}

impl fmt::Display for MatchedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<String> = self.roles.iter().map(|role| format!("`{role}`")).collect();
        write!(
            f,
            "grant `{}` gives `{}` the role {}, line {}",
            self.grant,
            self.subject,
            roles.join(", which inherits "),
            self.line + 1
        )
    }
}

/// Every grant that allows `access` to a principal in a domain, in the order of the grants, each with its first
/// allowing line by the shortest way of inheritance.
pub fn matched_grants(
    facts: &Facts,
    domain: &Domain,
    caller: (&Id, &Principal),
    access: &Access<'_>,
) -> Vec<MatchedGrant> {
    let acts_as = subjects(caller.0, caller.1);
    if let Access::Model { model, .. } = access
        && !is_visible(model, domain.tenant())
    {
        return Vec::new();
    }
    let reason = |(id, grant): (&Id, &std::sync::Arc<crate::facts::Grant>)| {
        let subject = Subject { tenant: id.tenant.clone(), who: grant.to.clone() };
        if !acts_as.contains(&subject) || !HeldIn::of(id, grant)?.covers(domain) {
            return None;
        }
        let granted = role_named(facts, id.tenant.as_ref(), &grant.role)?;
        let (roles, line) = first_line(facts, granted, access)?;
        Some(MatchedGrant { grant: id.clone(), subject, roles, line })
    };
    facts.grants.iter().filter_map(reason).collect()
}

/// Breadth first from a role to the nearest role with an allowing line.
fn first_line(facts: &Facts, from: Id, access: &Access<'_>) -> Option<(Vec<Id>, usize)> {
    let mut seen = vec![from.clone()];
    let mut open = VecDeque::from([vec![from]]);
    while let Some(way) = open.pop_front() {
        let here = way.last()?;
        let role = facts.roles.get(here)?;
        if let Some(line) = role.permissions.iter().position(|permission| allows(permission, access)) {
            return Some((way, line));
        }
        for next in role.inherits.iter().filter_map(|name| role_named(facts, here.tenant.as_ref(), name)) {
            if !seen.contains(&next) {
                seen.push(next.clone());
                open.push_back(way.iter().cloned().chain([next]).collect());
            }
        }
    }
    None
}

fn allows(permission: &Permission, access: &Access<'_>) -> bool {
    match access {
        Access::Model { action, operation, model } => {
            permission.action == *action
                && is_on_models(*action)
                && (permission.operations.is_empty() || permission.operations.contains(operation))
                && permission.models.iter().any(|glob| glob.matches(model.name.as_str()))
        }
        Access::Admin { action, kind } => {
            permission.action == *action
                && !is_on_models(*action)
                && (permission.resources.is_empty()
                    || permission.resources.iter().any(|glob| glob.matches(kind)))
        }
    }
}
