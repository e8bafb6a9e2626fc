//! Prices on the routes they belong to.
//!
//! Law: a tenant's price is for that tenant's requests alone, and in the one currency it keeps its money in.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Build, Positions, meet};
use super::people::People;
use super::registry::Registry;
use crate::facts::Price;
use crate::snapshot::rows::PriceRow;
use crate::vocabulary::{Id, Instant, Kind};

/// A price and the endpoint it is limited to.
struct Placed {
    endpoint: Option<u32>,
    row: PriceRow,
}

/// Puts each price on the targets it prices: the tenant's own before the platform's, the endpoint's own before the model's,
/// then the latest beginning.
pub(super) fn attach(build: &mut Build<'_>, people: &People, registry: &mut Registry) {
    let facts = build.facts;
    let models = Positions::of(registry.models.iter().map(|m| &m.id));
    let endpoints = Positions::of(registry.endpoints.iter().map(|e| &e.id));
    let mut by_model: Vec<Vec<Placed>> = registry.models.iter().map(|_| Vec::new()).collect();
    let mut twins = Twins::default();
    for (id, price) in &facts.prices {
        let at = (Kind::Price, id);
        let owner = people.owner_of(build, Kind::Price, id);
        check_currency(build, people, owner, (id, price));
        let endpoint = price.endpoint.as_ref().map(|name| {
            let found = endpoints.resolve(&id.tenant, name);
            if found.is_none() {
                build.missing(at, "spec.endpoint", (Kind::Endpoint, name.as_str()));
            }
            found
        });
        let Some(model) = models.resolve(&id.tenant, &price.model) else {
            build.missing(at, "spec.model", (Kind::Model, price.model.as_str()));
            continue;
        };
        let endpoint = match endpoint {
            Some(None) => continue,
            Some(found) => found,
            None => None,
        };
        twins.check(build, (owner, model, endpoint), (id, price));
        if let Some(prices) = by_model.get_mut(model as usize) {
            prices.push(Placed { endpoint, row: PriceRow { owner, price: price.clone() } });
        }
    }
    for (model, prices) in registry.models.iter_mut().zip(&mut by_model) {
        prices.sort_by_key(|p| {
            let begins = p.row.price.valid_from.unwrap_or(Instant(i64::MIN));
            std::cmp::Reverse((p.row.owner.is_some(), p.endpoint.is_some(), begins))
        });
        // Most models have no price of a single endpoint, and all their targets share one list.
        let rows = |of: &dyn Fn(&Placed) -> bool| -> Arc<[PriceRow]> {
            prices.iter().filter(|p| of(p)).map(|p| p.row.clone()).collect()
        };
        let shared = rows(&|placed| placed.endpoint.is_none());
        for target in &mut model.targets {
            let own = prices.iter().any(|p| p.endpoint == Some(target.endpoint));
            target.prices = match own {
                true => rows(&|placed| placed.endpoint.is_none_or(|e| e == target.endpoint)),
                false => shared.clone(),
            };
        }
    }
}

fn check_currency(build: &mut Build<'_>, people: &People, owner: Option<u32>, price: (&Id, &Arc<Price>)) {
    let (id, price) = price;
    if let Some(tenant) = owner.and_then(|t| people.tenants.get(t as usize))
        && tenant.currency != price.currency
    {
        let message = format!("the tenant keeps its money in {}, not in {}", tenant.currency, price.currency);
        build.fault((Kind::Price, id), "spec.currency", "currency", message);
    }
}

/// What two prices of one owner must not share: the model, the endpoint and the beginning.
type Slot = ((Option<u32>, u32, Option<u32>), Option<Instant>);

/// Prices by what they are for and when they begin: of two such, nobody could say which holds.
#[derive(Default)]
struct Twins<'f>(HashMap<Slot, Vec<(&'f Id, &'f Arc<Price>)>>);

impl<'f> Twins<'f> {
    fn check(
        &mut self,
        build: &mut Build<'f>,
        place: (Option<u32>, u32, Option<u32>),
        price: (&'f Id, &'f Arc<Price>),
    ) {
        let same = self.0.entry((place, price.1.valid_from)).or_default();
        if let Some((other, _)) = same.iter().find(|(_, other)| meet(&other.geos, &price.1.geos)) {
            let message = format!("`{}` prices the same from the same instant", other.name);
            build.fault((Kind::Price, price.0), "spec.validFrom", "duplicate", message);
        }
        same.push(price);
    }
}
