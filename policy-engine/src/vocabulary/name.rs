//! Names of governed things, and the kinds they belong to.
//!
//! Law: a [`Name`] fits into one segment of an AIP resource name, so no name can escape into another's path.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The id of one governed thing within its tenant: 1 to 128 of `A-Z a-z 0-9 . _ @ + ~ -`, beginning with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing was written.
    #[error("a name is empty")]
    Empty,
    /// More than 128 bytes.
    #[error("a name is longer than 128 bytes")]
    TooLong,
    /// A character that would not survive in a path segment.
    #[error("`{0}` is not a name: letters, digits and `._@+~-` only, beginning with a letter or digit")]
    Character(String),
}

impl Name {
    /// Reads a name, or says why the text is not one.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        let Some(first) = bytes.first() else { return Err(NameError::Empty) };
        if bytes.len() > 128 {
            return Err(NameError::TooLong);
        }
        let fits = |b: &u8| b.is_ascii_alphanumeric() || b"._@+~-".contains(b);
        if !first.is_ascii_alphanumeric() || !bytes.iter().all(fits) {
            return Err(NameError::Character(text.chars().take(64).flat_map(char::escape_default).collect()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A name and the tenant it belongs to; without one it belongs to the platform.
///
/// A reference written inside a tenant's resource means the tenant's own thing of that name if there is one, else the platform's;
/// but providers and endpoints are only ever the owner's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The owning tenant; `None` is the platform.
    pub tenant: Option<Name>,
    /// The name, unique per kind and tenant.
    pub name: Name,
}

impl Id {
    /// An id of the platform.
    pub fn platform(name: Name) -> Self {
        Self { tenant: None, name }
    }

    /// An id inside a tenant.
    pub fn of(tenant: Name, name: Name) -> Self {
        Self { tenant: Some(tenant), name }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{tenant}/{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $text:literal),* $(,)?) => {
        /// The kinds of governed things, named as in `kind:` of a declarative file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind),* }

        impl Kind {
            /// Every kind, in the order in which references run: a kind refers only to kinds before it or to itself.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// The kind as written in `kind:`.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$kind => $text),* }
            }
        }
    };
}

kinds! {
    /// An organisation.
    Tenant = "Tenant",
    /// A unit inside a tenant; the Casbin domain is `tenant/team`.
    Team = "Team",
    /// A user or a service.
    Principal = "Principal",
    /// A named set of permissions.
    Role = "Role",
    /// A role given to somebody in a team.
    Grant = "Grant",
    /// A vendor or an internal platform.
    Provider = "Provider",
    /// One callable deployment.
    Endpoint = "Endpoint",
    /// An enforced licence.
    Licence = "Licence",
    /// A team's acceptance of a licence's text.
    LicenceAcceptance = "LicenceAcceptance",
    /// What callers ask for.
    Model = "Model",
    /// A rate, token, concurrency or budget bound.
    Limit = "Limit",
    /// A compliance rule.
    Rule = "Rule",
    /// A named set of content checks.
    Guardrail = "Guardrail",
    /// A dated price.
    Price = "Price",
    /// An API key; made by a call, never by a file.
    Key = "Key",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_escapes_its_path_segment() {
        for bad in ["", "a/b", "../x", ".x", "-x", "a b", "a:b", "ä", "a\n", "a%2f"] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::new(&"a".repeat(129)).is_err());
        for good in ["ada@example.org", "gpt-4o", "sim_1.5+x~y", "0"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
    }
}
