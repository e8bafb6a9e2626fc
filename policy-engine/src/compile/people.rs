//! Tenants, teams and principals.

use std::sync::Arc;

use super::build::Build;
use crate::facts::{Principal, Team, Tenant};
use crate::rules::roles::{Domain, RoleIndex, RoleSetIx};
use crate::snapshot::rows::Memberships;
use crate::snapshot::{People, PrincipalRow, TeamRow, TenantRow};
use crate::vocabulary::{Id, Kind};

pub(super) fn compile(build: &mut Build<'_>) -> People {
    let mut people = People::default();
    let facts = build.facts;
    facts.tenants.iter().for_each(|(id, tenant)| people.put_tenant(build, id, tenant));
    facts.teams.iter().for_each(|(id, team)| people.put_team(build, id, team));
    facts.principals.iter().for_each(|(id, principal)| people.put_principal(build, id, principal));
    people
}

impl People {
    pub(crate) fn put_tenant(&mut self, build: &mut Build<'_>, id: &Id, tenant: &Tenant) {
        if id.tenant.is_some() {
            let message = "a Tenant belongs to no tenant".to_owned();
            build.fault((Kind::Tenant, id), "metadata.tenant", "conflict", message);
            return;
        }
        let domicile = tenant.domicile.as_ref();
        let domicile = domicile.and_then(|d| build.region((Kind::Tenant, id), "spec.domicile", d));
        let row = TenantRow {
            name: id.name.clone(),
            time_zone: Arc::from(tenant.time_zone.as_str()),
            currency: tenant.currency,
            must_audit: tenant.must_audit,
            staleness: tenant.staleness,
            symbol: build.symbols.symbol(id.name.as_str()),
            domicile,
        };
        let held = self.tenant(&id.name);
        let at = self.tenants.put(held, row);
        if held.is_none() {
            Arc::make_mut(&mut self.tenant_at).insert(id.name.clone(), at);
        }
    }

    pub(crate) fn put_team(&mut self, build: &mut Build<'_>, id: &Id, team: &Team) {
        let Some(tenant) = self.tenant_of(build, Kind::Team, id) else { return };
        for (n, name) in team.jurisdictions.iter().enumerate() {
            build.region((Kind::Team, id), &format!("spec.jurisdictions[{n}]"), name);
        }
        let held = self.team(Some(tenant), &id.name);
        let accepted = held.and_then(|at| self.teams.get(at as usize)).map(|row| row.accepted.clone());
        let row = TeamRow {
            name: id.name.clone(),
            symbol: [build.symbols.symbol(id.name.as_str())],
            jurisdictions: build.areas(&team.jurisdictions),
            accepted: accepted.unwrap_or_default(),
        };
        let at = self.teams.put(held.or_else(|| self.vacant_teams.pop()), row);
        if held.is_none() {
            self.team_at.insert((tenant, id.name.clone()), at);
        }
    }

    /// What it may do is given to it later, by [`People::give_roles`].
    pub(crate) fn put_principal(&mut self, build: &mut Build<'_>, id: &Id, principal: &Principal) {
        let Some(tenant) = self.tenant_of(build, Kind::Principal, id) else { return };
        let mut teams = Vec::with_capacity(principal.teams.len());
        for (n, team) in principal.teams.iter().enumerate() {
            match self.team(Some(tenant), team) {
                Some(at) => teams.push((at, RoleSetIx::NONE)),
                None => {
                    let target = (Kind::Team, team.as_str());
                    build.missing((Kind::Principal, id), format!("spec.teams[{n}]"), target);
                }
            }
        }
        let row = PrincipalRow {
            name: id.name.clone(),
            kind: principal.kind,
            symbol: build.symbols.symbol(id.name.as_str()),
            kind_symbol: build.symbols.symbol(principal.kind.as_str()),
            home: build.home(id, principal.residency.as_ref()),
            roles: Memberships::of(teams),
        };
        let held = self.principal(Some(tenant), &id.name);
        let at = self.principals.put(held.or_else(|| self.vacant_principals.pop()), row);
        if held.is_none() {
            self.principal_at.insert((tenant, id.name.clone()), at);
        }
    }

    /// The tenant that must own a resource of this kind.
    pub(crate) fn tenant_of(&self, build: &mut Build<'_>, kind: Kind, id: &Id) -> Option<u32> {
        let Some(name) = &id.tenant else {
            let message = format!("a {kind} belongs to a tenant");
            build.fault((kind, id), "metadata.tenant", "missing", message);
            return None;
        };
        let at = self.tenant(name);
        if at.is_none() {
            build.missing((kind, id), "metadata.tenant", (Kind::Tenant, name.as_str()));
        }
        at
    }

    /// The tenant that owns a resource, if one does.
    pub(crate) fn owner_of(&self, build: &mut Build<'_>, kind: Kind, id: &Id) -> Option<u32> {
        id.tenant.as_ref()?;
        self.tenant_of(build, kind, id)
    }

    /// Works out what a principal may do in each of its teams.
    pub(crate) fn give_roles(&mut self, roles: &mut RoleIndex, id: &Id, fact: &Principal) {
        let Some(tenant) = &id.tenant else { return };
        let Some(at) = self.principal(self.tenant(tenant), &id.name) else { return };
        let teams = &self.teams;
        let name = |team: u32| teams.get(team as usize).map(|row| row.name.clone());
        let Some(held) = self.principals.get(at as usize) else { return };
        let given = held.roles.iter().filter_map(|(team, _)| {
            let domain = Domain::Team(tenant.clone(), name(team)?);
            Some((team, roles.role_set(&domain, id, fact)))
        });
        let given: Vec<(u32, RoleSetIx)> = given.collect();
        if !held.roles.iter().eq(given.iter().copied())
            && let Some(row) = self.principals.get_mut(at as usize)
        {
            row.roles = Memberships::of(given);
        }
    }

    /// Takes out a team that nobody refers to any more.
    pub(crate) fn remove_team(&mut self, id: &Id) {
        let tenant = id.tenant.as_ref().and_then(|tenant| self.tenant(tenant));
        if let Some(at) = tenant.and_then(|tenant| self.team_at.remove(&(tenant, id.name.clone()))) {
            if let Some(row) = self.teams.get_mut(at as usize) {
                row.accepted = Box::default();
            }
            self.vacant_teams.push(at);
        }
    }

    /// Takes out a principal that nobody refers to any more.
    pub(crate) fn remove_principal(&mut self, id: &Id) {
        let tenant = id.tenant.as_ref().and_then(|tenant| self.tenant(tenant));
        if let Some(at) = tenant.and_then(|tenant| self.principal_at.remove(&(tenant, id.name.clone()))) {
            self.vacant_principals.push(at);
        }
    }
}
