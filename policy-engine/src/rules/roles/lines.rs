//! The Casbin policy that facts mean, as lines; text without Casbin, so that anybody can read and export it.

use std::fmt;

use super::domain::{HeldIn, Subject, is_on_models, role_named};
use crate::facts::{Facts, Permission};
use crate::vocabulary::Id;

/// A line of the policy, displayed as in Casbin's CSV form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// `p`: role, domain, object, action, operation.
    Permission([String; 5]),
    /// `g`: member, role, domain.
    Membership([String; 3]),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Permission(fields) => write!(f, "p, {}", fields.join(", ")),
            Line::Membership(fields) => write!(f, "g, {}", fields.join(", ")),
        }
    }
}

/// The whole policy: permissions of roles, inheritance, grants. In the order of the facts.
pub fn policy_lines(facts: &Facts) -> Vec<Line> {
    let mut lines = Vec::new();
    for (id, role) in &facts.roles {
        for permission in &role.permissions {
            permission_lines(id, permission, &mut lines);
        }
        for name in &role.inherits {
            if let Some(inherited) = role_named(facts, id.tenant.as_ref(), name) {
                let held = HeldIn::all_of(id.tenant.as_ref());
                lines.push(Line::Membership([role_text(id), role_text(&inherited), held.to_string()]));
            }
        }
    }
    for (id, grant) in &facts.grants {
        let role = role_named(facts, id.tenant.as_ref(), &grant.role);
        if let (Some(role), Some(held)) = (role, HeldIn::of(id, grant)) {
            let subject = Subject { tenant: id.tenant.clone(), who: grant.to.clone() };
            lines.push(Line::Membership([subject.to_string(), role_text(&role), held.to_string()]));
        }
    }
    lines
}

/// A role as a Casbin subject: `role:acme/chat`, `role:/chat`.
fn role_text(id: &Id) -> String {
    format!("role:{}/{}", id.tenant.as_ref().map_or("", |tenant| tenant.as_str()), id.name)
}

/// One line for each object and operation.
fn permission_lines(role: &Id, permission: &Permission, lines: &mut Vec<Line>) {
    let domain = HeldIn::all_of(role.tenant.as_ref()).to_string();
    let mut line = |object: String, operation: &str| {
        let action = permission.action.as_str().to_owned();
        lines.push(Line::Permission([role_text(role), domain.clone(), object, action, operation.to_owned()]));
    };
    match (is_on_models(permission.action), permission.operations.as_slice()) {
        (true, []) => permission.models.iter().for_each(|glob| line(format!("model:{glob}"), "*")),
        (true, operations) => {
            for glob in &permission.models {
                operations.iter().for_each(|operation| line(format!("model:{glob}"), operation.as_str()));
            }
        }
        (false, _) if permission.resources.is_empty() => line("kind:*".to_owned(), "*"),
        (false, _) => permission.resources.iter().for_each(|glob| line(format!("kind:{glob}"), "*")),
    }
}
