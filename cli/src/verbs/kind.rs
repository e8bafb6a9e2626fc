//! Kinds as people write them, and what a table shows of each.

use std::str::FromStr;

use proto::name::{COLLECTIONS, Collection, Owner};

/// What stands for every tenant where one is named.
const EVERY_TENANT: &str = "-";

/// A kind named on the command line: `Team`, `team` or `teams`, in any case.
#[derive(Debug, Clone, Copy)]
pub(super) struct KindName(pub(super) Collection);

impl FromStr for KindName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |collection: &&Collection| {
            [collection.plural, collection.singular].iter().any(|name| name.eq_ignore_ascii_case(text))
        };
        COLLECTIONS.iter().find(named).map(|found| Self(*found)).ok_or_else(|| {
            let known: Vec<&str> = COLLECTIONS.iter().map(|collection| collection.plural).collect();
            format!("known are {}", known.join(", "))
        })
    }
}

impl KindName {
    /// The collection's path below `/v1/`: the tenant's where one is given, else the platform's, or every tenant's of what
    /// only tenants have.
    pub(super) fn listed(self, tenant: Option<&str>) -> Result<String, String> {
        match (self.0.owner, tenant) {
            (Owner::Tenant, None) => self.path(Some(EVERY_TENANT)),
            _ => self.path(tenant),
        }
    }

    /// The collection's path below `/v1/`, the tenant's where one is given.
    pub(super) fn path(self, tenant: Option<&str>) -> Result<String, String> {
        let plural = self.0.plural;
        match (self.0.owner, tenant) {
            (Owner::Tenant, None) => Err(format!("{plural} belong to a tenant: name it with --tenant")),
            (Owner::Platform, Some(_)) => Err(format!("{plural} belong to the platform: leave out --tenant")),
            (_, Some(tenant)) => Ok(format!("tenants/{tenant}/{plural}")),
            (_, None) => Ok(plural.to_owned()),
        }
    }

    /// The path of one resource below `/v1/`, the tenant's where one is given: every tenant has not one resource.
    pub(super) fn one(self, name: &str, tenant: Option<&str>) -> Result<String, String> {
        let path = self.path(tenant)?;
        match tenant {
            Some(EVERY_TENANT) => {
                Err(format!("`{EVERY_TENANT}` is every tenant: name the one with --tenant"))
            }
            _ => Ok(format!("{path}/{name}")),
        }
    }

    /// Paths below `spec` that a table shows, by their last step.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self.0.plural {
            "tenants" => &["displayName", "domicile", "currency", "timeZone"],
            "teams" => &["displayName", "jurisdictions"],
            "principals" => &["type", "teams", "groups", "residency"],
            "roles" => &["permissions", "inherits"],
            "grants" => &["role", "team", "to"],
            "providers" => &["adapter", "baseUrl"],
            "endpoints" => &["provider", "upstreamModel", "processingRegions"],
            "licences" => &["kind", "acceptance"],
            "licenceAcceptances" => &["licence", "team", "acceptedBy"],
            "models" => &["card.operations", "card.riskClass", "licence", "aliases", "card.retiredFrom"],
            "limits" => &["scope", "bound", "onStoreLoss"],
            "rules" => &["layer", "effect", "mode", "when"],
            "guardrails" => &["applies.models"],
            "prices" => &["model", "validFrom", "currency", "perMillion"],
            "keys" => &["principal", "team", "models", "expireTime"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_each_of_its_names_and_has_columns() {
        for collection in COLLECTIONS {
            for name in [collection.plural, collection.singular, collection.kind.as_str()] {
                let found: KindName = name.parse().unwrap();
                assert_eq!(found.0, collection, "{name}");
                assert_eq!(name.to_uppercase().parse::<KindName>().unwrap().0, collection);
                assert!(!found.columns().is_empty(), "{name}");
            }
        }
        assert!("nodes2".parse::<KindName>().unwrap_err().starts_with("known are tenants, teams"));
    }

    #[test]
    fn the_owner_must_be_one_it_can_have() {
        let path = |kind: &str, tenant| kind.parse::<KindName>().unwrap().path(tenant);
        assert_eq!(path("team", Some("acme")).unwrap(), "tenants/acme/teams");
        assert_eq!(path("model", None).unwrap(), "models");
        assert_eq!(path("model", Some("acme")).unwrap(), "tenants/acme/models");
        let listed = |kind: &str, tenant| kind.parse::<KindName>().unwrap().listed(tenant);
        assert_eq!(listed("team", None).unwrap(), "tenants/-/teams");
        assert_eq!(listed("limit", None).unwrap(), "limits");
        assert_eq!(listed("limit", Some("-")).unwrap(), "tenants/-/limits");
        assert!(path("team", None).is_err() && path("tenant", Some("acme")).is_err());
        let one = |kind: &str, tenant| kind.parse::<KindName>().unwrap().one("x", tenant);
        assert_eq!(one("model", None).unwrap(), "models/x");
        assert_eq!(one("team", Some("acme")).unwrap(), "tenants/acme/teams/x");
        for kind in ["team", "model", "provider"] {
            assert!(one(kind, Some("-")).is_err(), "{kind}");
        }
    }
}
