//! How many resources of a kind there may be.
//!
//! Law: both planes ask this: the control plane before it publishes, a node before it makes room. Those of keys,
//! principals, rules and models are ten times what was measured; the others are chosen, so that none is met by who means it.

use crate::facts::Facts;
use crate::vocabulary::Kind;

/// The most of a kind.
pub fn most(kind: Kind) -> usize {
    match kind {
        Kind::Key | Kind::Principal => 1_000_000,
        Kind::Rule | Kind::Limit | Kind::Grant | Kind::LicenceAcceptance | Kind::Team => 100_000,
        Kind::Tenant | Kind::Endpoint | Kind::Price => 50_000,
        Kind::Role | Kind::Provider | Kind::Licence | Kind::Model | Kind::Guardrail => 10_000,
    }
}

/// The kinds of which there are too many, with how many there are.
pub fn exceeded(facts: &Facts) -> impl Iterator<Item = (Kind, usize)> {
    let counts = [
        (Kind::Tenant, facts.tenants.len()),
        (Kind::Team, facts.teams.len()),
        (Kind::Principal, facts.principals.len()),
        (Kind::Role, facts.roles.len()),
        (Kind::Grant, facts.grants.len()),
        (Kind::Provider, facts.providers.len()),
        (Kind::Endpoint, facts.endpoints.len()),
        (Kind::Licence, facts.licences.len()),
        (Kind::LicenceAcceptance, facts.acceptances.len()),
        (Kind::Model, facts.models.len()),
        (Kind::Limit, facts.limits.len()),
        (Kind::Rule, facts.rules.len()),
        (Kind::Guardrail, facts.guardrails.len()),
        (Kind::Price, facts.prices.len()),
        (Kind::Key, facts.keys.len()),
    ];
    counts.into_iter().filter(|(kind, count)| *count > most(*kind))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::compile::compile;
    use crate::facts::Role;
    use crate::snapshot::Header;
    use crate::vocabulary::Id;

    #[test]
    fn too_many_of_a_kind_are_a_fault_of_the_kind() {
        let mut facts = Facts::default();
        let role = Arc::new(Role { permissions: vec![], inherits: vec![], geos: vec![] });
        let header = || Header { revision: 1, geo: None };
        for n in 0..most(Kind::Role) {
            facts.roles.insert(Id::platform(format!("r-{n:05}").parse().unwrap()), role.clone());
        }
        assert!(compile(&facts, header()).is_ok());
        facts.roles.insert(Id::platform("z".parse().unwrap()), role);
        let faults = compile(&facts, header()).unwrap_err();
        assert_eq!((faults.len(), faults[0].kind, faults[0].code), (1, Kind::Role, "too_many"));
        assert!(
            faults[0].message.contains("10001") && faults[0].message.contains("10000"),
            "{:?}",
            faults[0]
        );
    }
}
