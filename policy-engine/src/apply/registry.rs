//! Providers, endpoints, licences, models, and what is told of them: acceptances and prices.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Applying;
use crate::compile::build::ModelSets;
use crate::compile::{content, licences, prices, registry};
use crate::facts::{Change, LimitScope, owned_by, users_but_keys};
use crate::snapshot::registry::position;
use crate::snapshot::{Narrowing, TeamRow};
use crate::vocabulary::{Id, Kind, Name};

impl Applying<'_> {
    /// Rows ascend by id and sets of models are as wide as there are models: where something comes or goes, all of the registry is
    /// made anew, and what refers to it by position is told later. What stays is put in its place.
    pub(super) fn registry(&mut self) -> Option<()> {
        let kinds = [Kind::Provider, Kind::Endpoint, Kind::Licence, Kind::Model];
        let mut changed = kinds.iter().flat_map(|kind| self.changed(*kind).into_iter().map(|id| (*kind, id)));
        match changed.any(|(kind, id)| !self.stays(kind, &id)) {
            true => self.register_anew(),
            false => self.register(),
        }
    }

    /// Whether a thing of the registry was there, is there, and keeps the text that teams have accepted.
    fn stays(&self, kind: Kind, id: &Id) -> bool {
        let (before, after) = (self.before, self.build.facts);
        match kind {
            Kind::Provider => before.providers.contains_key(id) && after.providers.contains_key(id),
            Kind::Endpoint => before.endpoints.contains_key(id) && after.endpoints.contains_key(id),
            Kind::Model => before.models.contains_key(id) && after.models.contains_key(id),
            _ => {
                let both = before.licences.get(id).zip(after.licences.get(id));
                both.is_some_and(|(old, new)| old.text_digest == new.text_digest)
            }
        }
    }

    fn register_anew(&mut self) -> Option<()> {
        let people = &mut self.next.people;
        let mut registry = registry::compile(&mut self.build, people);
        people.teams.change(|team| {
            (!team.accepted.is_empty()).then(|| TeamRow { accepted: Box::default(), ..team.clone() })
        });
        licences::accept_all(&mut self.build, people, &registry);
        prices::attach_all(&mut self.build, people, &mut registry);
        let ids: Vec<Id> = registry.models.iter().map(|model| model.id.clone()).collect();
        Arc::make_mut(&mut self.next.roles).remodel(&ids)?;
        self.next.registry = registry;
        // Both are done, for all there are.
        self.changed.remove(&Kind::LicenceAcceptance);
        self.changed.remove(&Kind::Price);
        (self.prices_moved, self.reshaped) = (true, true);
        Some(())
    }

    /// Tells what refers to models, endpoints and providers where these are now.
    pub(super) fn remodel(&mut self, models: &mut ModelSets) {
        let facts = self.build.facts;
        let refers = |scope: &LimitScope| {
            scope.model.is_some() || scope.endpoint.is_some() || scope.provider.is_some()
        };
        let limits = facts.limits.iter().filter(|(_, limit)| refers(&limit.scope));
        limits.for_each(|(id, _)| self.touch(Kind::Limit, id.clone()));
        self.next.narrowings.sets.change(|set| {
            Some(Narrowing { patterns: set.patterns.clone(), models: models.of(&set.patterns).into() })
        });
        content::remodel(facts, models, &mut self.next.content);
    }

    fn register(&mut self) -> Option<()> {
        let (before, after) = (self.before, self.build.facts);
        let (people, registry) = (&self.next.people, &mut self.next.registry);
        let changed = |kind| self.changed.get(&kind).into_iter().flatten().cloned().collect::<Vec<Id>>();
        let mut endpoints: BTreeSet<Id> = changed(Kind::Endpoint).into_iter().collect();
        for id in changed(Kind::Provider) {
            let (old, new) = before.providers.get(&id).zip(after.providers.get(&id))?;
            registry.put_provider(&mut self.build, people, (&id, new));
            if old.terms != new.terms {
                let users = users_but_keys(after, &Change { kind: Kind::Provider, id });
                endpoints.extend(users.into_iter().filter(|c| c.kind == Kind::Endpoint).map(|c| c.id));
            }
        }
        for id in changed(Kind::Licence) {
            registry.put_licence(&mut self.build, people, (&id, after.licences.get(&id)?));
        }
        for id in endpoints {
            let (old, new) = before.endpoints.get(&id).zip(after.endpoints.get(&id))?;
            self.prices_moved |= old.provider != new.provider;
            registry.put_endpoint(&mut self.build, people, (&id, new));
        }
        let models = changed(Kind::Model);
        let mut renamed = Vec::new();
        for id in &models {
            let (old, new) = before.models.get(id).zip(after.models.get(id))?;
            self.prices_moved |= old.route != new.route;
            if old.aliases != new.aliases {
                registry.unname_model(id);
                renamed.push(id);
            }
        }
        for id in &models {
            registry.put_model(&mut self.build, people, (id, after.models.get(id)?));
        }
        renamed.into_iter().for_each(|id| registry.name_model(&mut self.build, id));
        Some(())
    }

    /// What teams have accepted, where an acceptance of theirs changed.
    pub(super) fn acceptances(&mut self) {
        let facts = self.build.facts;
        let mut teams: BTreeSet<(Option<Name>, Name)> = BTreeSet::new();
        for id in self.changed(Kind::LicenceAcceptance) {
            let both = [self.before, facts];
            let versions = both.iter().filter_map(|facts| facts.acceptances.get(&id));
            teams.extend(versions.map(|fact| (id.tenant.clone(), fact.team.clone())));
            if let Some(fact) = facts.acceptances.get(&id) {
                licences::accepted(&mut self.build, &self.next.people, &self.next.registry, (&id, fact));
            }
        }
        for (tenant, team) in teams {
            let all = owned_by(&facts.acceptances, tenant.as_ref()).filter(|(_, fact)| fact.team == team);
            let accepted = all.filter_map(|(id, fact)| {
                licences::accepted(&mut self.build, &self.next.people, &self.next.registry, (id, fact))
            });
            let accepted: Vec<(u32, u32)> = accepted.collect();
            let people = &mut self.next.people;
            let at = people.team(tenant.and_then(|tenant| people.tenant(&tenant)), &team);
            if let Some(row) = at.and_then(|at| people.teams.get_mut(at as usize)) {
                row.accepted = Box::default();
            }
            people.accept(accepted);
        }
    }

    /// The prices of models that changed, or of which a price did.
    pub(super) fn prices(&mut self) {
        let facts = self.build.facts;
        let changed = self.changed(Kind::Price);
        self.prices_moved |= !changed.is_empty();
        let mut names: BTreeSet<Name> = self.changed(Kind::Model).into_iter().map(|id| id.name).collect();
        for id in &changed {
            let both = [self.before, facts];
            let versions = both.iter().filter_map(|facts| facts.prices.get(id));
            names.extend(versions.map(|price| price.model.clone()));
        }
        for name in names {
            let (people, registry) = (&self.next.people, &mut self.next.registry);
            let named = facts.prices.iter().filter(|(_, price)| price.model == name);
            let placed = named.filter_map(|(id, price)| {
                Some((id, prices::place(&mut self.build, people, registry, (id, price))?))
            });
            let mut placed: Vec<_> = placed.collect();
            let models = facts.models.keys().filter(|id| id.name == name);
            let models: Vec<u32> = models.filter_map(|id| position(&registry.models, id)).collect();
            for at in models {
                let (mine, others) = placed.into_iter().partition(|(_, placed)| placed.model == at);
                placed = others;
                prices::attach(&mut self.build, registry, at as usize, mine);
            }
        }
    }
}
