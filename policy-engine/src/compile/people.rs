//! Tenants, teams and principals.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Build;
use crate::facts::Principal;
use crate::rules::geo::{self, PlaceKind};
use crate::rules::roles::{Domain, RoleIndex};
use crate::snapshot::{PrincipalRow, TeamRow, TenantRow};
use crate::vocabulary::{Id, Kind, Name};

/// The people's tables while they are built.
#[derive(Default)]
pub(super) struct People {
    pub(super) tenants: Vec<TenantRow>,
    pub(super) teams: Vec<TeamRow>,
    pub(super) principals: Vec<PrincipalRow>,
    pub(super) tenant_at: HashMap<Name, u32>,
    pub(super) team_at: HashMap<(u32, Name), u32>,
    pub(super) principal_at: HashMap<(u32, Name), u32>,
    /// The teams of each principal, by position.
    memberships: Vec<Box<[u32]>>,
}

pub(super) fn compile(build: &mut Build<'_>) -> People {
    let mut people = People::default();
    for (id, tenant) in &build.facts.tenants {
        if id.tenant.is_some() {
            let message = "a Tenant belongs to no tenant".to_owned();
            build.fault((Kind::Tenant, id), "metadata.tenant", "conflict", message);
            continue;
        }
        let domicile = tenant.domicile.as_ref();
        let domicile = domicile.and_then(|d| build.region((Kind::Tenant, id), "spec.domicile", d));
        people.tenant_at.insert(id.name.clone(), people.tenants.len() as u32);
        people.tenants.push(TenantRow {
            name: id.name.clone(),
            time_zone: Arc::from(tenant.time_zone.as_str()),
            currency: tenant.currency,
            must_audit: tenant.must_audit,
            symbol: build.symbols.symbol(id.name.as_str()),
            domicile,
        });
    }
    compile_teams(build, &mut people);
    compile_principals(build, &mut people);
    people
}

fn compile_teams(build: &mut Build<'_>, people: &mut People) {
    for (id, team) in &build.facts.teams {
        let Some(tenant) = people.tenant_of(build, Kind::Team, id) else { continue };
        for (n, name) in team.jurisdictions.iter().enumerate() {
            build.region((Kind::Team, id), &format!("spec.jurisdictions[{n}]"), name);
        }
        people.team_at.insert((tenant, id.name.clone()), people.teams.len() as u32);
        people.teams.push(TeamRow {
            name: id.name.clone(),
            symbol: [build.symbols.symbol(id.name.as_str())],
            jurisdictions: build.areas(&team.jurisdictions),
            accepted: Box::default(),
        });
    }
}

fn compile_principals(build: &mut Build<'_>, people: &mut People) {
    let facts = build.facts;
    people.principals.reserve(facts.principals.len());
    people.principal_at.reserve(facts.principals.len());
    for (id, principal) in &facts.principals {
        let Some(tenant) = people.tenant_of(build, Kind::Principal, id) else { continue };
        let mut teams = Vec::with_capacity(principal.teams.len());
        for (n, team) in principal.teams.iter().enumerate() {
            match people.team_at.get(&(tenant, team.clone())) {
                Some(at) => teams.push(*at),
                None => {
                    let target = (Kind::Team, team.as_str());
                    build.missing((Kind::Principal, id), format!("spec.teams[{n}]"), target);
                }
            }
        }
        people.principal_at.insert((tenant, id.name.clone()), people.principals.len() as u32);
        people.memberships.push(teams.into_boxed_slice());
        let row = principal_row(build, id, principal);
        people.principals.push(row);
    }
}

fn principal_row(build: &mut Build<'_>, id: &Id, principal: &Principal) -> PrincipalRow {
    let (mut country, mut region) = (None, None);
    if let Some(residency) = &principal.residency {
        match geo::kind(residency.as_str()) {
            None => drop(build.region((Kind::Principal, id), "spec.residency", residency)),
            Some(PlaceKind::Country) => country = Some(residency.as_str()),
            Some(PlaceKind::Subdivision) => {
                region = Some(residency.as_str());
                country = residency.as_str().split('-').next();
            }
            Some(_) => {}
        }
    }
    PrincipalRow {
        name: id.name.clone(),
        kind: principal.kind,
        symbol: build.symbols.symbol(id.name.as_str()),
        kind_symbol: build.symbols.symbol(principal.kind.as_str()),
        country: country.map(|c| build.symbols.symbol(c)),
        region: region.map(|r| build.symbols.symbol(r)),
        jurisdictions: build.areas(principal.residency.as_slice()),
        roles: Box::default(),
    }
}

impl People {
    /// The tenant that must own a resource of this kind.
    pub(super) fn tenant_of(&self, build: &mut Build<'_>, kind: Kind, id: &Id) -> Option<u32> {
        let Some(name) = &id.tenant else {
            let message = format!("a {kind} belongs to a tenant");
            build.fault((kind, id), "metadata.tenant", "missing", message);
            return None;
        };
        let at = self.tenant_at.get(name).copied();
        if at.is_none() {
            build.missing((kind, id), "metadata.tenant", (Kind::Tenant, name.as_str()));
        }
        at
    }

    /// The tenant that owns a resource, if one does.
    pub(super) fn owner_of(&self, build: &mut Build<'_>, kind: Kind, id: &Id) -> Option<u32> {
        id.tenant.as_ref()?;
        self.tenant_of(build, kind, id)
    }

    /// Works out what each principal may do in each of its teams.
    pub(super) fn give_roles(&mut self, build: &Build<'_>, roles: &mut RoleIndex) {
        let facts = &build.facts.principals;
        for (id, fact) in facts {
            let Some(tenant) = &id.tenant else { continue };
            let Some(at) = self.tenant_at.get(tenant) else { continue };
            let Some(at) = self.principal_at.get(&(*at, id.name.clone())).copied() else { continue };
            let teams = self.memberships.get(at as usize).into_iter().flatten();
            let sets = teams.filter_map(|team| {
                let name = self.teams.get(*team as usize)?.name.clone();
                Some((*team, roles.role_set(&Domain::Team(tenant.clone(), name), id, fact)))
            });
            let sets = sets.collect();
            if let Some(principal) = self.principals.get_mut(at as usize) {
                principal.roles = sets;
            }
        }
    }
}
