//! Limits: those that changed, and whether any counts money that it cannot.

use super::Applying;
use crate::compile::build::ModelSets;
use crate::compile::currencies::Currencies;
use crate::compile::limits::Scopes;
use crate::facts::Bound;
use crate::vocabulary::Kind;

impl Applying<'_> {
    pub(super) fn limits(&mut self, models: &mut ModelSets) {
        let facts = self.build.facts;
        let scopes = Scopes { people: &self.next.people, registry: &self.next.registry };
        let mut spending = Vec::new();
        for id in self.changed.get(&Kind::Limit).into_iter().flatten() {
            let Some(limit) = facts.limits.get(id) else {
                self.next.limits.remove(id);
                continue;
            };
            let row = scopes.row(&mut self.build, models, (id, limit));
            if matches!(row.bound, Bound::Spend(..)) {
                spending.push(row.clone());
            }
            self.next.limits.put(row);
        }
        if self.prices_moved {
            let spends = self.next.limits.rows.iter().filter(|row| matches!(row.bound, Bound::Spend(..)));
            spending = spends.cloned().collect();
        }
        if spending.is_empty() {
            return;
        }
        let currencies = Currencies::of(&self.next.registry);
        for row in &spending {
            scopes.check_money(&mut self.build, &currencies, row);
        }
    }
}
