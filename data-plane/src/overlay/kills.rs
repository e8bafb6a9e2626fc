//! What is switched off, by what it hits.
//!
//! Law: names are the resources' own, so a tenant's model is never the platform's of the same name. A kill that has ended hits
//! nothing. A mode this build does not know is `deny`; a target it does not know, or a name that is none, is everything.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use policy_engine::vocabulary::{Geo, Id, Instant, Kind as Resource, Name};
use proto::sync::{Kill, KillSet};

use super::Place;

/// How strict a kill is; the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Deny,
    Drain,
    ReadOnly,
}

/// What somebody wants to do that a kill may forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Have a request answered that did not begin yet.
    Begin,
    /// Have one go on that did.
    GoOn,
    /// See what there is.
    Look,
}

/// What a kill hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Everything,
    Geo,
    Tenant,
    Provider,
    Endpoint,
    Model,
}

/// What of a request is known by now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subject<'r> {
    /// The public id of the key.
    pub(crate) key: Option<&'r str>,
    /// Whose it is.
    pub(crate) tenant: Option<&'r Name>,
    /// What it is for.
    pub(crate) model: Option<&'r Id>,
    /// Who answers, or shall.
    pub(crate) endpoint: Option<&'r Id>,
    /// Whose that endpoint is.
    pub(crate) provider: Option<&'r Id>,
}

/// What a request met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Killed {
    /// What the kill hits.
    pub(crate) kind: Kind,
    /// Its id, for the record.
    pub(crate) id: Arc<str>,
    /// When it ends, if that is known.
    pub(crate) ends: Option<Instant>,
}

#[derive(Debug)]
struct Switch {
    mode: Mode,
    met: Killed,
}

/// All kills of a scope.
#[derive(Debug, Default)]
pub(super) struct Kills {
    pub(super) place: Place,
    /// As they were said.
    said: Vec<Kill>,
    /// Those of earlier epochs, of which this one says less.
    pub(super) earlier: Vec<Kill>,
    /// Those that hit everything here.
    here: Vec<Switch>,
    tenants: HashMap<Name, Vec<Switch>>,
    /// By kind of resource and its id.
    resources: HashMap<Id, Vec<Switch>>,
}

impl Kills {
    /// What a set makes of the kills before it, in this geo.
    pub(super) fn after(&self, set: &KillSet, geo: &Geo) -> Self {
        let place = Place(set.epoch, set.seq);
        let of_before = if place.0 == self.place.0 { &[][..] } else { &self.said };
        let earlier = uncovered(self.earlier.iter().chain(of_before), &set.kills);
        let mut all = Self { place, said: set.kills.clone(), earlier, ..Self::default() };
        for kill in set.kills.iter().chain(&all.earlier.clone()) {
            all.add(kill, geo);
        }
        all
    }

