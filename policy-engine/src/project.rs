//! What a node of one geo may hold: facts narrowed to a scope.
//!
//! Law: nothing that names other geos gets in, nothing in it refers to what stayed out, and narrowing never widens: a
//! reference is resolved among *all* facts first, so that a thing left out is never replaced by another of its name.
//!
//! | what refers | to something left out | outcome |
//! |---|---|---|
//! | anything of a tenant | tenant | left out |
//! | principal, guardrail | team | the team is taken off its list; a guardrail left without any is left out |
//! | role | role it inherits | taken off its list; who has a role in another scope alone has it not in this one |
//! | grant, key, acceptance, limit, price | any | left out |
//! | endpoint | provider | left out |
//! | model | endpoint | the target is taken off its route; the model stays, and without targets answers `no_endpoint` |
//! | model | licence | left out: its terms could not be kept |

mod changes;

use std::sync::Arc;

use crate::facts::{Facts, Geos, GrantSubject, Map, Model, Role};
use crate::vocabulary::{Geo, Id, Name};

pub use changes::{Versions, project_changes};

/// The scope of a node. Node classes join here when they exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Where the node runs.
    pub geo: Geo,
}

/// Narrows facts to a scope, as the table above says.
pub fn project(facts: &Facts, scope: &Scope) -> Facts {
    let in_geo = |geos: &Geos| geos.is_empty() || geos.contains(&scope.geo);
    let tenants = keep(&facts.tenants, |_, t| in_geo(&t.geos));
    let tenant_in =
        |id: &Id| id.tenant.as_ref().is_none_or(|t| tenants.contains_key(&Id::platform(t.clone())));
    let teams = keep(&facts.teams, |id, t| tenant_in(id) && in_geo(&t.geos));
    let team_in = |tenant: &Option<Name>, team: &Name| teams.contains_key(&sibling(tenant, team));
    let principals = edit(&facts.principals, |id, p| {
        let mut kept = (tenant_in(id) && in_geo(&p.geos)).then(|| p.clone())?;
        if p.teams.iter().any(|t| !team_in(&id.tenant, t)) {
            Arc::make_mut(&mut kept).teams.retain(|t| team_in(&id.tenant, t));
        }
        Some(kept)
    });
    let roles = project_roles(facts, |id, r| tenant_in(id) && in_geo(&r.geos));
    let role_in = |tenant: &Option<Name>, name: &Name| kept(&facts.roles, &roles, tenant, name);
    let grants = keep(&facts.grants, |id, g| {
        tenant_in(id)
            && in_geo(&g.geos)
            && role_in(&id.tenant, &g.role)
            && g.team.as_ref().is_none_or(|t| team_in(&id.tenant, t))
            && match &g.to {
                GrantSubject::Team(t) => team_in(&id.tenant, t),
                GrantSubject::Principal(p) => principals.contains_key(&sibling(&id.tenant, p)),
                GrantSubject::Group(_) => true,
            }
    });
    let providers = keep(&facts.providers, |id, p| tenant_in(id) && in_geo(&p.geos));
    let endpoints = keep(&facts.endpoints, |id, e| {
        tenant_in(id) && in_geo(&e.geos) && providers.contains_key(&sibling(&id.tenant, &e.provider))
    });
    let licences = keep(&facts.licences, |id, l| tenant_in(id) && in_geo(&l.geos));
    let models = edit(&facts.models, |id, m| {
        let licensed = m.licence.as_ref().is_none_or(|l| kept(&facts.licences, &licences, &id.tenant, l));
        let model = (tenant_in(id) && in_geo(&m.geos) && licensed).then(|| m.clone())?;
        Some(narrow_route(model, |e| endpoints.contains_key(&sibling(&id.tenant, e))))
    });
    let keys = keep(&facts.keys, |_, k| {
        let tenant = Some(k.tenant.clone());
        in_geo(&k.geos)
            && team_in(&tenant, &k.team)
            && principals.contains_key(&Id { tenant, name: k.principal.clone() })
    });
    let out = Facts {
        tenants,
        teams,
        principals,
        roles,
        grants,
        providers,
        endpoints,
        licences,
        models,
        keys,
        ..Facts::default()
    };
    project_rulebook(facts, scope, out)
}

