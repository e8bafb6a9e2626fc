//! Tenants, teams, principals, roles and grants, in from the wire and out to it.

use policy_engine::facts::{
    Grant, GrantSubject, ModelGlob, Permission, Principal, Role, Staleness, Team, Tenant,
};
use policy_engine::vocabulary::{Action, Currency, Duration, Name, SpanError};

use super::checks::{Checks, Faults, Problem};
use super::texts;
use crate::admin;
use crate::admin::grant_subject::Subject;
use crate::name::{COLLECTIONS, RECORDS};

impl TryFrom<&admin::Tenant> for Tenant {
    type Error = Faults;

    fn try_from(wire: &admin::Tenant) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let currency = if spec.currency.is_empty() { "USD" } else { &spec.currency };
        let currency: Option<Currency> = c.required("currency", currency);
        let time_zone = c.optional_by("timeZone", &spec.time_zone, zone).unwrap_or_else(|| "UTC".to_owned());
        let display_name = c.text("displayName", &spec.display_name);
        let domicile = c.optional("domicile", &spec.domicile);
        let geos = c.list("geos", &spec.geos);
        let must_audit = spec.must_audit;
        let staleness = spec.staleness.as_ref().map(|wire| c.at("staleness", |c| staleness(c, wire)));
        let staleness = staleness.unwrap_or_default();
        c.finish(currency.map(|currency| Self {
            display_name,
            time_zone,
            currency,
            domicile,
            must_audit,
            staleness,
            geos,
        }))
    }
}

/// Reads the form of an IANA zone's name; whether the zone exists is the control plane's to know, which has the table.
fn zone(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
    if text.len() > 64 || !text.bytes().all(fits) {
        return Err(format!("`{}` is not the name of a time zone", super::shown(text)));
    }
    Ok(text.to_owned())
}

fn staleness(c: &mut Checks, wire: &admin::Staleness) -> Staleness {
    Staleness {
        keys: c.optional_by("keys", &wire.keys, allowed_age),
        rules: c.optional_by("rules", &wire.rules, allowed_age),
        strict_revocation: wire.strict_revocation,
    }
}

/// Reads for how long policy may be good.
fn allowed_age(text: &str) -> Result<Duration, String> {
    let length: Duration = text.parse().map_err(|error: SpanError| error.to_string())?;
    let (least, most) = (Staleness::LEAST, Staleness::MOST);
    if length < least || length > most {
        return Err(format!("`{length}` is not between `{least}` and `{most}`"));
    }
    Ok(length)
}

impl From<&Tenant> for admin::TenantSpec {
    fn from(fact: &Tenant) -> Self {
        Self {
            display_name: fact.display_name.clone(),
            time_zone: fact.time_zone.clone(),
            currency: fact.currency.to_string(),
            domicile: super::text(&fact.domicile),
            geos: texts(&fact.geos),
            must_audit: fact.must_audit,
            staleness: (fact.staleness != Staleness::default()).then(|| admin::Staleness {
                keys: super::text(&fact.staleness.keys),
                rules: super::text(&fact.staleness.rules),
                strict_revocation: fact.staleness.strict_revocation,
            }),
        }
    }
}

impl TryFrom<&admin::Team> for Team {
    type Error = Faults;

    fn try_from(wire: &admin::Team) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        c.text("displayName", &spec.display_name);
        let jurisdictions = c.list("jurisdictions", &spec.jurisdictions);
        let geos = c.list("geos", &spec.geos);
        c.finish(Some(Self { jurisdictions, geos }))
    }
}

impl From<&Team> for admin::TeamSpec {
    fn from(fact: &Team) -> Self {
        Self {
            display_name: String::new(),
            jurisdictions: texts(&fact.jurisdictions),
            geos: texts(&fact.geos),
        }
    }
}

impl TryFrom<&admin::Principal> for Principal {
    type Error = Faults;

    fn try_from(wire: &admin::Principal) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        c.text("displayName", &spec.display_name);
        let kind = c.required("type", &spec.r#type);
        let teams = c.list("teams", &spec.teams);
        let groups = c.list("groups", &spec.groups);
        let residency = c.optional("residency", &spec.residency);
        let geos = c.list("geos", &spec.geos);
        c.finish(kind.map(|kind| Self { kind, teams, groups, residency, geos }))
    }
}