    /// Those of earlier epochs that have not ended, in the order of ids.
    pub(super) fn holding_on(&self, now: Instant) -> Vec<Kill> {
        let on = |kill: &&Kill| kill.expires_at.as_ref().is_none_or(|at| end(at) > now);
        let mut found: Vec<Kill> = self.earlier.iter().filter(on).cloned().collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    fn add(&mut self, kill: &Kill, geo: &Geo) {
        let (kind, at) = match target(kill) {
            Some(read) => read,
            None => {
                tracing::error!(
                    kill = kill.id,
                    target = kill.target,
                    name = kill.name,
                    "a kill that this build does not understand switches everything off"
                );
                (Kind::Everything, At::Here)
            }
        };
        let met = Killed { kind, id: Arc::from(&*kill.id), ends: kill.expires_at.as_ref().map(end) };
        let switch = Switch { mode: mode(&kill.mode), met };
        match at {
            At::Here => self.here.push(switch),
            At::Geo(name) if name == geo.as_str() => self.here.push(switch),
            At::Geo(_) => {}
            At::Tenant(name) => self.tenants.entry(name).or_default().push(switch),
            At::Resource(id) => self.resources.entry(id).or_default().push(switch),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.tenants.is_empty() && self.resources.is_empty()
    }

    /// How many have not ended.
    pub(super) fn active(&self, now: Instant) -> usize {
        let lists = self.tenants.values().chain(self.resources.values()).flatten();
        self.here.iter().chain(lists).filter(|switch| !switch.has_ended(now)).count()
    }

    /// The first kill that forbids a stage to a subject: of the widest target, and of one target the strictest.
    pub(super) fn hit(&self, subject: &Subject<'_>, stage: Stage, now: Instant) -> Option<Killed> {
        let of = |kind: Kind, id: Option<&Id>| {
            let list = id.and_then(|id| self.resources.get(id)).map_or(&[][..], Vec::as_slice);
            strictest(list.iter().filter(|switch| switch.met.kind == kind), stage, now)
        };
        let tenant = || {
            let list = subject.tenant.and_then(|name| self.tenants.get(name)).map_or(&[][..], Vec::as_slice);
            strictest(list.iter(), stage, now)
        };
        let met = strictest(self.here.iter(), stage, now)
            .or_else(tenant)
            .or_else(|| of(Kind::Model, subject.model))
            .or_else(|| of(Kind::Provider, subject.provider))
            .or_else(|| of(Kind::Endpoint, subject.endpoint));
        met.cloned()
    }
}

impl Switch {
    fn has_ended(&self, now: Instant) -> bool {
        self.met.ends.is_some_and(|ends| ends <= now)
    }

    fn forbids(&self, stage: Stage) -> bool {
        match stage {
            Stage::Begin => true,
            Stage::GoOn => self.mode == Mode::Deny,
            Stage::Look => self.mode != Mode::ReadOnly,
        }
    }
}

fn strictest<'k>(
    switches: impl Iterator<Item = &'k Switch>,
    stage: Stage,
    now: Instant,
) -> Option<&'k Killed> {
    let met = switches.filter(|switch| switch.forbids(stage) && !switch.has_ended(now));
    met.min_by_key(|switch| switch.mode).map(|switch| &switch.met)
}

/// Where a kill is looked up.
enum At {
    Here,
    Geo(String),
    Tenant(Name),
    Resource(Id),
}

fn target(kill: &Kill) -> Option<(Kind, At)> {
    let resource = |kind| proto::name::parse_as(kind, &kill.name).ok();
    let one = |kind, resource_kind| Some((kind, At::Resource(resource(resource_kind)?)));
    match kill.target.as_str() {
        "everything" => Some((Kind::Everything, At::Here)),
        "geo" => Some((Kind::Geo, At::Geo(kill.name.clone()))),
        "tenant" => Some((Kind::Tenant, At::Tenant(resource(Resource::Tenant)?.name))),
        "provider" => one(Kind::Provider, Resource::Provider),
        "endpoint" => one(Kind::Endpoint, Resource::Endpoint),
        "model" => one(Kind::Model, Resource::Model),
        _ => None,
    }
}

fn mode(word: &str) -> Mode {
    match word {
        "drain" => Mode::Drain,
        "read_only" => Mode::ReadOnly,
        _ => Mode::Deny,
    }
}

/// When a kill ends; one whose end can't be read does not.
fn end(wire: &prost_types::Timestamp) -> Instant {
    proto::convert::instant(wire).unwrap_or(Instant(i64::MAX))
}

/// The kills of earlier epochs that a set says less of.
fn uncovered<'k>(earlier: impl Iterator<Item = &'k Kill>, set: &[Kill]) -> Vec<Kill> {
    let left = earlier.filter(|old| !set.iter().any(|new| covers(new, old)));
    left.cloned().collect()
}

/// Whether a kill is one of the same id that hits the same, no less strictly and no shorter.
fn covers(new: &Kill, old: &Kill) -> bool {
    let ends = |kill: &Kill| kill.expires_at.as_ref().map_or(i64::MAX, |at| end(at).0);
    (&new.id, &new.target, &new.name) == (&old.id, &old.target, &old.name)
        && mode(&new.mode) <= mode(&old.mode)
        && ends(new) >= ends(old)
}
