//! What was in force at an earlier revision, put back as a change like any other.
//!
//! Law: what was denied since stays denied where taking it back was for good: API keys are left as they are, so that none that was
//! revoked works again, and a sealed credential is left as it is, so that no secret that was replaced is sent again. Whoever was erased
//! is left out, with what needs that person, or a key that is gone, to be there. Everything else passes the gate that every resource
//! passes on its way in, and is the caller's to write or is refused. Absent on purpose: kills, which are no part of revisions, and who may
//! read history (`api::admin`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use policy_engine::compile::Fault;
use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use proto::admin::credential::Source;
use proto::admin::grant_subject::Subject;
use proto::admin::{Grant, LeftAsItIs, Limit, Provider};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;

use crate::actor::Actor;
use crate::error::ChangeError;
use crate::govern::{self, Gate, Raw};
use crate::publish::{Act, Approved, Change, Mode, Outcome, Plan, Published, Publisher, Staging};
use crate::registry::Stored;
use crate::store::{Store, Touched};
use crate::uses::{self, Asking};

/// What is left as it is that is told at most.
const LEFT: usize = 100;

/// Why a key is left as it is.
const KEY: &str = "API keys are never put back: what was revoked stays revoked";
/// Why a credential is left as it is.
const CREDENTIAL: &str = "its sealed credential is left as it is: secrets are never put back";
/// Why somebody, or what needs that person to be there, is left out.
const ERASED: &str = "it is of somebody who was erased: who was erased is never put back";
/// Why a limit of a key that is gone is left out.
const GONE: &str = "it counts a key that is gone, and API keys are never put back";
/// Why there is none.
const NONE: &str = "it comes back without its sealed credential, which is never put back: give it again";

/// What is wanted back.
#[derive(Debug, Default)]
pub struct Wanted {
    /// What was in force then.
    pub then: BTreeMap<(Kind, Id), Bytes>,
    /// Only these; empty: everything.
    pub selected: Vec<Touched>,
    /// How it is taken to the nodes; `None` is at once.
    pub staging: Option<Staging>,
    /// The policy may hold much less afterwards.
    pub may_shrink: bool,
    /// It is the approval of this proposal.
    pub approves: Option<Approved>,
}

/// A resource that becomes another: what it was, and what it becomes.
#[derive(Debug, Clone)]
pub struct Turned {
    /// Its kind.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// What it was; `None`: there was none.
    pub before: Option<Bytes>,
    /// What it becomes; `None`: there is none any more.
    pub after: Option<Bytes>,
}

/// What a rollback is made of.
#[derive(Debug, Default)]
pub struct Made {
    /// What becomes another.
    pub turned: Vec<Turned>,
    /// What was different then and is left as it is.
    pub left: Vec<LeftAsItIs>,
}

/// What came of one.
#[derive(Debug)]
pub enum Done {
    /// It was done, or would be.
    Well(Box<Outcome>),
    /// What would be in force has faults.
    Faulty(Vec<Fault>),
}

/// Everything that was in force at a revision.
pub async fn then(store: &Store, revision: i64) -> Result<BTreeMap<(Kind, Id), Bytes>, Refusal> {
    let corrupt = || Refusal::new(ErrorCode::Internal, "what is stored can't be read");
    let rows = store.in_force_at(revision).await?.into_iter();
    rows.map(|row| {
        let kind: Kind = row.kind.parse().map_err(|_| corrupt())?;
        let tenant = Some(row.tenant.as_str()).filter(|tenant| !tenant.is_empty());
        let tenant = tenant.map(Name::new).transpose().map_err(|_| corrupt())?;
        let id = Id { tenant, name: Name::new(&row.name).map_err(|_| corrupt())? };
        Ok(((kind, id), row.bytes))
    })
    .collect()
}

/// Puts back what is wanted, or tries to; faults are an answer, a refusal is for who may not.
pub async fn rollback(
    publisher: &Publisher,
    actor: &Actor,
    (act, mode): (Act, Mode),
    wanted: Wanted,
) -> Result<(Done, Made), Refusal> {
    let made = Arc::new(Mutex::new(Made::default()));
    let (cell, who) = (made.clone(), actor.clone());
    let plan = move |published: &Published, gate: &Gate| {
        let planned = planned((published, gate), &who, &wanted)?;
        let plan = plan(published, &planned, wanted);
        *cell.lock() = planned;
        Ok(plan)
    };
    let outcome = publisher.publish(act, mode, plan).await;
    let made = std::mem::take(&mut *made.lock());
    match outcome {
        Ok(outcome) => Ok((Done::Well(Box::new(outcome)), made)),
        Err(ChangeError::Faults(found)) => {
            let removed = made.turned.iter().filter(|turned| turned.after.is_none());
            let removed: Vec<(Kind, Id)> = removed.map(|turned| (turned.kind, turned.id.clone())).collect();
            let asking = Asking { actor, published: &publisher.current() };
            Ok((Done::Faulty(uses::in_the_way(&removed, found, asking)), made))
        }
        Err(other) => Err(other.into()),
    }
}

/// Refuses what the caller may not write; of a rollback of everything it is not told what that is.
fn permitted(
    published: &Published,
    actor: &Actor,
    (kind, id): (Kind, &Id),
    whole: bool,
) -> Result<(), ChangeError> {
    let refused = published.demand_write(actor, kind, id);
    Ok(refused.map_err(|refusal| {
        let line = "it would change what is not yours to write: name what is to be rolled back with `resources` (`--resource`)";
        if whole { Refusal::new(ErrorCode::PermissionDenied, line) } else { refusal }
    })?)
}