/// The kinds that only refer and are never referred to.
fn project_rulebook(facts: &Facts, scope: &Scope, mut out: Facts) -> Facts {
    let in_geo = |geos: &Geos| geos.is_empty() || geos.contains(&scope.geo);
    let tenant_in =
        |id: &Id| id.tenant.as_ref().is_none_or(|t| out.tenants.contains_key(&Id::platform(t.clone())));
    let team_in = |tenant: &Option<Name>, team: &Name| out.teams.contains_key(&sibling(tenant, team));
    let acceptances = keep(&facts.acceptances, |id, a| {
        in_geo(&a.geos)
            && team_in(&id.tenant, &a.team)
            && kept(&facts.licences, &out.licences, &id.tenant, &a.licence)
    });
    let limits = keep(&facts.limits, |id, l| {
        let s = &l.scope;
        tenant_in(id)
            && in_geo(&l.geos)
            && s.team.as_ref().is_none_or(|t| team_in(&id.tenant, t))
            && s.principal.as_ref().is_none_or(|p| out.principals.contains_key(&sibling(&id.tenant, p)))
            && s.key.as_ref().is_none_or(|k| out.keys.contains_key(k))
            && s.endpoint.as_ref().is_none_or(|e| kept(&facts.endpoints, &out.endpoints, &id.tenant, e))
            && s.provider.as_ref().is_none_or(|p| kept(&facts.providers, &out.providers, &id.tenant, p))
    });
    let rules = keep(&facts.rules, |id, r| tenant_in(id) && in_geo(&r.geos));
    let guardrails = edit(&facts.guardrails, |id, g| {
        let mut guardrail = (tenant_in(id) && in_geo(&g.geos)).then(|| g.clone())?;
        if g.applies.teams.iter().any(|t| !team_in(&id.tenant, t)) {
            let teams = &mut Arc::make_mut(&mut guardrail).applies.teams;
            teams.retain(|t| team_in(&id.tenant, t));
            if teams.is_empty() {
                return None;
            }
        }
        Some(guardrail)
    });
    let prices = keep(&facts.prices, |id, p| {
        tenant_in(id)
            && in_geo(&p.geos)
            && kept(&facts.models, &out.models, &id.tenant, &p.model)
            && p.endpoint.as_ref().is_none_or(|e| kept(&facts.endpoints, &out.endpoints, &id.tenant, e))
    });
    out.acceptances = acceptances;
    out.limits = limits;
    out.rules = rules;
    out.guardrails = guardrails;
    out.prices = prices;
    out
}

/// The id of a thing of the same tenant.
fn sibling(tenant: &Option<Name>, name: &Name) -> Id {
    Id { tenant: tenant.clone(), name: name.clone() }
}

/// What a reference written in `tenant` means: the tenant's own thing, else the platform's.
pub(crate) fn resolve<T>(all: &Map<Id, T>, tenant: &Option<Name>, name: &Name) -> Option<Id> {
    let own = sibling(tenant, name);
    if all.contains_key(&own) {
        return Some(own);
    }
    let platform = Id::platform(name.clone());
    all.contains_key(&platform).then_some(platform)
}

/// Whether what a reference means among all facts is still there among those kept.
fn kept<T>(all: &Map<Id, T>, kept: &Map<Id, T>, tenant: &Option<Name>, name: &Name) -> bool {
    resolve(all, tenant, name).is_some_and(|id| kept.contains_key(&id))
}

fn keep<K: Ord + Clone, T>(all: &Map<K, Arc<T>>, wanted: impl Fn(&K, &T) -> bool) -> Map<K, Arc<T>> {
    all.iter().filter(|(id, t)| wanted(id, t)).map(|(id, t)| (id.clone(), t.clone())).collect()
}

fn edit<T>(all: &Map<Id, Arc<T>>, edited: impl Fn(&Id, &Arc<T>) -> Option<Arc<T>>) -> Map<Id, Arc<T>> {
    all.iter().filter_map(|(id, t)| Some((id.clone(), edited(id, t)?))).collect()
}

fn project_roles(facts: &Facts, wanted: impl Fn(&Id, &Role) -> bool) -> Map<Id, Arc<Role>> {
    let stay = keep(&facts.roles, wanted);
    edit(&stay, |id, role| {
        let mut role = role.clone();
        if role.inherits.iter().any(|r| !kept(&facts.roles, &stay, &id.tenant, r)) {
            Arc::make_mut(&mut role).inherits.retain(|r| kept(&facts.roles, &stay, &id.tenant, r));
        }
        Some(role)
    })
}

fn narrow_route(mut model: Arc<Model>, stays: impl Fn(&Name) -> bool) -> Arc<Model> {
    if model.route.groups.iter().flatten().any(|t| !stays(&t.endpoint)) {
        let groups = &mut Arc::make_mut(&mut model).route.groups;
        groups.iter_mut().for_each(|g| g.retain(|t| stays(&t.endpoint)));
        groups.retain(|g| !g.is_empty());
    }
    model
}
