//! What a request costs, and what counts it.

use std::sync::Arc;

use policy_engine::facts::{Bound, Limit, Price};
use policy_engine::vocabulary::{Id, Name};

use super::super::ask::Terms;
use super::super::world::model_named;
use super::{Asking, meant};

impl Asking<'_> {
    /// The price in force: the tenant's or the platform's, whichever is greater.
    pub(super) fn price(&self, endpoint: &Id) -> Option<i64> {
        let own = self.price_of(Some(&self.tenant), endpoint);
        own.max(self.price_of(None, endpoint))
    }

    /// An owner's price in force: of the endpoint before of the model, the latest that has begun.
    fn price_of(&self, owner: Option<&Name>, endpoint: &Id) -> Option<i64> {
        let prices = self.facts.prices.iter().filter(|(id, price)| {
            id.tenant.as_ref() == owner
                && model_named(&self.facts.models, &id.tenant, &price.model).as_ref() == Some(&self.model_id)
                && price.endpoint.as_ref().is_none_or(|e| meant(&self.facts.endpoints, id, e) == *endpoint)
                && price.valid_from.is_none_or(|from| from <= self.question.instant)
        });
        let rank = |(_, price): &(&Id, &Arc<Price>)| {
            (price.endpoint.is_some(), price.valid_from.map_or(i64::MIN, |from| from.0))
        };
        prices.max_by_key(rank).map(|(_, price)| price.per_million.input)
    }

    /// Notes what counts it; a candidate without a price falls under a limit on spend.
    pub(super) fn limit(&self, terms: &mut Terms) -> Result<(), &'static str> {
        let mine: Vec<(&Id, &Limit)> = self
            .facts
            .limits
            .iter()
            .map(|(id, limit)| (id, &**limit))
            .filter(|(id, l)| self.counts(id, l))
            .collect();
        for (id, limit) in mine {
            let scope = &limit.scope;
            let per_candidate = scope.endpoint.is_some() || scope.provider.is_some();
            if !per_candidate {
                terms.limits.insert(id.clone());
            }
            let facts = self.facts;
            terms.candidates.retain(|endpoint, (price, limits)| {
                let vendor = facts.endpoints[endpoint].provider.clone();
                let vendor = Id { tenant: endpoint.tenant.clone(), name: vendor };
                let counted =
                    scope.endpoint.as_ref().is_none_or(|e| meant(&facts.endpoints, id, e) == *endpoint)
                        && scope.provider.as_ref().is_none_or(|p| meant(&facts.providers, id, p) == vendor);
                if counted && per_candidate {
                    limits.insert(id.clone());
                }
                !(counted && matches!(limit.bound, Bound::Spend(..)) && price.is_none())
            });
        }
        if terms.candidates.is_empty() { Err("unpriced_model") } else { Ok(()) }
    }

    fn counts(&self, id: &Id, limit: &Limit) -> bool {
        let scope = &limit.scope;
        id.tenant.as_ref().is_none_or(|owner| *owner == self.tenant)
            && scope.team.as_ref().is_none_or(|team| *team == self.team_name)
            && scope.principal.as_ref().is_none_or(|who| *who == self.principal.0.name)
            && scope.key.as_ref().is_none_or(|key| self.question.key == Some(key.as_str()))
            && scope.model.as_ref().is_none_or(|model| model.matches(self.model_id.name.as_str()))
    }
}
