//! What is switched off: made and lifted here, and told to every geo at once.
//!
//! Law: one writer; a change, its number and its audit event are one transaction, and nobody is told before it is committed. A kill is
//! no part of revisions. What is sent to a geo names nothing that is not in that geo's policy. Deliberately absent: who may (`actor`),
//! signing and sending (`api::sync`).

mod check;
mod earlier;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Geo, Id, Kind, Name};
use prost::Message as _;
use proto::admin::{Kill, KillSpec};
use proto::code::ErrorCode;
use proto::status::Refusal;
use proto::sync::{KillSet, Scope};
use tokio::sync::{Mutex, watch};

use crate::act::{Act, changed_aside};
use crate::clock;
use crate::error::{ChangeError, unspoken};
use crate::registry::Registry;
use crate::store::{Head, KillChange, KillRow, Store, StoreError};

pub(crate) use check::{There, checked};
pub(crate) use earlier::Earlier;

/// Kills there may be: each is looked at by every request of every node.
const MOST: usize = 1_000;

/// What is switched off now.
#[derive(Debug, Default)]
pub struct KillsNow {
    /// Grows with each change; 0 before the first.
    pub seq: u64,
    /// Every kill, those that have ended among them, by id.
    pub kills: BTreeMap<Name, Kill>,
}

/// Makes and lifts kills. Clones share it.
#[derive(Debug, Clone)]
pub struct Kills {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    writing: Mutex<()>,
    current: watch::Sender<Arc<KillsNow>>,
    told: RwLock<BTreeMap<Geo, Telling>>,
}

/// What nodes of a geo are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Of which [`KillsNow`] it is.
    pub(crate) of: u64,
    /// The seq nodes know it by; 0: there was nothing to tell.
    pub(crate) seq: u64,
    /// The seq by which each kill of it came to be told as it is, by AIP name.
    pub(crate) since: BTreeMap<String, u64>,
}

impl Telling {
    /// What is told after this: a set, of which what was told before as it is keeps its seq.
    pub(crate) fn then(&self, of: u64, before: &KillSet, set: &KillSet) -> Self {
        let since = set.kills.iter().map(|kill| {
            let name = format!("kills/{}", kill.id);
            let told =
                self.since.get(&name).filter(|_| set.epoch == before.epoch && before.kills.contains(kill));
            let seq = told.copied().unwrap_or(set.seq);
            (name, seq)
        });
        Self { of, seq: set.seq, since: since.collect() }
    }
}

/// Whether what a kill names is or ever was in force; of what is no resource, no.
pub(crate) async fn was_in_force(spec: &KillSpec, store: &Store) -> Result<bool, StoreError> {
    Ok(earlier::versions_of(spec, store).await?.is_some_and(|(_, versions)| !versions.is_empty()))
}

fn corrupt(id: &str) -> StoreError {
    StoreError::Corrupt(format!("a kill that can't be read, `{id}`"))
}

/// The AIP name of a kill.
pub(crate) fn named(id: &Name) -> String {
    format!("kills/{id}")
}

