//! Prices on the routes they belong to.
//!
//! Law: a tenant's price is for that tenant's requests alone, and in the one currency it keeps its money in.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Build, meet};
use crate::facts::Price;
use crate::snapshot::registry::meant;
use crate::snapshot::rows::PriceRow;
use crate::snapshot::{People, Registry};
use crate::vocabulary::{Id, Instant, Kind};

/// A price and the endpoint it is limited to.
pub(crate) struct Placed {
    pub(crate) model: u32,
    endpoint: Option<u32>,
    row: PriceRow,
}

/// Puts each price on the targets it prices.
pub(crate) fn attach_all(build: &mut Build<'_>, people: &People, registry: &mut Registry) {
    let facts = build.facts;
    let mut by_model: Vec<Vec<(&Id, Placed)>> = Vec::new();
    by_model.resize_with(registry.models.len(), Vec::new);
    for (id, price) in &facts.prices {
        if let Some(placed) = place(build, people, registry, (id, price))
            && let Some(prices) = by_model.get_mut(placed.model as usize)
        {
            prices.push((id, placed));
        }
    }
    for (at, prices) in by_model.into_iter().enumerate() {
        attach(build, registry, at, prices);
    }
}

/// Where a price belongs; `None` where it refers to nothing.
pub(crate) fn place(
    build: &mut Build<'_>,
    people: &People,
    registry: &Registry,
    (id, price): (&Id, &Arc<Price>),
) -> Option<Placed> {
    let at = (Kind::Price, id);
    let owner = people.owner_of(build, Kind::Price, id);
    check_currency(build, people, (id, price));
    let endpoint = price.endpoint.as_ref().map(|name| {
        let found = meant(&registry.endpoints, &id.tenant, name);
        if found.is_none() {
            build.missing(at, "spec.endpoint", (Kind::Endpoint, name.as_str()));
        }
        found
    });
    let Some(model) = meant(&registry.models, &id.tenant, &price.model) else {
        build.missing(at, "spec.model", (Kind::Model, price.model.as_str()));
        return None;
    };
    let endpoint = match endpoint {
        Some(None) => return None,
        Some(found) => found,
        None => None,
    };
    Some(Placed { model, endpoint, row: PriceRow { owner, price: price.clone() } })
}

/// Puts a model's prices, which come in the order of their ids, on its targets: the tenant's own before the platform's, the
/// endpoint's own before the model's, then the latest beginning.
pub(crate) fn attach(
    build: &mut Build<'_>,
    registry: &mut Registry,
    model: usize,
    prices: Vec<(&Id, Placed)>,
) {
    let mut twins = Twins::default();
    prices.iter().for_each(|(id, placed)| twins.check(build, (id, placed)));
    let mut prices: Vec<Placed> = prices.into_iter().map(|(_, placed)| placed).collect();
    prices.sort_by_key(|p| {
        let begins = p.row.price.valid_from.unwrap_or(Instant(i64::MIN));
        std::cmp::Reverse((p.row.owner.is_some(), p.endpoint.is_some(), begins))
    });
    // Most models have no price of a single endpoint, and all their targets share one list.
    let rows = |of: &dyn Fn(&Placed) -> bool| -> Arc<[PriceRow]> {
        prices.iter().filter(|p| of(p)).map(|p| p.row.clone()).collect()
    };
    let shared = rows(&|placed| placed.endpoint.is_none());
    for target in registry.models.get_mut(model).into_iter().flat_map(|model| &mut model.targets) {
        let own = prices.iter().any(|p| p.endpoint == Some(target.endpoint));
        target.prices = match own {
            true => rows(&|placed| placed.endpoint.is_none_or(|e| e == target.endpoint)),
            false => shared.clone(),
        };
    }
}

fn check_currency(build: &mut Build<'_>, people: &People, (id, price): (&Id, &Arc<Price>)) {
    if let Some(tenant) = people.tenant_row(id.tenant.as_ref())
        && tenant.currency != price.currency
    {
        let message = format!("the tenant keeps its money in {}, not in {}", tenant.currency, price.currency);
        build.fault((Kind::Price, id), "spec.currency", "currency", message);
    }
}

/// What two prices of one owner and model must not share: the endpoint and the beginning.
type Slot = (Option<u32>, Option<u32>, Option<Instant>);

/// Prices of one model by what they are for and when they begin: of two such, nobody could say which holds.
#[derive(Default)]
struct Twins<'p>(HashMap<Slot, Vec<(&'p Id, Arc<Price>)>>);

impl<'p> Twins<'p> {
    fn check(&mut self, build: &mut Build<'_>, (id, placed): (&'p Id, &Placed)) {
        let price = &placed.row.price;
        let slot = (placed.row.owner, placed.endpoint, price.valid_from);
        let same = self.0.entry(slot).or_default();
        if let Some((other, _)) = same.iter().find(|(_, other)| meet(&other.geos, &price.geos)) {
            let message = format!("`{}` prices the same from the same instant", other.name);
            build.fault((Kind::Price, id), "spec.validFrom", "duplicate", message);
        }
        same.push((id, price.clone()));
    }
}