impl From<&Principal> for admin::PrincipalSpec {
    fn from(fact: &Principal) -> Self {
        Self {
            r#type: fact.kind.to_string(),
            display_name: String::new(),
            teams: texts(&fact.teams),
            groups: texts(&fact.groups),
            residency: super::text(&fact.residency),
            geos: texts(&fact.geos),
        }
    }
}

impl TryFrom<&admin::Role> for Role {
    type Error = Faults;

    fn try_from(wire: &admin::Role) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let permissions = c.each("permissions", &spec.permissions, permission);
        let inherits = c.list("inherits", &spec.inherits);
        let geos = c.list("geos", &spec.geos);
        c.finish(Some(Self { permissions, inherits, geos }))
    }
}

fn permission(c: &mut Checks, wire: &admin::Permission) -> Option<Permission> {
    let action: Option<Action> = c.required("action", &wire.action);
    let models = c.list_by("models", &wire.models, ModelGlob::new);
    let operations = c.list("operations", &wire.operations);
    let resources = c.list_by("resources", &wire.resources, resource);
    let action = action?;
    let of_models = matches!(action, Action::Infer | Action::View);
    if of_models && wire.models.is_empty() {
        c.fault("models", Problem::Missing);
    }
    if of_models && !wire.resources.is_empty() {
        c.invalid("resources", format_args!("is not for the action `{action}`"));
    }
    Some(Permission { action, models, operations, resources })
}

/// Reads a pattern over plurals that fits at least one.
fn resource(text: &str) -> Result<ModelGlob, String> {
    let glob = ModelGlob::new(text).map_err(|e| e.to_string())?;
    let mut plurals = COLLECTIONS.iter().map(|c| c.plural).chain(RECORDS);
    if plurals.any(|plural| glob.matches(plural)) {
        Ok(glob)
    } else {
        Err(format!("`{text}` fits no kind of resource"))
    }
}

impl From<&Role> for admin::RoleSpec {
    fn from(fact: &Role) -> Self {
        let permission = |p: &Permission| admin::Permission {
            action: p.action.to_string(),
            models: texts(&p.models),
            operations: texts(&p.operations),
            resources: texts(&p.resources),
        };
        Self {
            permissions: fact.permissions.iter().map(permission).collect(),
            inherits: texts(&fact.inherits),
            geos: texts(&fact.geos),
        }
    }
}

impl TryFrom<&admin::Grant> for Grant {
    type Error = Faults;

    fn try_from(wire: &admin::Grant) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let role: Option<Name> = c.required("role", &spec.role);
        let team = c.optional("team", &spec.team);
        let to = c.at("to", |c| subject(c, spec.to.as_ref().and_then(|to| to.subject.as_ref())));
        let geos = c.list("geos", &spec.geos);
        c.finish(role.zip(to).map(|(role, to)| Self { role, team, to, geos }))
    }
}

fn subject(c: &mut Checks, wire: Option<&Subject>) -> Option<GrantSubject> {
    match wire {
        Some(Subject::Team(name)) => c.required("team", name).map(GrantSubject::Team),
        Some(Subject::Principal(name)) => c.required("principal", name).map(GrantSubject::Principal),
        Some(Subject::Group(name)) => c.required("group", name).map(GrantSubject::Group),
        None => {
            c.fault_here(Problem::Missing);
            None
        }
    }
}

impl From<&Grant> for admin::GrantSpec {
    fn from(fact: &Grant) -> Self {
        let subject = match &fact.to {
            GrantSubject::Team(name) => Subject::Team(name.to_string()),
            GrantSubject::Principal(name) => Subject::Principal(name.to_string()),
            GrantSubject::Group(name) => Subject::Group(name.to_string()),
        };
        Self {
            role: fact.role.to_string(),
            team: super::text(&fact.team),
            to: Some(admin::GrantSubject { subject: Some(subject) }),
            geos: texts(&fact.geos),
        }
    }
}