impl Kills {
    /// Reads what is switched off.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        let (seq, rows) = store.kills().await?;
        let read = |row: KillRow| {
            let id = Name::new(&row.id).map_err(|_| corrupt(&row.id))?;
            Ok((id, Kill::decode(row.body.as_slice()).map_err(|_| corrupt(&row.id))?))
        };
        let kills = rows.into_iter().map(read).collect::<Result<_, StoreError>>()?;
        let now = KillsNow { seq: u64::try_from(seq).unwrap_or_default(), kills };
        let (current, _) = watch::channel(Arc::new(now));
        let shared =
            Shared { store: store.clone(), writing: Mutex::new(()), current, told: RwLock::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What is switched off now.
    pub fn current(&self) -> Arc<KillsNow> {
        self.shared.current.borrow().clone()
    }

    /// The newest kill of an id that was lifted, as it was then; nothing is switched off by it.
    pub(crate) async fn lifted(&self, id: &Name) -> Result<Option<Kill>, StoreError> {
        let Some(row) = self.shared.store.lifted_kill(id.as_str()).await? else { return Ok(None) };
        Ok(Some(Kill::decode(row.body.as_slice()).map_err(|_| corrupt(&row.id))?))
    }

    /// What is switched off, and every change of it; a slow reader sees the latest, not each.
    pub fn watch(&self) -> watch::Receiver<Arc<KillsNow>> {
        self.shared.current.subscribe()
    }

    /// Notes what nodes of a geo are told from now on.
    pub(crate) fn tells(&self, geo: &Geo, telling: Telling) {
        self.shared.told.write().insert(geo.clone(), telling);
    }

    /// What nodes of a geo are told; `None` while no node of it was heard.
    pub(crate) fn told_in(&self, geo: &Geo) -> Option<Telling> {
        self.shared.told.read().get(geo).cloned()
    }

    /// Switches something off, as it was checked, and gives the kill as it is then.
    pub(crate) async fn create(&self, act: Act, id: Name, spec: KillSpec) -> Result<Kill, ChangeError> {
        let shared = self.shared.clone();
        let made = tokio::spawn(async move { shared.create(act, id, spec).await });
        made.await.map_err(|_| ChangeError::Broken)?
    }

    /// Lifts a kill.
    pub(crate) async fn lift(&self, act: Act, id: Name) -> Result<(), ChangeError> {
        let shared = self.shared.clone();
        tokio::spawn(async move { shared.lift(act, id).await }).await.map_err(|_| ChangeError::Broken)?
    }
}

impl Shared {
    async fn create(&self, act: Act, id: Name, spec: KillSpec) -> Result<Kill, ChangeError> {
        let _turn = self.writing.lock().await;
        let before = self.current.borrow().clone();
        let now = clock::now();
        // One that has ended switches nothing off: its name is free.
        let ended = before.kills.get(&id);
        if ended.is_some_and(|kill| !has_ended(kill, now)) {
            return Err(Refusal::new(ErrorCode::AlreadyExists, "there is one of this name already").into());
        }
        if ended.is_none() && before.kills.len() >= MOST {
            let line =
                format!("there are {MOST} kills already, ended ones among them: delete what is not needed");
            return Err(Refusal::new(ErrorCode::FailedPrecondition, line).into());
        }
        let ended = ended.map(prost::Message::encode_to_vec);
        let kill = Kill {
            name: named(&id),
            create_time: Some(clock::timestamp(now)),
            spec: Some(spec),
            creator: act.actor.clone(),
            ..Kill::default()
        };
        let row = KillRow { id: id.to_string(), body: kill.encode_to_vec() };
        let event = changed_aside(&act, &named(&id), (ended.as_deref(), Some(&row.body)), now);
        let seq = self.store.change_kills(KillChange::Made(&row, now), &event).await?;
        self.tell(seq, |kills| kills.insert(id.clone(), kill.clone()));
        Ok(kill)
    }

    async fn lift(&self, act: Act, id: Name) -> Result<(), ChangeError> {
        let _turn = self.writing.lock().await;
        let before = self.current.borrow().clone();
        let Some(kill) = before.kills.get(&id) else { return Err(missing(&id).into()) };
        let now = clock::now();
        let event = changed_aside(&act, &named(&id), (Some(&kill.encode_to_vec()), None), now);
        let lifted = Kill {
            state: "lifted".to_owned(),
            lift_time: Some(clock::timestamp(now)),
            lifter: act.actor.clone(),
            lift_reason: act.reason.clone(),
            ..kill.clone()
        };
        let row = KillRow { id: id.to_string(), body: lifted.encode_to_vec() };
        let seq = self.store.change_kills(KillChange::Lifted(&row, now), &event).await?;
        self.tell(seq, |kills| kills.remove(&id));
        Ok(())
    }

    fn tell<T>(&self, seq: i64, change: impl FnOnce(&mut BTreeMap<Name, Kill>) -> T) {
        let mut kills = self.current.borrow().kills.clone();
        change(&mut kills);
        let seq = u64::try_from(seq).unwrap_or_default();
        self.current.send_replace(Arc::new(KillsNow { seq, kills }));
    }
}

/// What is told of a kill that is not there.
pub(crate) fn missing(id: &Name) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("there is no such resource: `{}`", unspoken(&named(id))))
}

/// What is told of a kill that was lifted before.
pub(crate) fn lifted_before(kill: &Kill) -> Refusal {
    let at = kill.lift_time.as_ref().and_then(proto::convert::instant).map(|at| format!(" at {at}"));
    let line = format!("`{}` was lifted already, by `{}`{}", kill.name, kill.lifter, at.unwrap_or_default());
    Refusal::new(ErrorCode::NotFound, line)
}

