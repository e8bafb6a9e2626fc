//! Which resource a command line means: by its kind and its last segment, or by a name as verbs print it.
//!
//! Law: `rule eu-residency`, `rules/eu-residency` and `rule rules/eu-residency` mean the same; what of a name is said twice must be
//! said alike. Whether anything has the name is not known here.

use std::str::FromStr;

use proto::name::{self, Collection, ResourceName};

use super::kind::KindName;

/// What stands first on a command line.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A kind.
    Kind(KindName),
    /// A whole name, or one that lacks its tenant alone.
    Name(String),
}

/// What is meant.
#[derive(Debug, Clone)]
pub(super) struct Meant {
    /// Of which kind.
    pub(super) kind: KindName,
    /// The last segment of the name; `None`: all of the kind.
    pub(super) id: Option<String>,
    /// Whose it is.
    pub(super) tenant: Option<String>,
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains('/') {
            true => Ok(Self::Name(text.to_owned())),
            false => text.parse().map(Self::Kind),
        }
    }
}

impl What {
    /// What is meant, with what follows it and the tenant that is named.
    pub(super) fn meant(&self, name: Option<&str>, tenant: Option<&str>) -> Result<Meant, String> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        match (self, name) {
            (Self::Name(whole), None) => of_name(whole, tenant),
            (Self::Name(whole), Some(name)) => {
                Err(format!("`{whole}` is a whole name: what is `{name}` beside it?"))
            }
            (Self::Kind(kind), Some(whole)) if whole.contains('/') => {
                let meant = of_name(whole, tenant)?;
                match meant.kind.0 == kind.0 {
                    true => Ok(meant),
                    false => Err(format!("`{whole}` is none of the {}", kind.0.plural)),
                }
            }
            (Self::Kind(kind), name) => Ok(Meant { kind: *kind, id: owned(name), tenant: owned(tenant) }),
        }
    }
}

/// What a name means: it has its tenant, or the command line names it.
fn of_name(text: &str, tenant: Option<&str>) -> Result<Meant, String> {
    let whole = match tenant {
        Some(tenant) if !text.starts_with("tenants/") => format!("tenants/{tenant}/{text}"),
        _ => text.to_owned(),
    };
    let ResourceName { kind, id } = name::parse(&whole).map_err(|error| error.to_string())?;
    let own = id.tenant.map(|own| own.to_string());
    if tenant.is_some_and(|tenant| own.as_deref() != Some(tenant)) {
        return Err(format!("`{text}` says whose it is already: leave out --tenant"));
    }
    Ok(Meant { kind: KindName(Collection::of(kind)), id: Some(id.name.to_string()), tenant: own })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(line: &[&str], tenant: Option<&str>) -> Result<String, String> {
        let what: What = line[0].parse()?;
        let Meant { kind, id, tenant } = what.meant(line.get(1).copied(), tenant)?;
        kind.one(&id.ok_or("all")?, tenant.as_deref())
    }

    #[test]
    fn a_name_that_was_printed_means_what_its_kind_and_last_segment_mean() {
        for line in
            [&["rule", "fine"][..], &["rules", "rules/fine"], &["Rule", "rules/fine"], &["rules/fine"]]
        {
            assert_eq!(path(line, None).unwrap(), "rules/fine", "{line:?}");
        }
        let team = "tenants/acme/teams/x";
        for (line, tenant) in [
            (&["team", "x"][..], Some("acme")),
            (&[team], None),
            (&["team", team], None),
            (&[team], Some("acme")),
            (&["teams/x"], Some("acme")),
        ] {
            assert_eq!(path(line, tenant).unwrap(), team, "{line:?}");
        }
        assert_eq!(path(&["tenants/acme"], None).unwrap(), "tenants/acme");
        assert_eq!(path(&["tenant", "tenants/acme"], None).unwrap(), "tenants/acme");
    }

    #[test]
    fn what_is_said_twice_must_be_said_alike() {
        for (line, tenant, told) in [
            (&["model", "rules/fine"][..], None, "`rules/fine` is none of the models"),
            (&["rules/fine", "fine"], None, "`rules/fine` is a whole name: what is `fine` beside it?"),
            (&["tenants/acme/teams/x"], Some("other"), "says whose it is already"),
            (&["teams/x"], None, "does not name an owner"),
            (&["tenants/acme/teams"], None, "is not a resource name"),
            (&["rulez/x"], None, "`rulez` is not a collection"),
            (&["rulez"], None, "known are"),
        ] {
            let refused = path(line, tenant).unwrap_err();
            assert!(refused.contains(told), "{line:?}: {refused}");
        }
    }
}
