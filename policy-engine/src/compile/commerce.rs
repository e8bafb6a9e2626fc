//! Prices on the routes they belong to, and limits under the narrowest part of their scope.

use std::sync::Arc;

use super::people::People;
use super::registry::Registry;
use super::{Build, Positions, bits};
use crate::facts::{Bound, Each, Limit, Price};
use crate::snapshot::rows::{LimitFilter, TargetRow};
use crate::snapshot::{LimitIndex, LimitRow};
use crate::vocabulary::{Id, Instant, Kind};

/// Puts each price on the targets it prices: the endpoint's own before the model's, then the latest beginning.
pub(super) fn attach_prices(build: &mut Build<'_>, registry: &mut Registry) {
    let models = Positions::of(registry.models.iter().map(|m| &m.id));
    let endpoints = Positions::of(registry.endpoints.iter().map(|e| &e.id));
    let mut by_model: Vec<Vec<(Option<u32>, Arc<Price>)>> = vec![Vec::new(); registry.models.len()];
    for (id, price) in &build.facts.prices {
        let at = (Kind::Price, id);
        let endpoint = match &price.endpoint {
            None => None,
            Some(name) => match endpoints.resolve(&id.tenant, name) {
                Some(endpoint) => Some(endpoint),
                None => {
                    build.missing(at, "spec.endpoint", (Kind::Endpoint, name.as_str()));
                    continue;
                }
            },
        };
        match models.resolve(&id.tenant, &price.model) {
            Some(model) => {
                if let Some(prices) = by_model.get_mut(model as usize) {
                    prices.push((endpoint, price.clone()));
                }
            }
            None => build.missing(at, "spec.model", (Kind::Model, price.model.as_str())),
        }
    }
    for (model, prices) in registry.models.iter_mut().zip(by_model) {
        for target in &mut model.targets {
            target.prices = prices_of(target, &prices);
        }
    }
}

fn prices_of(target: &TargetRow, all: &[(Option<u32>, Arc<Price>)]) -> Box<[Arc<Price>]> {
    let mut here: Vec<_> = all.iter().filter(|(e, _)| e.is_none_or(|e| e == target.endpoint)).collect();
    here.sort_by_key(|(e, p)| std::cmp::Reverse((e.is_some(), p.valid_from.unwrap_or(Instant(i64::MIN)))));
    here.into_iter().map(|(_, p)| p.clone()).collect()
}

pub(super) fn compile_limits(
    build: &mut Build<'_>,
    people: &People,
    registry: &Registry,
) -> (Vec<LimitRow>, LimitIndex) {
    let (mut rows, mut index) = (Vec::new(), LimitIndex::default());
    let scope = ScopePositions {
        people,
        registry,
        endpoints: Positions::of(registry.endpoints.iter().map(|e| &e.id)),
        providers: Positions::of(registry.providers.iter().map(|p| &p.id)),
    };
    for (id, limit) in &build.facts.limits {
        let filter = scope.filter(build, id, limit);
        check_bound(build, people, (id, limit), &filter, registry);
        let at = rows.len() as u32;
        match &filter {
            LimitFilter { key: Some(key), .. } => index.by_key.entry(key.clone()).or_default().push(at),
            LimitFilter { principal: Some(who), .. } => index.by_principal.entry(*who).or_default().push(at),
            LimitFilter { team: Some(team), .. } => index.by_team.entry(*team).or_default().push(at),
            LimitFilter { tenant: Some(tenant), .. } => index.by_tenant.entry(*tenant).or_default().push(at),
            _ => index.platform.push(at),
        }
        rows.push(LimitRow {
            id: id.clone(),
            bound: limit.bound,
            each: limit.scope.each.filter(|each| *each != Each::Scope),
            on_store_loss: limit.on_store_loss,
            filter,
        });
    }
    (rows, index)
}

struct ScopePositions<'a> {
    people: &'a People,
    registry: &'a Registry,
    endpoints: Positions,
    providers: Positions,
}

impl ScopePositions<'_> {
    fn filter(&self, build: &mut Build<'_>, id: &Id, limit: &Limit) -> LimitFilter {
        let at = (Kind::Limit, id);
        let (scope, tenant) = (&limit.scope, self.people.owner_of(build, Kind::Limit, id));
        let mut filter = LimitFilter { tenant, ..LimitFilter::default() };
        if let Some(team) = &scope.team {
            filter.team = tenant.and_then(|t| self.people.team_at.get(&(t, team.clone()))).copied();
            if filter.team.is_none() {
                build.missing(at, "spec.scope.team", (Kind::Team, team.as_str()));
            }
        }
        if let Some(who) = &scope.principal {
            filter.principal = tenant.and_then(|t| self.people.principal_at.get(&(t, who.clone()))).copied();
            if filter.principal.is_none() {
                build.missing(at, "spec.scope.principal", (Kind::Principal, who.as_str()));
            }
        }
        if let Some(key) = &scope.key {
            filter.key = Some(Box::from(key.as_str()));
            if !build.facts.keys.contains_key(key) {
                build.missing(at, "spec.scope.key", (Kind::Key, key.as_str()));
            }
        }
        if let Some(name) = &scope.endpoint {
            filter.endpoint = self.endpoints.resolve(&id.tenant, name);
            if filter.endpoint.is_none() {
                build.missing(at, "spec.scope.endpoint", (Kind::Endpoint, name.as_str()));
            }
        }
        if let Some(name) = &scope.provider {
            filter.provider = self.providers.resolve(&id.tenant, name);
            if filter.provider.is_none() {
                build.missing(at, "spec.scope.provider", (Kind::Provider, name.as_str()));
            }
        }
        if let Some(glob) = scope.model.as_ref().filter(|g| g.as_str() != "*") {
            let models = self.registry.models.iter().enumerate();
            let fits = models.filter(|(_, m)| glob.matches(m.id.name.as_str())).map(|(n, _)| n);
            filter.models = Some(bits(self.registry.models.len(), fits));
        }
        filter
    }
}

/// A spend limit counts one currency: its tenant's, and that of every price it can meet.
fn check_bound(
    build: &mut Build<'_>,
    people: &People,
    limit: (&Id, &Limit),
    filter: &LimitFilter,
    registry: &Registry,
) {
    let (id, limit) = limit;
    let Bound::Spend(money, _) = limit.bound else { return };
    let at = (Kind::Limit, id);
    if let Some(tenant) = filter.tenant.and_then(|t| people.tenants.get(t as usize))
        && tenant.currency != money.currency
    {
        let message = format!("the tenant keeps its money in {}, not in {}", tenant.currency, money.currency);
        build.fault(at, "spec.bound.spend", "currency", message);
        return;
    }
    let counts = |n: usize| {
        filter.models.as_deref().is_none_or(|b| b.get(n / 64).is_some_and(|w| w & (1 << (n % 64)) != 0))
    };
    let reached = registry.models.iter().enumerate().filter(|(n, m)| {
        counts(*n) && (m.tenant.is_none() || filter.tenant.is_none() || m.tenant == filter.tenant)
    });
    let prices = reached.flat_map(|(_, m)| m.targets.iter().flat_map(|t| t.prices.iter()));
    if let Some(price) = prices.filter(|p| p.currency != money.currency).min_by_key(|p| p.model.clone()) {
        let message =
            format!("it counts {}, but `{}` is priced in {}", money.currency, price.model, price.currency);
        build.fault(at, "spec.bound.spend", "currency", message);
    }
}
