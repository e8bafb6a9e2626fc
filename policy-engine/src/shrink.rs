//! Whether facts shrink as only an accident would make them.
//!
//! Law: both planes ask this same question, the control plane of its author, a node of what it is sent. Losing all of a kind that
//! requests are judged by is one, and losing more than half of everything, where that is more than a handful.

use crate::facts::Facts;

/// Fewer facts than these may be halved: there it is a day's work and no accident.
const SMALL: usize = 20;

/// How many facts there are, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// API keys.
    pub keys: usize,
    /// Models.
    pub models: usize,
    /// Grants.
    pub grants: usize,
    /// Rules.
    pub rules: usize,
    /// Resources of all kinds.
    pub all: usize,
}

/// What there is much less of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunk {
    /// In the plural: keys, models, grants, rules, or resources of all kinds.
    pub what: &'static str,
    /// How many there were.
    pub before: usize,
    /// How many there are.
    pub after: usize,
}

/// What there is much less of than before; `None` where nothing is.
pub fn shrunk(before: &Facts, after: &Facts) -> Option<Shrunk> {
    Sizes::of(before).shrunk(Sizes::of(after))
}

impl Sizes {
    /// Those of facts.
    pub fn of(facts: &Facts) -> Self {
        Self {
            keys: facts.keys.len(),
            models: facts.models.len(),
            grants: facts.grants.len(),
            rules: facts.rules.len(),
            all: count(facts),
        }
    }

    /// What there is much less of afterwards; `None` where nothing is.
    pub fn shrunk(self, after: Self) -> Option<Shrunk> {
        let kinds = |sizes: Self| {
            [("keys", sizes.keys), ("models", sizes.models), ("grants", sizes.grants), ("rules", sizes.rules)]
        };
        let mut pairs = kinds(self).into_iter().zip(kinds(after));
        let gone = pairs.find(|((_, before), (_, after))| *before > 0 && *after == 0);
        let gone = gone.map(|((what, before), (_, after))| Shrunk { what, before, after });
        let halved = self.all >= SMALL && after.all < self.all.div_ceil(2);
        gone.or(halved.then_some(Shrunk { what: "resources", before: self.all, after: after.all }))
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            keys: self.keys.max(other.keys),
            models: self.models.max(other.models),
            grants: self.grants.max(other.grants),
            rules: self.rules.max(other.rules),
            all: self.all.max(other.all),
        }
    }
}

/// Resources of all kinds.
fn count(facts: &Facts) -> usize {
    [
        facts.tenants.len(),
        facts.teams.len(),
        facts.principals.len(),
        facts.roles.len(),
        facts.grants.len(),
        facts.providers.len(),
        facts.endpoints.len(),
        facts.licences.len(),
        facts.acceptances.len(),
        facts.models.len(),
        facts.limits.len(),
        facts.rules.len(),
        facts.guardrails.len(),
        facts.prices.len(),
        facts.keys.len(),
    ]
    .into_iter()
    .fold(0, usize::saturating_add)
}
