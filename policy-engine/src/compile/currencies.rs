//! Which models are priced in which currency, so that each spend limit is checked without walking every price.

use std::collections::BTreeMap;

use super::build::set_bit;
use crate::snapshot::Registry;
use crate::snapshot::rows::{LimitFilter, TargetRow};
use crate::vocabulary::Currency;

/// Models with a price in a currency, as bits, by whose price it is.
pub(crate) struct Currencies(BTreeMap<(Option<u32>, Currency), Vec<u64>>);

impl Currencies {
    pub(crate) fn of(registry: &Registry) -> Self {
        let mut priced: BTreeMap<(Option<u32>, Currency), Vec<u64>> = BTreeMap::new();
        let words = registry.models.len().div_ceil(64);
        for (at, model) in registry.models.iter().enumerate() {
            for row in model.targets.iter().flat_map(|target| target.prices.iter()) {
                let owned = priced.entry((row.owner, row.price.currency)).or_insert_with(|| vec![0; words]);
                set_bit(owned, at);
            }
        }
        Self(priced)
    }

    /// What contradicts a limit that counts `currency`, if anything it can meet is priced in another.
    pub(super) fn conflict(
        &self,
        registry: &Registry,
        limit: &LimitFilter,
        currency: Currency,
    ) -> Option<String> {
        let meets = |owner: &Option<u32>| owner.is_none() || limit.tenant.is_none() || *owner == limit.tenant;
        let others = self.0.iter().filter(|((owner, priced), _)| *priced != currency && meets(owner));
        for ((owner, priced), models) in others {
            for (n, word) in models.iter().enumerate() {
                let counted = limit.models.as_deref().map_or(u64::MAX, |m| m.get(n).copied().unwrap_or(0));
                let met = (0..64).filter(|bit| word & counted & (1 << bit) != 0).map(|bit| n * 64 + bit);
                let mut met = met.filter_map(|at| registry.models.get(at));
                let prices = |target: &&TargetRow| {
                    let mine = |p: &crate::snapshot::rows::PriceRow| {
                        p.owner == *owner && p.price.currency == *priced
                    };
                    counts(registry, limit, target) && target.prices.iter().any(mine)
                };
                if let Some(model) = met.find(|model| model.targets.iter().any(|target| prices(&target))) {
                    return Some(format!(
                        "it counts {currency}, but `{}` is priced in {priced}",
                        model.id.name
                    ));
                }
            }
        }
        None
    }
}

/// Whether a limit counts what goes to a target.
fn counts(registry: &Registry, limit: &LimitFilter, target: &TargetRow) -> bool {
    let provider = registry.endpoints.get(target.endpoint as usize).map(|e| e.provider);
    limit.endpoint.is_none_or(|e| e == target.endpoint) && limit.provider.is_none_or(|p| Some(p) == provider)
}
