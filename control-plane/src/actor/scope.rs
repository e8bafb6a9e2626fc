//! What an auditor of the platform is narrowed to: tenants, geos, both or neither.
//!
//! Law: who is narrowed to tenants sees those tenants and what the platform has for every tenant; nodes, their tokens and segments it
//! sees of its geos alone. An event that names anything beside that is not shown. Absent on purpose: who is an auditor (`authenticate`).

use std::collections::BTreeSet;

use policy_engine::vocabulary::{Action, Geo, Name};
use proto::admin::AuditEvent;
use proto::name::Collection;

/// The log of acts, as permissions name it.
const LOG: &str = "auditEvents";

/// What permissions name nodes and their tokens.
const NODES: &str = "nodes";

/// What somebody may look at; the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Tenants; none: of every tenant, and what is the platform's own.
    pub tenants: BTreeSet<Name>,
    /// Geos whose nodes may be looked at; none: of every geo, where there are no tenants either.
    pub geos: BTreeSet<Geo>,
}

impl Scope {
    /// Whether it is everything.
    pub fn is_everything(&self) -> bool {
        self.tenants.is_empty() && self.geos.is_empty()
    }

    /// Whether things of a tenant, or with `None` of the platform, may be looked at. The log, nodes and segments are open to who is narrowed,
    /// for what is answered of them is narrowed too.
    pub(super) fn permits(&self, action: Action, plural: &str, tenant: Option<&Name>) -> bool {
        let looks = matches!(action, Action::Read | Action::Audit);
        looks
            && match tenant {
                Some(tenant) => self.has_tenant(tenant),
                None if self.tenants.is_empty() => true,
                None if plural == NODES => !self.geos.is_empty(),
                None => plural == LOG || Collection::by_plural(plural).is_some(),
            }
    }

    pub(crate) fn has_tenant(&self, tenant: &Name) -> bool {
        self.tenants.is_empty() || self.tenants.contains(tenant)
    }

    /// Whether nodes of a geo may be looked at, by its name.
    pub(crate) fn has_geo(&self, geo: &str) -> bool {
        match self.geos.is_empty() {
            true => self.tenants.is_empty(),
            false => self.geos.iter().any(|known| known.as_str() == geo),
        }
    }

    /// Whether everything that an event names may be looked at.
    pub(crate) fn has_event(&self, event: &AuditEvent) -> bool {
        let changed = event.changes.iter().map(|change| change.name.as_str());
        let about: Vec<&str> =
            std::iter::once(event.resource.as_str()).chain(changed).filter(|name| !name.is_empty()).collect();
        // What is about nothing that is named, such as a refused file, is shown by who did it.
        let is_told = match about.is_empty() {
            true => self.tenants.is_empty() || event.actor.starts_with("tenants/"),
            false => about.into_iter().all(|name| self.has_name(name)),
        };
        is_told && self.has_actor(&event.actor)
    }

    fn has_actor(&self, actor: &str) -> bool {
        match actor.split('/').collect::<Vec<_>>().as_slice() {
            ["tenants", ..] | ["geos", ..] => self.has_name(actor),
            _ => true,
        }
    }

    fn has_name(&self, name: &str) -> bool {
        match name.split('/').collect::<Vec<_>>().as_slice() {
            ["tenants", tenant, ..] => {
                self.tenants.is_empty() || self.tenants.iter().any(|known| known.as_str() == *tenant)
            }
            ["geos", geo, ..] => self.has_geo(geo),
            [plural, ..] => {
                self.tenants.is_empty() || Collection::by_plural(plural).is_some() || *plural == LOG
            }
            [] => self.tenants.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::admin::AuditedChange;

    use super::*;

    fn scope(tenants: &[&str], geos: &[&str]) -> Scope {
        let names = |all: &[&str]| all.iter().map(|name| name.parse().unwrap()).collect();
        Scope { tenants: names(tenants), geos: names(geos) }
    }

    #[test]
    fn who_is_narrowed_looks_at_its_part_and_changes_nothing() {
        let (all, acme, eu) = (scope(&[], &[]), scope(&["acme"], &[]), scope(&[], &["eu"]));
        let both = scope(&["acme"], &["eu"]);
        let (own, other): (Name, Name) = ("acme".parse().unwrap(), "rival".parse().unwrap());
        for (plural, tenant, may) in [
            ("teams", Some(&own), [true, true, true, true]),
            ("teams", Some(&other), [true, false, true, false]),
            ("rules", None, [true, true, true, true]),
            ("nodes", None, [true, false, true, true]),
            ("auditEvents", None, [true, true, true, true]),
            ("rollouts", None, [true, false, true, false]),
            ("revisions", None, [true, false, true, false]),
        ] {
            for (scope, may) in [&all, &acme, &eu, &both].into_iter().zip(may) {
                assert_eq!(scope.permits(Action::Read, plural, tenant), may, "{plural} {scope:?}");
                assert_eq!(scope.permits(Action::Audit, plural, tenant), may, "{plural} {scope:?}");
                assert!(!scope.permits(Action::Write, plural, tenant));
            }
        }
        assert_eq!([&all, &acme, &eu, &both].map(|scope| scope.has_geo("us")), [true, false, false, false]);
        assert_eq!([&all, &acme, &eu, &both].map(|scope| scope.has_geo("eu")), [true, false, true, true]);
    }

    #[test]
    fn an_event_is_shown_where_all_that_it_names_may_be_seen() {
        let (acme, eu) = (scope(&["acme"], &[]), scope(&[], &["eu"]));
        let event = |actor: &str, resource: &str, changed: &[&str]| AuditEvent {
            actor: actor.into(),
            resource: resource.into(),
            changes: changed
                .iter()
                .map(|name| AuditedChange { name: (*name).into(), ..Default::default() })
                .collect(),
            ..AuditEvent::default()
        };
        for (event, of_acme, of_eu) in [
            (event("platform/root", "tenants/acme/teams/a", &["tenants/acme/teams/a"]), true, true),
            (event("platform/root", "", &["tenants/acme/teams/a", "tenants/rival/teams/b"]), false, true),
            (event("platform/root", "", &["rules/r"]), true, true),
            (event("platform/root", "", &[]), false, true),
            (event("tenants/acme/principals/p", "", &[]), true, true),
            (event("tenants/rival/principals/p", "rules/r", &[]), false, true),
            (event("geos/us/nodes/us-1", "geos/us/nodes/us-1/certificates/1", &[]), false, false),
            (event("geos/eu/nodes/eu-1", "geos/eu/nodes/eu-1/certificates/1", &[]), false, true),
            (event("platform/root", "rollouts/7", &[]), false, true),
        ] {
            assert_eq!((acme.has_event(&event), eu.has_event(&event)), (of_acme, of_eu), "{event:?}");
        }
    }
}
