//! Tenants, teams and principals.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Build, Positions};
use crate::compile::registry::Registry;
use crate::facts::{Facts, GrantSubject};
use crate::project::resolve;
use crate::rules::condition::Symbol;
use crate::rules::geo::{self, PlaceKind};
use crate::rules::roles::{Domain, RoleIndex};
use crate::snapshot::{PrincipalRow, TeamRow, TenantRow};
use crate::vocabulary::{Id, Kind, Name};

/// The people's tables while they are built.
pub(super) struct People {
    pub(super) tenants: Vec<TenantRow>,
    pub(super) teams: Vec<TeamRow>,
    pub(super) principals: Vec<PrincipalRow>,
    pub(super) tenant_at: HashMap<Name, u32>,
    pub(super) team_at: HashMap<(u32, Name), u32>,
    pub(super) principal_at: HashMap<(u32, Name), u32>,
    /// The teams of each principal, by position.
    memberships: Vec<Vec<(u32, Name)>>,
    ids: Vec<Id>,
}

pub(super) fn compile(build: &mut Build<'_>) -> People {
    let facts = build.facts;
    let mut people = People {
        tenants: Vec::with_capacity(facts.tenants.len()),
        teams: Vec::with_capacity(facts.teams.len()),
        principals: Vec::with_capacity(facts.principals.len()),
        tenant_at: HashMap::new(),
        team_at: HashMap::new(),
        principal_at: HashMap::new(),
        memberships: Vec::new(),
        ids: Vec::new(),
    };
    for (at, (id, tenant)) in facts.tenants.iter().enumerate() {
        let domicile = tenant.domicile.as_ref();
        let domicile = domicile.and_then(|d| build.region((Kind::Tenant, id), "spec.domicile", d));
        people.tenant_at.insert(id.name.clone(), at as u32);
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
    check_grants(build, &people);
    people
}

fn compile_teams(build: &mut Build<'_>, people: &mut People) {
    for (id, team) in &build.facts.teams {
        let Some(tenant) = people.tenant_of(build, Kind::Team, id) else { continue };
        let field = "spec.jurisdictions";
        let jurisdictions = build.areas((Kind::Team, id), field, &team.jurisdictions);
        people.team_at.insert((tenant, id.name.clone()), people.teams.len() as u32);
        people.teams.push(TeamRow {
            name: id.name.clone(),
            symbol: [build.symbols.symbol(id.name.as_str())],
            jurisdictions,
            accepted: Box::default(),
        });
    }
}

fn compile_principals(build: &mut Build<'_>, people: &mut People) {
    for (id, principal) in &build.facts.principals {
        let Some(tenant) = people.tenant_of(build, Kind::Principal, id) else { continue };
        let mut teams = Vec::with_capacity(principal.teams.len());
        for (n, team) in principal.teams.iter().enumerate() {
            match people.team_at.get(&(tenant, team.clone())) {
                Some(at) => teams.push((*at, team.clone())),
                None => build.missing(
                    (Kind::Principal, id),
                    format!("spec.teams[{n}]"),
                    (Kind::Team, team.as_str()),
                ),
            }
        }
        let residency: Vec<Name> = principal.residency.iter().cloned().collect();
        let jurisdictions = build.areas((Kind::Principal, id), "spec.residency", &residency);
        let place =
            |kind| residency.first().filter(|r| geo::kind(r.as_str()) == Some(kind)).map(Name::as_str);
        let region = place(PlaceKind::Subdivision);
        let country = region.and_then(|r| r.split('-').next()).or(place(PlaceKind::Country));
        people.principal_at.insert((tenant, id.name.clone()), people.principals.len() as u32);
        people.memberships.push(teams);
        people.ids.push(id.clone());
        people.principals.push(PrincipalRow {
            name: id.name.clone(),
            kind: principal.kind,
            symbol: build.symbols.symbol(id.name.as_str()),
            kind_symbol: build.symbols.symbol(principal.kind.as_str()),
            country: country.map(|c| build.symbols.symbol(c)),
            region: region.map(|r| build.symbols.symbol(r)),
            jurisdictions,
            roles: Box::default(),
        });
    }
}

/// Roles and grants compile in the role index; here their references are proved.
fn check_grants(build: &mut Build<'_>, people: &People) {
    let facts = build.facts;
    for (id, role) in &facts.roles {
        people.owner_of(build, Kind::Role, id);
        for (n, parent) in role.inherits.iter().enumerate() {
            if resolve(&facts.roles, &id.tenant, parent).is_none() {
                build.missing((Kind::Role, id), format!("spec.inherits[{n}]"), (Kind::Role, parent.as_str()));
            }
        }
    }
    for (id, grant) in &facts.grants {
        people.owner_of(build, Kind::Grant, id);
        let at = (Kind::Grant, id);
        if resolve(&facts.roles, &id.tenant, &grant.role).is_none() {
            build.missing(at, "spec.role", (Kind::Role, grant.role.as_str()));
        }
        let own = |name: &Name| Id { tenant: id.tenant.clone(), name: name.clone() };
        if let Some(team) = grant.team.as_ref().filter(|t| !facts.teams.contains_key(&own(t))) {
            build.missing(at, "spec.team", (Kind::Team, team.as_str()));
        }
        match &grant.to {
            GrantSubject::Team(team) if !facts.teams.contains_key(&own(team)) => {
                build.missing(at, "spec.to.team", (Kind::Team, team.as_str()));
            }
            GrantSubject::Principal(who) if !facts.principals.contains_key(&own(who)) => {
                build.missing(at, "spec.to.principal", (Kind::Principal, who.as_str()));
            }
            _ => {}
        }
    }
}

impl People {
    /// The tenant that must own a resource of this kind.
    fn tenant_of(&self, build: &mut Build<'_>, kind: Kind, id: &Id) -> Option<u32> {
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

    /// Fills in what needed the role index and the licences.
    pub(super) fn with_roles(mut self, facts: &Facts, roles: &mut RoleIndex, registry: &Registry) -> Self {
        for ((principal, teams), id) in self.principals.iter_mut().zip(&self.memberships).zip(&self.ids) {
            let (Some(tenant), Some(fact)) = (&id.tenant, facts.principals.get(id)) else { continue };
            let sets = teams.iter().map(|(at, team)| {
                (*at, roles.role_set(&Domain::Team(tenant.clone(), team.clone()), id, fact))
            });
            principal.roles = sets.collect();
        }
        let licences = Positions::of(registry.licences.iter().map(|l| &l.id));
        for (id, acceptance) in &facts.acceptances {
            let Some(licence) = licences.resolve(&id.tenant, &acceptance.licence) else { continue };
            let text =
                facts.licences.iter().nth(licence as usize).and_then(|(_, l)| l.text_digest.as_deref());
            let same_text = text.is_none_or(|t| acceptance.text_digest.as_deref() == Some(t));
            let tenant = id.tenant.as_ref().and_then(|t| self.tenant_at.get(t)).copied();
            let team = tenant.and_then(|t| self.team_at.get(&(t, acceptance.team.clone()))).copied();
            if let (Some(team), true) = (team.and_then(|t| self.teams.get_mut(t as usize)), same_text) {
                let mut accepted = team.accepted.to_vec();
                accepted.push(licence);
                accepted.sort_unstable();
                accepted.dedup();
                team.accepted = accepted.into_boxed_slice();
            }
        }
        self
    }
}

impl Build<'_> {
    /// The legal areas that hold all of each place named, ascending and without repeats.
    pub(super) fn areas(&mut self, at: (Kind, &Id), field: &str, names: &[Name]) -> Box<[Symbol]> {
        let mut symbols = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let field = if field.ends_with('s') { format!("{field}[{n}]") } else { field.to_owned() };
            if self.region(at, &field, name).is_some() {
                symbols.extend(
                    geo::jurisdictions_of(name.as_str()).iter().map(|area| self.symbols.symbol(area)),
                );
            }
        }
        symbols.sort_unstable();
        symbols.dedup();
        symbols.into_boxed_slice()
    }
}
