//! Limits, and whether what they count can be counted.

use super::build::{Build, ModelSets};
use super::currencies::Currencies;
use crate::facts::{Bound, Each, Limit};
use crate::snapshot::registry::meant;
use crate::snapshot::rows::LimitFilter;
use crate::snapshot::{LimitRow, Limits, People, Registry};
use crate::vocabulary::{Id, Kind, Money, Name};

pub(super) fn compile(
    build: &mut Build<'_>,
    people: &People,
    registry: &Registry,
    models: &mut ModelSets,
) -> Limits {
    let mut limits = Limits::default();
    let scopes = Scopes { people, registry };
    for (id, limit) in &build.facts.limits {
        limits.put(scopes.row(build, models, (id, limit)));
    }
    let currencies = Currencies::of(registry);
    for row in limits.rows.iter() {
        scopes.check_money(build, &currencies, row);
    }
    limits
}

/// What a limit's scope may name.
pub(crate) struct Scopes<'a> {
    pub(crate) people: &'a People,
    pub(crate) registry: &'a Registry,
}

impl Scopes<'_> {
    pub(crate) fn row(
        &self,
        build: &mut Build<'_>,
        models: &mut ModelSets,
        limit: (&Id, &Limit),
    ) -> LimitRow {
        let (id, limit) = limit;
        let at = (Kind::Limit, id);
        let scope = &limit.scope;
        let mut filter = self.callers(build, id, limit);
        if let Some(name) = &scope.endpoint {
            filter.endpoint = meant(&self.registry.endpoints, &id.tenant, name);
            if filter.endpoint.is_none() {
                build.missing(at, "spec.scope.endpoint", (Kind::Endpoint, name.as_str()));
            }
        }
        if let Some(name) = &scope.provider {
            filter.provider = meant(&self.registry.providers, &id.tenant, name);
            if filter.provider.is_none() {
                build.missing(at, "spec.scope.provider", (Kind::Provider, name.as_str()));
            }
        }
        let narrow = scope.model.as_ref().filter(|pattern| pattern.as_str() != "*");
        filter.models = narrow.map(|pattern| models.of(std::slice::from_ref(pattern)));
        LimitRow {
            id: id.clone(),
            bound: limit.bound,
            each: scope.each.filter(|each| *each != Each::Scope),
            models: scope.model.clone(),
            on_store_loss: limit.on_store_loss,
            filter,
        }
    }

    /// The part of the scope that says whose requests are counted; all of it lies within the limit's own tenant.
    fn callers(&self, build: &mut Build<'_>, id: &Id, limit: &Limit) -> LimitFilter {
        let at = (Kind::Limit, id);
        let (scope, tenant) = (&limit.scope, self.people.owner_of(build, Kind::Limit, id));
        let mut filter = LimitFilter { tenant, ..LimitFilter::default() };
        if let Some(team) = &scope.team {
            filter.team = self.people.team(tenant, team);
            if filter.team.is_none() {
                build.missing(at, "spec.scope.team", (Kind::Team, team.as_str()));
            }
        }
        if let Some(who) = &scope.principal {
            filter.principal = self.people.principal(tenant, who);
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

    /// A spend limit counts one currency: its tenant's, and that of every price it can meet.
    pub(crate) fn check_money(&self, build: &mut Build<'_>, currencies: &Currencies, limit: &LimitRow) {
        let Bound::Spend(Money { currency, .. }, _) = limit.bound else { return };
        let kept = self.people.tenant_row(limit.id.tenant.as_ref()).map(|tenant| tenant.currency);
        let message = match kept.filter(|kept| *kept != currency) {
            Some(kept) => Some(format!("the tenant keeps its money in {kept}, not in {currency}")),
            None => currencies.conflict(self.registry, &limit.filter, currency),
        };
        if let Some(message) = message {
            build.fault((Kind::Limit, &limit.id), "spec.bound.spend", "currency", message);
        }
    }
}
