//! Names of resources on the wire (AIP-122): `teams` of `tenants/acme`, and the kind each collection holds.
//!
//! Law: one table; formatting a parsed name gives it back, letter by letter. Whether anything has the name is not known here.

use policy_engine::vocabulary::{Id, Kind, Name, NameError};
use thiserror::Error;

/// Who may own resources of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The platform alone.
    Platform,
    /// A tenant alone.
    Tenant,
    /// Either.
    Either,
}

/// A collection: a kind as it appears in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// The kind; its `as_str` is how a declarative file spells it.
    pub kind: Kind,
    /// The segment in names, such as `licenceAcceptances`.
    pub plural: &'static str,
    /// The field of a request that holds one, in JSON, such as `licenceAcceptance`.
    pub singular: &'static str,
    /// Who may own one.
    pub owner: Owner,
}

/// Collections whose members are made by the control plane or by a call, not declared.
pub const RECORDS: [&str; 10] = [
    "revisions",
    "auditEvents",
    "nodes",
    "kills",
    "rollouts",
    "proposals",
    "subjects",
    "holds",
    "retentions",
    "capturedContent",
];

const fn row(kind: Kind, plural: &'static str, singular: &'static str, owner: Owner) -> Collection {
    Collection { kind, plural, singular, owner }
}

/// Every collection, in the order of [`Kind::ALL`].
pub const COLLECTIONS: [Collection; 15] = [
    row(Kind::Tenant, "tenants", "tenant", Owner::Platform),
    row(Kind::Team, "teams", "team", Owner::Tenant),
    row(Kind::Principal, "principals", "principal", Owner::Either),
    row(Kind::Role, "roles", "role", Owner::Either),
    row(Kind::Grant, "grants", "grant", Owner::Either),
    row(Kind::Provider, "providers", "provider", Owner::Either),
    row(Kind::Endpoint, "endpoints", "endpoint", Owner::Either),
    row(Kind::Licence, "licences", "licence", Owner::Either),
    row(Kind::LicenceAcceptance, "licenceAcceptances", "licenceAcceptance", Owner::Tenant),
    row(Kind::Model, "models", "model", Owner::Either),
    row(Kind::Limit, "limits", "limit", Owner::Either),
    row(Kind::Rule, "rules", "rule", Owner::Either),
    row(Kind::Guardrail, "guardrails", "guardrail", Owner::Either),
    row(Kind::Price, "prices", "price", Owner::Either),
    row(Kind::Key, "keys", "key", Owner::Either),
];

/// A parsed name: which kind, and which one of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    /// The kind.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
}

/// Why a text is not the name of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResourceNameError {
    /// A segment is not a name.
    #[error(transparent)]
    Segment(#[from] NameError),
    /// Not of the form.
    #[error("`{0}` is not a resource name such as `tenants/acme/teams/research` or `models/gpt-4o`")]
    Form(String),
    /// The collection is not known.
    #[error("`{0}` is not a collection")]
    Collection(String),
    /// A name of something else than was asked for.
    #[error("`{found}` does not name one of `{expected}`")]
    Kind {
        /// The name as it was given.
        found: String,
        /// The plural that was expected.
        expected: &'static str,
    },
    /// The kind belongs to tenants and the name has none, or the other way round.
    #[error("`{found}` does not name an owner that `{plural}` can have")]
    Owner {
        /// The name, or parent, as it was given.
        found: String,
        /// The plural of the kind.
        plural: &'static str,
    },
}

impl Collection {
    /// The collection of a kind.
    pub fn of(kind: Kind) -> Self {
        let found = COLLECTIONS.iter().copied().find(|c| c.kind == kind);
        found.unwrap_or(row(kind, "resources", "resource", Owner::Either))
    }

    /// The collection that a segment names.
    pub fn by_plural(plural: &str) -> Option<Self> {
        COLLECTIONS.iter().copied().find(|c| c.plural == plural)
    }

