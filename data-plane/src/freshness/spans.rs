//! For how long policy is good: by what tenants say, and by the node's own configuration.

use policy_engine::facts::Staleness;
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::Duration;

/// The most that the node's own configuration allows, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtMost {
    /// For keys, roles and revocations.
    pub(crate) keys: u32,
    /// For compliance rules.
    pub(crate) rules: u32,
}

/// What the tenants of one revision allow, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spans {
    /// For keys: the least and the most of any tenant.
    pub(crate) keys: (u32, u32),
    /// For rules: the least of any tenant, and of any data class.
    pub(crate) rules: u32,
}

impl Default for AtMost {
    /// As long as any tenant may say.
    fn default() -> Self {
        let most = seconds(Staleness::MOST);
        Self { keys: most, rules: most }
    }
}

impl Spans {
    /// Of a revision's tenants.
    pub(crate) fn of(snapshot: &CompiledSnapshot) -> Self {
        let restricted =
            |staleness: &Staleness| seconds(staleness.of_rules([Staleness::RESTRICTED].into_iter()));
        let mut tenants = snapshot.tenants().map(|tenant| &tenant.staleness);
        let usual = Staleness::default();
        let first = tenants.next().unwrap_or(&usual);
        let begin = Self { keys: (of_keys(first), of_keys(first)), rules: restricted(first) };
        tenants.fold(begin, |so_far, tenant| {
            let (keys, (least, most)) = (of_keys(tenant), so_far.keys);
            Self { keys: (least.min(keys), most.max(keys)), rules: so_far.rules.min(restricted(tenant)) }
        })
    }

    /// The age from which on some request is refused.
    pub(crate) fn first(&self, at_most: AtMost) -> u32 {
        self.keys.0.min(at_most.keys).min(self.rules.min(at_most.rules))
    }
}

/// For how long a tenant's keys are good.
pub(super) fn of_keys(staleness: &Staleness) -> u32 {
    seconds(staleness.of_keys())
}

/// Whole seconds.
pub(super) fn seconds(length: Duration) -> u32 {
    u32::try_from(length.0 / super::SECOND).unwrap_or(u32::MAX)
}
