//! Whether facts shrink as only an accident would make them.
//!
//! Law: both planes ask this same question, the control plane of its author, a node of what it is sent. Losing all of a kind that
//! requests are judged by is one, and losing more than half of everything, where that is more than a handful.

use crate::facts::Facts;

/// Fewer facts than these may be halved: there it is a day's work and no accident.
const SMALL: usize = 20;

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
    let kinds = |facts: &Facts| {
        let (keys, models) = (facts.keys.len(), facts.models.len());
        [("keys", keys), ("models", models), ("grants", facts.grants.len()), ("rules", facts.rules.len())]
    };
    let mut all = kinds(before).into_iter().zip(kinds(after));
    let gone = all.find(|((_, before), (_, after))| *before > 0 && *after == 0);
    let gone = gone.map(|((what, before), (_, after))| Shrunk { what, before, after });
    let (then, now) = (count(before), count(after));
    let halved = then >= SMALL && now < then.div_ceil(2);
    gone.or(halved.then_some(Shrunk { what: "resources", before: then, after: now }))
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
