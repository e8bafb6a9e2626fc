//! Providers, endpoints, licences, models, and what is told of them: acceptances and prices.

use std::collections::BTreeSet;

use super::Applying;
use crate::compile::{licences, prices};
use crate::facts::{Change, owned_by, users_but_keys};
use crate::snapshot::registry::position;
use crate::vocabulary::{Id, Kind, Name};

impl Applying<'_> {
    /// Rows ascend by id and sets of models are as wide as there are models, so what comes or goes is for `compile`; what stays
    /// is put in its place.
    pub(super) fn registry(&mut self) -> Option<()> {
        let (before, after) = (self.before, self.build.facts);
        let (people, registry) = (&self.next.people, &mut self.next.registry);
        let stays = |kind| self.changed.get(&kind).into_iter().flatten().cloned().collect::<Vec<Id>>();
        let mut endpoints: BTreeSet<Id> = stays(Kind::Endpoint).into_iter().collect();
        for id in stays(Kind::Provider) {
            let (old, new) = before.providers.get(&id).zip(after.providers.get(&id))?;
            registry.put_provider(&mut self.build, people, (&id, new));
            if old.terms != new.terms {
                let users = users_but_keys(after, &Change { kind: Kind::Provider, id });
                endpoints.extend(users.into_iter().filter(|c| c.kind == Kind::Endpoint).map(|c| c.id));
            }
        }
        for id in stays(Kind::Licence) {
            let (old, new) = before.licences.get(&id).zip(after.licences.get(&id))?;
            (old.text_digest == new.text_digest).then_some(())?;
            registry.put_licence(&mut self.build, people, (&id, new));
        }
        for id in endpoints {
            let (old, new) = before.endpoints.get(&id).zip(after.endpoints.get(&id))?;
            self.prices_moved |= old.provider != new.provider;
            registry.put_endpoint(&mut self.build, people, (&id, new));
        }
        let models = stays(Kind::Model);
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