/// Whether a kill has ended by itself.
fn has_ended(kill: &Kill, now: i64) -> bool {
    let ends = kill.spec.as_ref().and_then(|spec| spec.expire_time.as_ref());
    ends.is_some_and(|ends| clock::micros(ends) <= now)
}

impl KillsNow {
    /// A kill as it is read: with whether it holds.
    pub(crate) fn present(kill: &Kill, now: i64) -> Kill {
        let state = if has_ended(kill, now) { "ended" } else { "active" };
        Kill { state: state.to_owned(), ..kill.clone() }
    }
}

/// What nodes of a geo may enforce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    /// The policies in force there.
    pub(crate) policies: &'a [&'a Facts],
    /// What was in an earlier one.
    pub(crate) earlier: &'a Earlier,
    /// The set that was told before.
    pub(crate) told: &'a KillSet,
}

/// What is switched off, as a geo's nodes are told: without what names things that never were in a policy there. What was told, or was
/// in an earlier policy, stays for as long as it is switched off: a node that takes no newer one enforces one that has the thing after
/// the policy in force has lost it.
///
/// The seq grows with each change of kills and with each revision, because a revision may bring a thing that is switched off into a
/// geo; 0 before the first kill. What holds the same kills as what was sent before need not be sent again.
pub(crate) fn set_for(now: &KillsNow, geo: &Geo, held: Held<'_>, head: Head) -> KillSet {
    let revision = u64::try_from(head.revision).unwrap_or_default();
    let seq = if now.seq == 0 { 0 } else { now.seq.saturating_add(revision) };
    let here = |(id, kill): (&Name, &Kill)| {
        let spec = kill.spec.as_ref()?;
        let was_told = |told: &proto::sync::Kill| {
            told.id == id.as_str() && told.target == spec.target && told.name == spec.resource
        };
        let concerned = held.told.kills.iter().any(was_told)
            || held.policies.iter().any(|facts| is_in(spec, geo, facts))
            || held.earlier.had(spec);
        concerned.then(|| proto::sync::Kill {
            id: id.to_string(),
            target: spec.target.clone(),
            name: spec.resource.clone(),
            mode: spec.mode.clone(),
            reason: spec.reason.clone(),
            expires_at: spec.expire_time,
        })
    };
    KillSet {
        seq,
        epoch: head.epoch,
        scope: Some(Scope { geo: geo.to_string(), node_class: String::new() }),
        kills: now.kills.iter().filter_map(here).collect(),
    }
}

/// Whether what a kill names is in a geo's policy.
fn is_in(spec: &KillSpec, geo: &Geo, projected: &Facts) -> bool {
    match Target::of(&spec.target) {
        Some(Target::Everything) => true,
        Some(Target::Geo) => spec.resource == geo.as_str(),
        Some(Target::Kind(kind)) => match proto::name::parse_as(kind, &spec.resource) {
            Ok(id) => Target::exists(kind, &id, projected),
            Err(_) => false,
        },
        None => false,
    }
}

/// What a kill may hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Everything,
    Geo,
    Kind(Kind),
}

impl Target {
    /// Every word for one.
    pub(crate) const WORDS: [(&'static str, Target); 6] = [
        ("everything", Self::Everything),
        ("geo", Self::Geo),
        ("tenant", Self::Kind(Kind::Tenant)),
        ("provider", Self::Kind(Kind::Provider)),
        ("endpoint", Self::Kind(Kind::Endpoint)),
        ("model", Self::Kind(Kind::Model)),
    ];

    /// The target of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, target)| *target)
    }

    fn exists(kind: Kind, id: &Id, facts: &Facts) -> bool {
        match kind {
            Kind::Tenant => facts.tenants.contains_key(id),
            Kind::Provider => facts.providers.contains_key(id),
            Kind::Endpoint => facts.endpoints.contains_key(id),
            Kind::Model => facts.models.contains_key(id),
            _ => false,
        }
    }
}

/// Everything of a kind that a kill may name, by AIP name.
pub(crate) fn nameable(kind: Kind, registry: &Registry) -> impl Iterator<Item = String> {
    registry.all(kind).map(move |(id, _)| proto::name::format(kind, id))
}

#[cfg(test)]
mod tests;
