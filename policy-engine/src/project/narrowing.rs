//! One resource narrowed to a scope, once those it refers to are.

use std::sync::Arc;

use super::{Scope, resolve, sibling};
use crate::facts::{
    Endpoint, Facts, Geos, Grant, GrantSubject, Guardrail, Key, Licence, LicenceAcceptance, Limit, Map,
    Model, Price, Principal, Provider, Role, Rule, Team, Tenant,
};
use crate::vocabulary::{Id, Name};

/// What one resource is narrowed by.
pub(super) struct Narrowing<'a> {
    /// Everything, so that a name keeps its meaning.
    pub(super) facts: &'a Facts,
    /// What is left so far: the kinds before.
    pub(super) out: &'a Facts,
    pub(super) scope: &'a Scope,
}

impl Narrowing<'_> {
    pub(super) fn tenant(&self, _: &Id, t: &Arc<Tenant>) -> Option<Arc<Tenant>> {
        self.in_geo(&t.geos).then(|| t.clone())
    }

    pub(super) fn team(&self, id: &Id, t: &Arc<Team>) -> Option<Arc<Team>> {
        self.is_here(id, &t.geos).then(|| t.clone())
    }

    pub(super) fn principal(&self, id: &Id, p: &Arc<Principal>) -> Option<Arc<Principal>> {
        let mut kept = self.is_here(id, &p.geos).then(|| p.clone())?;
        if p.teams.iter().any(|t| !self.team_in(id, t)) {
            Arc::make_mut(&mut kept).teams.retain(|t| self.team_in(id, t));
        }
        Some(kept)
    }

    pub(super) fn role(&self, id: &Id, role: &Arc<Role>) -> Option<Arc<Role>> {
        let mut kept = self.is_here(id, &role.geos).then(|| role.clone())?;
        if role.inherits.iter().any(|r| !self.role_in(id, r)) {
            Arc::make_mut(&mut kept).inherits.retain(|r| self.role_in(id, r));
        }
        Some(kept)
    }

    pub(super) fn grant(&self, id: &Id, g: &Arc<Grant>) -> Option<Arc<Grant>> {
        let stays = self.is_here(id, &g.geos)
            && self.role_in(id, &g.role)
            && g.team.as_ref().is_none_or(|t| self.team_in(id, t))
            && match &g.to {
                GrantSubject::Team(t) => self.team_in(id, t),
                GrantSubject::Principal(p) => self.out.principals.contains_key(&sibling(&id.tenant, p)),
                GrantSubject::Group(_) => true,
            };
        stays.then(|| g.clone())
    }

    pub(super) fn provider(&self, id: &Id, p: &Arc<Provider>) -> Option<Arc<Provider>> {
        self.is_here(id, &p.geos).then(|| p.clone())
    }

    pub(super) fn endpoint(&self, id: &Id, e: &Arc<Endpoint>) -> Option<Arc<Endpoint>> {
        let provider = sibling(&id.tenant, &e.provider);
        (self.is_here(id, &e.geos) && self.out.providers.contains_key(&provider)).then(|| e.clone())
    }

    pub(super) fn licence(&self, id: &Id, l: &Arc<Licence>) -> Option<Arc<Licence>> {
        self.is_here(id, &l.geos).then(|| l.clone())
    }

    pub(super) fn model(&self, id: &Id, m: &Arc<Model>) -> Option<Arc<Model>> {
        let licensed = |l: &Name| kept(&self.facts.licences, &self.out.licences, id, l);
        let stays = self.is_here(id, &m.geos) && m.licence.as_ref().is_none_or(licensed);
        let mut model = stays.then(|| m.clone())?;
        let offered = |e: &Name| self.out.endpoints.contains_key(&sibling(&id.tenant, e));
        if m.route.groups.iter().flatten().any(|t| !offered(&t.endpoint)) {
            let groups = &mut Arc::make_mut(&mut model).route.groups;
            groups.iter_mut().for_each(|g| g.retain(|t| offered(&t.endpoint)));
            groups.retain(|g| !g.is_empty());
        }
        Some(model)
    }

    pub(super) fn key(&self, _: &Name, k: &Arc<Key>) -> Option<Arc<Key>> {
        let of_tenant = |name: &Name| Id::of(k.tenant.clone(), name.clone());
        let stays = self.in_geo(&k.geos)
            && self.out.teams.contains_key(&of_tenant(&k.team))
            && self.out.principals.contains_key(&of_tenant(&k.principal));
        stays.then(|| k.clone())
    }

    pub(super) fn acceptance(&self, id: &Id, a: &Arc<LicenceAcceptance>) -> Option<Arc<LicenceAcceptance>> {
        let stays = self.in_geo(&a.geos)
            && self.team_in(id, &a.team)
            && kept(&self.facts.licences, &self.out.licences, id, &a.licence);
        stays.then(|| a.clone())
    }

    pub(super) fn limit(&self, id: &Id, l: &Arc<Limit>) -> Option<Arc<Limit>> {
        let (s, facts, out) = (&l.scope, self.facts, self.out);
        let stays = self.is_here(id, &l.geos)
            && s.team.as_ref().is_none_or(|t| self.team_in(id, t))
            && s.principal.as_ref().is_none_or(|p| out.principals.contains_key(&sibling(&id.tenant, p)))
            && s.key.as_ref().is_none_or(|k| out.keys.contains_key(k))
            && s.endpoint.as_ref().is_none_or(|e| kept(&facts.endpoints, &out.endpoints, id, e))
            && s.provider.as_ref().is_none_or(|p| kept(&facts.providers, &out.providers, id, p));
        stays.then(|| l.clone())
    }

    pub(super) fn rule(&self, id: &Id, r: &Arc<Rule>) -> Option<Arc<Rule>> {
        self.is_here(id, &r.geos).then(|| r.clone())
    }

    pub(super) fn guardrail(&self, id: &Id, g: &Arc<Guardrail>) -> Option<Arc<Guardrail>> {
        let mut guardrail = self.is_here(id, &g.geos).then(|| g.clone())?;
        if g.applies.teams.iter().any(|t| !self.team_in(id, t)) {
            let teams = &mut Arc::make_mut(&mut guardrail).applies.teams;
            teams.retain(|t| self.team_in(id, t));
            if teams.is_empty() {
                return None;
            }
        }
        Some(guardrail)
    }

    pub(super) fn price(&self, id: &Id, p: &Arc<Price>) -> Option<Arc<Price>> {
        let endpoint = |e: &Name| kept(&self.facts.endpoints, &self.out.endpoints, id, e);
        let stays = self.is_here(id, &p.geos)
            && kept(&self.facts.models, &self.out.models, id, &p.model)
            && p.endpoint.as_ref().is_none_or(endpoint);
        stays.then(|| p.clone())
    }

    fn in_geo(&self, geos: &Geos) -> bool {
        geos.is_empty() || geos.contains(&self.scope.geo)
    }

    /// Whether a resource is in the geo and so is the tenant that owns it.
    fn is_here(&self, id: &Id, geos: &Geos) -> bool {
        let tenant_in = |t: &Name| self.out.tenants.contains_key(&Id::platform(t.clone()));
        self.in_geo(geos) && id.tenant.as_ref().is_none_or(tenant_in)
    }

    /// Whether a team of the same tenant is left.
    fn team_in(&self, id: &Id, team: &Name) -> bool {
        self.out.teams.contains_key(&sibling(&id.tenant, team))
    }

    /// Whether what a role's name means is left. Whether one is does not depend on another.
    fn role_in(&self, id: &Id, name: &Name) -> bool {
        let meant = resolve(&self.facts.roles, &id.tenant, name);
        let fact = meant.and_then(|id| Some((self.facts.roles.get(&id)?, id)));
        fact.is_some_and(|(role, id)| self.is_here(&id, &role.geos))
    }
}

/// Whether what a reference means among all facts is still there among those kept.
fn kept<T>(all: &Map<Id, T>, kept: &Map<Id, T>, from: &Id, name: &Name) -> bool {
    resolve(all, &from.tenant, name).is_some_and(|id| kept.contains_key(&id))
}