    /// Whether a resource of the kind may belong to this owner: a tenant, or with `None` the platform.
    pub fn may_belong_to(&self, tenant: Option<&Name>) -> bool {
        match self.owner {
            Owner::Platform => tenant.is_none(),
            Owner::Tenant => tenant.is_some(),
            Owner::Either => true,
        }
    }

    /// Reads the parent of a list or of a creation: empty, or `tenants/(tenant)`.
    pub fn parse_parent(&self, parent: &str) -> Result<Option<Name>, ResourceNameError> {
        let tenant = parse_parent(parent)?;
        if self.may_belong_to(tenant.as_ref()) {
            return Ok(tenant);
        }
        Err(ResourceNameError::Owner { found: shown(parent), plural: self.plural })
    }
}

/// Reads a parent: empty for the platform, or `tenants/(tenant)`.
pub fn parse_parent(parent: &str) -> Result<Option<Name>, ResourceNameError> {
    match parent.split('/').collect::<Vec<_>>().as_slice() {
        [""] => Ok(None),
        ["tenants", tenant] => Ok(Some(Name::new(tenant)?)),
        _ => Err(ResourceNameError::Form(shown(parent))),
    }
}

/// Writes the name of a resource.
pub fn format(kind: Kind, id: &Id) -> String {
    let plural = Collection::of(kind).plural;
    match &id.tenant {
        Some(tenant) => format!("tenants/{tenant}/{plural}/{}", id.name),
        None => format!("{plural}/{}", id.name),
    }
}

/// Reads a name of any kind.
pub fn parse(text: &str) -> Result<ResourceName, ResourceNameError> {
    let (tenant, plural, name) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [plural, name] => (None, *plural, *name),
        ["tenants", tenant, plural, name] => (Some(Name::new(tenant)?), *plural, *name),
        _ => return Err(ResourceNameError::Form(shown(text))),
    };
    let collection =
        Collection::by_plural(plural).ok_or_else(|| ResourceNameError::Collection(shown(plural)))?;
    if !collection.may_belong_to(tenant.as_ref()) {
        return Err(ResourceNameError::Owner { found: shown(text), plural: collection.plural });
    }
    Ok(ResourceName { kind: collection.kind, id: Id { tenant, name: Name::new(name)? } })
}

/// Reads the name of a resource that must be of one kind.
pub fn parse_as(kind: Kind, text: &str) -> Result<Id, ResourceNameError> {
    let name = parse(text)?;
    if name.kind == kind {
        return Ok(name.id);
    }
    Err(ResourceNameError::Kind { found: shown(text), expected: Collection::of(kind).plural })
}

fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

impl std::fmt::Display for ResourceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format(self.kind, &self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_no_two_share_a_segment() {
        let kinds: Vec<Kind> = COLLECTIONS.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, Kind::ALL);
        for c in COLLECTIONS {
            assert_eq!(Collection::by_plural(c.plural), Some(c), "two rows named `{}`", c.plural);
            let spelled = c.singular.split_at(1);
            assert_eq!(format!("{}{}", spelled.0.to_uppercase(), spelled.1), c.kind.as_str());
        }
    }

    #[test]
    fn names_read_back() {
        for text in ["tenants/acme", "models/gpt-4o", "tenants/acme/principals/ada@example.org", "keys/k1"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse_as(Kind::Team, "tenants/a/teams/b").unwrap().to_string(), "a/b");
        assert_eq!(Collection::of(Kind::Team).parse_parent("tenants/a").unwrap().unwrap().as_str(), "a");
        assert_eq!(Collection::of(Kind::Model).parse_parent(""), Ok(None));
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for bad in
            ["", "/", "models", "models/", "tenants/acme/teams", "tenants//teams/a", "x/y", "tenants/a/b/c/d"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        for (bad, kind) in
            [("teams/a", Kind::Team), ("tenants/a/tenants/b", Kind::Tenant), ("roles/a", Kind::Team)]
        {
            assert!(parse_as(kind, bad).is_err(), "{bad:?}");
        }
        assert!(Collection::of(Kind::Team).parse_parent("").is_err());
        assert!(Collection::of(Kind::Tenant).parse_parent("tenants/a").is_err());
    }
}
