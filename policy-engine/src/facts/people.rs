//! Who there is, and what they were granted.

use std::fmt;

use super::Geos;
use crate::vocabulary::{Action, Currency, Duration, Instant, Name, NameError, Operation, PrincipalType};

/// An organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// The name shown to people.
    pub display_name: String,
    /// IANA time zone of its calendar budgets, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The one currency its money limits are kept in.
    pub currency: Currency,
    /// Where the organisation has its seat: an ISO 3166-1 country, for licences that exclude licensees by domicile.
    pub domicile: Option<Name>,
    /// Whether a request is refused when its decision cannot be recorded.
    pub must_audit: bool,
    /// For how long it may be served by policy that is not confirmed any more.
    pub staleness: Staleness,
    /// The geos it may be served in; empty is all.
    pub geos: Geos,
}

/// For how long a tenant may be served by policy that the control plane has not confirmed since.
///
/// | class | unless said otherwise |
/// |---|---|
/// | keys, roles and what was revoked | 24 h; with `strict_revocation` 2 min at most |
/// | compliance rules | 24 h; 1 h at most for requests that declare the data class `restricted` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Staleness {
    /// Keys and roles; `None` is the default.
    pub keys: Option<Duration>,
    /// Compliance rules; `None` is the default.
    pub rules: Option<Duration>,
    /// That a key is not revoked is to be known for certain.
    pub strict_revocation: bool,
}

impl Staleness {
    /// The shortest that can be set: a minute.
    pub const LEAST: Duration = Duration(60_000_000);
    /// The longest that can be set: a week.
    pub const MOST: Duration = Duration(7 * 86_400_000_000);
    /// What holds where nothing is set: a day.
    pub const USUAL: Duration = Duration(86_400_000_000);
    /// For how long a tenant with `strict_revocation` is served.
    pub const STRICT: Duration = Duration(120_000_000);
    /// For how long requests with data of the class [`Self::RESTRICTED`] are served.
    pub const OF_RESTRICTED: Duration = Duration(3_600_000_000);
    /// The data class whose rules are to be known best.
    pub const RESTRICTED: &'static str = "restricted";

    /// For how long its keys are good.
    pub fn of_keys(&self) -> Duration {
        let set = self.keys.unwrap_or(Self::USUAL);
        if self.strict_revocation { set.min(Self::STRICT) } else { set }
    }

    /// For how long rules are good, for requests of these data classes.
    pub fn of_rules<'c>(&self, mut classes: impl Iterator<Item = &'c str>) -> Duration {
        let set = self.rules.unwrap_or(Self::USUAL);
        let restricted = classes.any(|class| class.eq_ignore_ascii_case(Self::RESTRICTED));
        if restricted { set.min(Self::OF_RESTRICTED) } else { set }
    }
}

/// A unit inside a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// The legal areas the team's subjects fall under, such as `EU`.
    pub jurisdictions: Vec<Name>,
    /// The geos it may be served in; empty is all.
    pub geos: Geos,
}

/// A user or a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// A person or a program.
    pub kind: PrincipalType,
    /// The teams of its tenant it belongs to.
    pub teams: Vec<Name>,
    /// Groups it belongs to, as an identity provider names them; grants may be made to a group.
    pub groups: Vec<Name>,
    /// Where it resides: a country or region of the containment table.
    pub residency: Option<Name>,
    /// The geos it may be served in; empty is all.
    pub geos: Geos,
}

/// A pattern over model names: letters as they are, `*` any run of characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelGlob(String);

impl ModelGlob {
    /// Reads a pattern of 1 to 128 characters of a model name and `*`.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+~-*".contains(&byte);
        match text.len() {
            0 => Err(NameError::Empty),
            129.. => Err(NameError::TooLong),
            _ if text.bytes().all(fits) => Ok(Self(text.to_owned())),
            _ => Err(NameError::Character(text.chars().take(64).flat_map(char::escape_default).collect())),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` fits; linear in both lengths for any number of stars.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        let mut rest = rest;
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or("");
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for ModelGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One line of a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Permission {
    /// What may be done.
    pub action: Action,
    /// With which models; empty for the admin actions.
    pub models: Vec<ModelGlob>,
    /// For which operations; empty is all.
    pub operations: Vec<Operation>,
    /// For admin actions: which kinds, by plural (`teams`); empty is all.
    pub resources: Vec<ModelGlob>,
}

/// A named set of permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its lines.
    pub permissions: Vec<Permission>,
    /// Roles whose permissions it has too; circles are allowed and mean nothing more.
    pub inherits: Vec<Name>,
    /// The geos it exists in; empty is all.
    pub geos: Geos,
}

/// Who receives a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantSubject {
    /// Everybody in a team.
    Team(Name),
    /// One principal.
    Principal(Name),
    /// Everybody in an identity provider's group.
    Group(Name),
}

/// A role given to somebody, in a team or in the whole tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The role: the tenant's own of that name, else the platform's.
    pub role: Name,
    /// The team it holds in (the Casbin domain `tenant/team`); `None` is every team of the tenant.
    pub team: Option<Name>,
    /// Who receives it.
    pub to: GrantSubject,
    /// The geos it holds in; empty is all.
    pub geos: Geos,
}

/// An API key without its secret: what a node needs to recognise it and to know whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// HMAC-SHA-256 under the scope key of the SHA-256 of the secret; all zero where a scope has no MAC yet (simulation).
    pub mac: [u8; 32],
    /// Which scope key made `mac`.
    pub scope_key: String,
    /// The tenant.
    pub tenant: Name,
    /// The principal of that tenant it acts for.
    pub principal: Name,
    /// The team it acts in; it decides grants, limits and jurisdictions.
    pub team: Name,
    /// Narrows the key to models; empty is all its principal may use.
    pub models: Vec<ModelGlob>,
    /// The geos it works in; empty is all.
    pub geos: Geos,
    /// The first instant at which it no longer works.
    pub expires: Option<Instant>,
    /// Taken back; a revoked key stays known so that the refusal can say so.
    pub revoked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_strict_only_ever_shortens() {
        let none = Staleness::default();
        assert_eq!((none.of_keys(), none.of_rules([].into_iter())), (Staleness::USUAL, Staleness::USUAL));
        assert_eq!(none.of_rules(["PHI", "Restricted"].into_iter()), Staleness::OF_RESTRICTED);
        let strict = Staleness { strict_revocation: true, ..none };
        assert_eq!(strict.of_keys(), Staleness::STRICT);
        let short = Staleness { keys: Some(Staleness::LEAST), rules: Some(Staleness::LEAST), ..strict };
        assert_eq!(short.of_keys(), Staleness::LEAST);
        assert_eq!(short.of_rules(["restricted"].into_iter()), Staleness::LEAST);
    }

    #[test]
    fn globs_match_whole_names() {
        let cases = [
            ("*", "gpt-4o", true),
            ("sim-*", "sim-fast", true),
            ("sim-*", "xsim-fast", false),
            ("*-mini", "gpt-4o-mini", true),
            ("g*4*o", "gpt-4o", true),
            ("g*4*o", "gpt-4o-mini", false),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
        ];
        for (glob, name, expected) in cases {
            assert_eq!(ModelGlob::new(glob).unwrap().matches(name), expected, "{glob} {name}");
        }
        for bad in ["", "a/b", "a b", "[a-z]", "ä", &"*".repeat(129)] {
            assert!(ModelGlob::new(bad).is_err(), "{bad}");
        }
        let longest = "n".repeat(128);
        assert!(ModelGlob::new(&longest).unwrap().matches(&longest), "every name is a pattern");
    }
}