fn plan(published: &Published, planned: &Made, wanted: Wanted) -> Plan {
    let Wanted { staging, may_shrink, approves, .. } = wanted;
    let removed = planned.turned.iter().filter(|turned| turned.after.is_none());
    let along = removed.flat_map(|turned| govern::takes_along(turned.kind, &turned.id, &published.facts));
    let along: BTreeSet<Id> = along.collect();
    let mut changes: Vec<Change> = planned
        .turned
        .iter()
        .map(|turned| Change { kind: turned.kind, id: turned.id.clone(), after: turned.after.clone() })
        .collect();
    changes.extend(along.into_iter().map(|id| Change { kind: Kind::Key, id, after: None }));
    Plan { changes, staging, may_shrink, approves, ..Plan::default() }
}

/// What becomes another, and what is left as it is.
fn planned(
    (published, gate): (&Published, &Gate),
    actor: &Actor,
    wanted: &Wanted,
) -> Result<Made, ChangeError> {
    let (mut made, mut faults) = (Made::default(), Vec::new());
    for kind in Kind::ALL.iter().copied() {
        let now = published.registry.all(kind).map(|(id, _)| id);
        let then = wanted.then.keys().filter(|(of, _)| *of == kind).map(|(_, id)| id);
        let all: BTreeSet<&Id> =
            now.chain(then).filter(|id| is_selected(&wanted.selected, kind, id)).collect();
        for id in all {
            let stored = published.registry.get(kind, id).map(AsRef::as_ref);
            let then = wanted.then.get(&(kind, id.clone()));
            if stored.map(|stored| &stored.bytes) == then {
                continue;
            }
            if kind != Kind::Key {
                permitted(published, actor, (kind, id), wanted.selected.is_empty())?;
            }
            match turned((kind, id), (stored, then), ((published, gate), &mut made.left)) {
                Ok(found) => made.turned.extend(found),
                Err(found) => faults.extend(found),
            }
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(ChangeError::Faults(faults)) }
}

/// What becomes of one resource that was another then; `None`: it is left as it is.
fn turned(
    (kind, id): (Kind, &Id),
    (stored, then): (Option<&Stored>, Option<&Bytes>),
    ((published, gate), left): ((&Published, &Gate), &mut Vec<LeftAsItIs>),
) -> Result<Option<Turned>, Vec<Fault>> {
    let mut leave = |reason: &str| {
        if left.len() < LEFT {
            left.push(LeftAsItIs { name: name::format(kind, id), reason: reason.to_owned() });
        }
    };
    if kind == Kind::Key {
        leave(KEY);
        return Ok(None);
    }
    let before = stored.map(|stored| stored.bytes.clone());
    let after = match then {
        None => None,
        Some(bytes) => {
            if let Some(why) = left_out((kind, id), bytes, (published, gate)) {
                leave(why);
                return Ok(None);
            }
            let (encoded, said) = without_secret(kind, bytes, before.as_ref());
            said.into_iter().for_each(&mut leave);
            let raw = Raw { kind, id, encoded: &encoded, before: stored };
            Some(govern::prepare_encoded(raw, gate)?.bytes)
        }
    };
    Ok((before != after).then(|| Turned { kind, id: id.clone(), before, after }))
}

/// Why a resource is left out, where it is: it is somebody who was erased, or needs somebody or a key to be there that never comes back.
fn left_out(
    (kind, id): (Kind, &Id),
    then: &Bytes,
    (published, gate): (&Published, &Gate),
) -> Option<&'static str> {
    let mut key = None;
    let who = match kind {
        Kind::Principal => Some(id.name.to_string()),
        Kind::Grant => match Grant::decode(then.clone()).ok()?.spec?.to?.subject? {
            Subject::Principal(who) => Some(who),
            _ => None,
        },
        Kind::Limit => {
            let scope = Limit::decode(then.clone()).ok()?.spec?.scope?;
            key = Name::new(&scope.key).ok();
            Some(scope.principal)
        }
        _ => None,
    };
    if who.is_some_and(|who| gate.subjects.is_nobody(&who)) {
        return Some(ERASED);
    }
    key.is_some_and(|key| !published.facts.keys.contains_key(&key)).then_some(GONE)
}

/// A provider as it was, with the sealed credential it has now, and what is said of that.
fn without_secret(kind: Kind, then: &Bytes, now: Option<&Bytes>) -> (Bytes, Option<&'static str>) {
    let unchanged = || (then.clone(), None);
    let read = |bytes: &Bytes| Provider::decode(bytes.clone()).ok();
    let Some(mut provider) = Some(then).filter(|_| kind == Kind::Provider).and_then(read) else {
        return unchanged();
    };
    let Some(spec) = &mut provider.spec else { return unchanged() };
    let is_sealed =
        matches!(spec.credential.as_ref().and_then(|c| c.source.as_ref()), Some(Source::Sealed(_)));
    let present = now.and_then(read).and_then(|provider| provider.spec).and_then(|spec| spec.credential);
    if !is_sealed || spec.credential == present {
        return unchanged();
    }
    spec.credential = present;
    (provider.encode_to_vec().into(), Some(if now.is_some() { CREDENTIAL } else { NONE }))
}

/// Whether a resource is among those that were named; where none was, it is.
pub fn is_selected(selected: &[Touched], kind: Kind, id: &Id) -> bool {
    let owner = id.tenant.as_ref().map_or("", Name::as_str);
    let such = |touched: &Touched| match touched {
        Touched::Resource { kind: of, tenant, name } => {
            of == kind.as_str() && tenant == owner && name == id.name.as_str()
        }
        Touched::Kind(of, tenant) => {
            of == kind.as_str() && tenant.as_ref().is_none_or(|tenant| tenant == owner)
        }
        Touched::Tenant(tenant) => tenant == owner || (kind == Kind::Tenant && id.name.as_str() == tenant),
    };
    selected.is_empty() || selected.iter().any(such)
}
