//! Limits under the narrowest part of their scope, and whether what they count can be counted.

use super::build::{Build, ModelSets, Positions};
use super::currencies::Currencies;
use super::people::People;
use super::registry::Registry;
use crate::facts::{Bound, Each, Limit};
use crate::snapshot::rows::LimitFilter;
use crate::snapshot::{LimitIndex, LimitRow};
use crate::vocabulary::{Id, Kind, Money, Name};

pub(super) fn compile(
    build: &mut Build<'_>,
    people: &People,
    registry: &Registry,
    models: &mut ModelSets<'_>,
) -> (Vec<LimitRow>, LimitIndex) {
    let (mut rows, mut index) = (Vec::new(), LimitIndex::default());
    let scope = Scopes {
        people,
        endpoints: Positions::of(registry.endpoints.iter().map(|e| &e.id)),
        providers: Positions::of(registry.providers.iter().map(|p| &p.id)),
    };
    let currencies = Currencies::of(registry);
    for (id, limit) in &build.facts.limits {
        let filter = scope.filter(build, models, (id, limit));
        if let Bound::Spend(money, _) = limit.bound {
            check_currency(
                build,
                people,
                (id, money),
                currencies.conflict(registry, &filter, money.currency),
            );
        }
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
            models: limit.scope.model.clone(),
            on_store_loss: limit.on_store_loss,
            filter,
        });
    }
    (rows, index)
}

struct Scopes<'a> {
    people: &'a People,
    endpoints: Positions,
    providers: Positions,
}

impl Scopes<'_> {
    fn filter(&self, build: &mut Build<'_>, models: &mut ModelSets<'_>, limit: (&Id, &Limit)) -> LimitFilter {
        let (id, limit) = limit;
        let at = (Kind::Limit, id);
        let scope = &limit.scope;
        let mut filter = self.callers(build, id, limit);
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
        let narrow = scope.model.as_ref().filter(|pattern| pattern.as_str() != "*");
        filter.models = narrow.map(|pattern| models.of(std::slice::from_ref(pattern)));
        filter
    }

    /// The part of the scope that says whose requests are counted; all of it lies within the limit's own tenant.
    fn callers(&self, build: &mut Build<'_>, id: &Id, limit: &Limit) -> LimitFilter {
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
            let of_others = |owner: &Name| id.tenant.as_ref().is_some_and(|t| t != owner);
            if build.facts.keys.get(key).is_none_or(|key| of_others(&key.tenant)) {
                build.missing(at, "spec.scope.key", (Kind::Key, key.as_str()));
            }
        }
        filter
    }
}

/// A spend limit counts one currency: its tenant's, and that of every price it can meet.
fn check_currency(build: &mut Build<'_>, people: &People, limit: (&Id, Money), conflict: Option<String>) {
    let (id, money) = limit;
    let tenant = id.tenant.as_ref().and_then(|t| people.tenant_at.get(t));
    let kept = tenant.and_then(|t| people.tenants.get(*t as usize)).map(|t| t.currency);
    let message = match kept.filter(|kept| *kept != money.currency) {
        Some(kept) => Some(format!("the tenant keeps its money in {kept}, not in {}", money.currency)),
        None => conflict,
    };
    if let Some(message) = message {
        build.fault((Kind::Limit, id), "spec.bound.spend", "currency", message);
    }
}
