//! Publishing: one act's changes become a revision, or nothing of them does.
//!
//! Law: there is one writer. What an act changes is judged by the same `compile` a node runs before a transaction begins;
//! the transaction then allocates the revision only where the head still is where the act was judged; what others see
//! changes after the commit and never before. An act that changes nothing makes no revision.
//! A publication runs to its end even when its caller has gone: memory and store never part.

mod approved;
mod audit;
mod epoch;
mod guard;
mod judge;
pub mod lines;
mod load;
mod plan;
mod scopes;
mod trail;
mod unlogged;
mod withheld;

use std::sync::Arc;
use std::time::Instant;

use policy_engine::facts::Facts;
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::Geo;
use policy_engine::{Change as Changed, Versions};
use prost::Message as _;
use proto::admin::Rollout;
use tokio::sync::{Mutex, watch};

use crate::approval::ApprovalConfig;
use crate::authoriser::Authoriser;
use crate::clock;
use crate::error::ChangeError;
use crate::govern::Gate;
use crate::keyring::KeyRing;
use crate::kills::Kills;
use crate::registry::Registry;
use crate::revocations::Revoked;
use crate::seal::Sealer;
use crate::store::{Batch, Digest, Event, Head, Page, RolloutRow, Store, Written};
use crate::subjects::Subjects;
use crate::telemetry::Metrics;
use crate::upstream::Upstream;
use crate::vault::Vault;

pub use crate::act::Act;
pub(crate) use approved::settled;
pub use audit::noted;
use judge::{Judged, changed, judge};
pub use lines::{Active, InForce};
pub use load::OpenError;
use plan::Applied;
pub use plan::{Approved, Change, Effect, Effects, Plan, Staging};
use scopes::{Judgement, Scopes};
pub use scopes::{Projected, Projections};
use trail::Trail;
use unlogged::Unlogged;
use withheld::Withheld;

/// One version of everything a request is judged by.
#[derive(Debug)]
pub struct Published {
    /// Its place in history.
    pub head: Head,
    /// SHA-256 over every resource in force.
    pub digest: Digest,
    /// Every resource in force, as stored.
    pub registry: Registry,
    /// The same as facts; the MACs of keys are zero until they are made for a scope.
    pub facts: Arc<Facts>,
    /// The facts, compiled without projection.
    pub compiled: Arc<CompiledSnapshot>,
    /// Who may do what to them.
    pub authoriser: Arc<Authoriser>,
    /// The keys that were taken back last.
    pub revoked: Arc<Revoked>,
    /// The newest revision whose author said that it may hold much less than the one before; 0: none.
    pub shrink_revision: i64,
    /// What each geo has of the facts, where that was worked out to judge them; empty where it was not.
    pub projected: Projections,
}

/// What came of an act.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What is in force now; the revision it was before where nothing changed or it was only tried.
    pub published: Arc<Published>,
    /// Every resource as the act leaves it, or would leave it.
    pub registry: Registry,
    /// What became, or would become, of each resource of the plan.
    pub effects: Effects,
    /// A revision was made.
    pub changed: bool,
    /// What would be in force; `None` where it was done, or nothing would change.
    pub would: Option<Arc<Published>>,
    /// The rollout that takes it, or would take it, to the nodes; `None`: they have it at once.
    pub rollout: Option<Rollout>,
}

/// Whether an act is done or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is done.
    Commit,
    /// It is judged, and nothing changes.
    Try,
}

/// What an operator says of what may be published.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Where the providers that are written from now on may be.
    pub upstream: Upstream,
    /// What one principal may not change alone.
    pub approval: ApprovalConfig,
    /// Who the people are that resources name.
    pub subjects: Subjects,
}

impl From<Upstream> for Terms {
    fn from(upstream: Upstream) -> Self {
        Self { upstream, ..Self::default() }
    }
}

/// The one writer, and what it published last. Clones share it.
#[derive(Debug, Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    gate: Gate,
    approval: ApprovalConfig,
    ring: KeyRing,
    kills: Kills,
    metrics: Metrics,
    refusals: Unlogged,
    reads: Unlogged,
    writing: Mutex<()>,
    trail: Trail,
    scopes: Scopes,
    withheld: Withheld,
    current: watch::Sender<Arc<Published>>,
    /// The same with the line that is for everybody.
    in_force: watch::Sender<InForce>,
}

impl Publisher {
    /// Opens a store: what is in force is read and compiled; a store that does not compile is refused, with every fault.
    pub async fn open(store: Store, sealer: Arc<Sealer>, terms: impl Into<Terms>) -> Result<Self, OpenError> {
        let Terms { upstream, approval, subjects } = terms.into();
        let published = load::published(&store).await?;
        let ring = KeyRing::open(&store, sealer.clone()).await?;
        let kills = Kills::open(&store).await?;
        let vault = Vault::new(sealer, store.credentials().await?.into_iter().collect());
        let gate = Gate { vault, upstream, subjects };
        let in_force = load::in_force(&store, Arc::new(published)).await?;
        let (current, _) = watch::channel(in_force.head.clone());
        let (in_force, _) = watch::channel(in_force);
        let metrics = Metrics::default();
        let (refusals, reads) = (Unlogged::refusals(), Unlogged::reads());
        let (writing, trail) = (Mutex::new(()), Trail::default());
        let scopes = Scopes::open(store.peaks().await?, &current.borrow().facts);
        let shared = Shared {
            store,
            gate,
            approval,
            ring,
            kills,
            metrics,
            refusals,
            reads,
            writing,
            trail,
            scopes,
            withheld: Withheld::default(),
            current,
            in_force,
        };
        shared.measure();
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Published> {
        self.shared.current.borrow().clone()
    }

    /// Holds what is published to what nodes of a geo take, from now on.
    pub async fn follow(&self, geo: &Geo) -> Result<(), ChangeError> {
        let (shared, geo) = (self.shared.clone(), geo.clone());
        tokio::spawn(async move { shared.follow(&geo).await }).await.map_err(|_| ChangeError::Broken)?
    }

    /// What is in force, and every change of it; a slow reader sees the latest, not each.
    pub fn watch(&self) -> watch::Receiver<Arc<Published>> {
        self.shared.current.subscribe()
    }

    /// Both lines, and every change of them; a slow reader sees the latest, not each.
    pub fn lines(&self) -> watch::Receiver<InForce> {
        self.shared.in_force.subscribe()
    }

    /// Keeps how the rollout goes on from where it was; tells whether it was: where it is another by now, nothing is kept.
    pub async fn go_on(&self, from: &Rollout, record: Rollout) -> Result<bool, ChangeError> {
        let (shared, from) = (self.shared.clone(), from.clone());
        tokio::spawn(async move { shared.go_on(&from, record).await })
            .await
            .map_err(|_| ChangeError::Broken)?
    }

    /// Brings a rollout from one state into another because somebody said so, and logs who. What it is otherwise stays as it is by then;
    /// tells whether it was in that state.
    pub async fn steer(&self, act: Act, (before, after): (&str, Rollout)) -> Result<bool, ChangeError> {
        let (shared, before) = (self.shared.clone(), before.to_owned());
        tokio::spawn(async move { shared.steer(&act, (&before, after)).await })
            .await
            .map_err(|_| ChangeError::Broken)?
    }

    /// Takes a rollout back, by a new revision with what was there before; tells whether it was still on its way.
    pub async fn take_back(&self, act: Act, name: &str, reason: &str) -> Result<bool, ChangeError> {
        let (name, reason, lines) = (name.to_owned(), reason.to_owned(), self.lines());
        let plan = move |published: &Published, _: &Gate| {
            let now = lines.borrow().rollout.clone();
            let Some(active) = now.filter(|active| active.record.name == name) else {
                return Ok(Plan::default());
            };
            let revision = published.head.revision.saturating_add(1);
            Ok(Plan { ends: Some(lines::aborted(&active.record, &reason, revision)), ..active.taken_back() })
        };
        Ok(self.publish(act, Mode::Commit, plan).await?.changed)
    }

    /// Everything that changed after a revision, up to another; `None` where that is not known any more.
    pub fn changes_since(&self, after: i64, to: i64) -> Option<Vec<Changed>> {
        self.shared.trail.since(after, to)
    }

    /// The store behind it, for history.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The sealed credentials.
    pub fn vault(&self) -> &Vault {
        &self.shared.gate.vault
    }

    /// Who the people are that resources name.
    pub fn subjects(&self) -> &Subjects {
        &self.shared.gate.subjects
    }

    /// What every resource passes on its way in.
    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// What one principal may not change alone.
    pub(crate) fn approval(&self) -> &ApprovalConfig {
        &self.shared.approval
    }

    /// What is known of API keys' secrets.
    pub fn ring(&self) -> &KeyRing {
        &self.shared.ring
    }

    /// What is switched off.
    pub fn kills(&self) -> &Kills {
        &self.shared.kills
    }

    /// Why geos are sent nothing of it.
    pub(crate) fn withheld(&self) -> &Withheld {
        &self.shared.withheld
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Does, or tries, what `plan` makes of what is in force when its turn has come.
    pub async fn publish<P>(&self, act: Act, mode: Mode, plan: P) -> Result<Outcome, ChangeError>
    where
        P: FnOnce(&Published, &Gate) -> Result<Plan, ChangeError> + Send + 'static,
    {
        let shared = self.shared.clone();
        let task = tokio::spawn(async move {
            let result = shared.publish(&act, mode, plan).await;
            if result.is_err() {
                shared.metrics.refusals.inc();
            }
            result
        });
        task.await.map_err(|_| ChangeError::Broken)?
    }

    /// What was in force at a revision; `None` where it was never published.
    pub async fn at(&self, revision: i64) -> Result<Option<Published>, ChangeError> {
        let page = Page { before: revision.checked_add(1), size: 1 };
        let found = self.shared.store.revisions(page).await?;
        let Some(row) = found.into_iter().find(|row| row.revision == revision) else { return Ok(None) };
        let head = Head { revision, epoch: row.epoch };
        match load::at_revision(&self.shared.store, head).await {
            Ok(published) => Ok(Some(published)),
            Err(OpenError::Faults(faults)) => Err(faults),
            Err(OpenError::Store(error)) => Err(error.into()),
            Err(OpenError::Ring(_)) => Err(ChangeError::Broken),
        }
    }
}

impl Shared {
    async fn publish<P>(&self, act: &Act, mode: Mode, plan: P) -> Result<Outcome, ChangeError>
    where
        P: FnOnce(&Published, &Gate) -> Result<Plan, ChangeError> + Send,
    {
        let _turn = self.writing.lock().await;
        let begun = Instant::now();
        let lines = self.in_force.borrow().clone();
        let base = lines.head.clone();
        let plan = plan(&base, &self.gate)?;
        let now = clock::now();
        let applied = plan::apply(&base, &plan, now)?;
        self.together(mode, (&base, &plan), &applied.effects).await?;
        if applied.written.is_empty() && !plan.begins_epoch {
            let Applied { registry, effects, .. } = applied;
            let rollout = lines::bringing(lines.rollout.as_ref(), &effects);
            return Ok(Outcome { published: base, registry, effects, changed: false, would: None, rollout });
        }
        guard::bounded(applied.registry.size())?;
        let rollout = lines::after(&lines, (&plan, &applied), &act.actor)?;
        let Applied { facts, registry, written, effects } = applied;
        let changes = changed(&effects);
        let before = Some((base.compiled.clone(), changes.clone()));
        let Judged { facts, compiled } = judge(facts, plan.after(base.head).revision, before).await?;
        let versions = Versions { before: &base.facts, after: &facts };
        let mut judged = guard::guarded(&self.scopes, versions, (&changes, plan.may_shrink))?;
        let head = plan.after(base.head);
        let revision = head.revision;
        let published = Arc::new(Published {
            head,
            digest: registry.digest(),
            registry: registry.clone(),
            authoriser: base.authoriser.after(&base.registry, &registry, &facts),
            revoked: base.revoked.after(&written, &facts, revision),
            shrink_revision: if judged.may_shrink { revision } else { base.shrink_revision },
            facts,
            compiled,
            projected: judged.projected(base.head.revision),
        });
        let stable = match &rollout {
            Some(rollout) => Arc::new(rollout.stable(&published, &lines.stable)?),
            None => published.clone(),
        };
        let bringing = lines::bringing(rollout.as_ref(), &effects);
        let outcome = |published, changed, would| Outcome {
            published,
            registry,
            effects,
            changed,
            would,
            rollout: bringing,
        };
        if mode == Mode::Try {
            return Ok(outcome(base, false, Some(published)));
        }
        let kept = plan.ends.as_ref().or(rollout.as_ref().map(|rollout| &rollout.record)).map(kept);
        self.commit(act, (&lines, &plan, kept.as_ref()), (&written, published.digest, now), &judged).await?;
        self.scopes.keep(judged);
        self.ring.keep(plan.keys);
        self.gate.vault.keep(&plan.credentials);
        self.trail.leave(revision, changes);
        let settled = if rollout.is_none() && lines.rollout.is_some() { revision } else { lines.settled };
        self.in_force.send_replace(InForce { head: published.clone(), stable, rollout, settled });
        self.current.send_replace(published.clone());
        self.metrics.publications.inc();
        self.metrics.duration.observe(begun.elapsed().as_secs_f64());
        self.measure();
        Ok(outcome(published, true, None))
    }

    /// Keeps another state and its reason, with the event of it. What the rollout is otherwise is what it is now: it may have gone on
    /// since it was read.
    async fn steer(&self, act: &Act, (before, after): (&str, Rollout)) -> Result<bool, ChangeError> {
        let _turn = self.writing.lock().await;
        let now = self.in_force.borrow().rollout.clone();
        let now = now.filter(|now| now.record.name == after.name && now.record.state == before);
        let Some(now) = now else { return Ok(false) };
        let Rollout { state, reason, candidate_revision, .. } = after;
        let event = audit::steering(act, candidate_revision, clock::now());
        self.keep(Rollout { state, reason, ..now.record.clone() }, Some(&event)).await?;
        Ok(true)
    }

    /// Keeps how the rollout goes on from what it was; where it is something else by now, that stays.
    async fn go_on(&self, from: &Rollout, record: Rollout) -> Result<bool, ChangeError> {
        let _turn = self.writing.lock().await;
        let is_as_it_was = self.in_force.borrow().rollout.as_ref().is_some_and(|now| now.record == *from);
        if is_as_it_was {
            self.keep(record, None).await?;
        }
        Ok(is_as_it_was)
    }

    /// Keeps what the rollout in force is from now on. One that is completed leaves one line for everybody. INVARIANT: `writing` is held.
    async fn keep(&self, record: Rollout, event: Option<&Event<'_>>) -> Result<(), ChangeError> {
        let lines = self.in_force.borrow().clone();
        let Some(active) = &lines.rollout else { return Ok(()) };
        self.store.keep_rollout(&kept(&record), event).await?;
        let next = match lines::is_over(&record) {
            true => InForce::settled(lines.head.clone()),
            false => InForce { rollout: Some(Arc::new(active.with(record))), ..lines.clone() },
        };
        self.in_force.send_replace(next);
        Ok(())
    }

    /// Looks at a geo from now on, as one that has nodes.
    async fn follow(&self, geo: &Geo) -> Result<(), ChangeError> {
        let _turn = self.writing.lock().await;
        let facts = self.current.borrow().facts.clone();
        if let Some(peak) = self.scopes.follow(geo, &facts) {
            self.store.keep_peak(&peak).await?;
        }
        Ok(())
    }

    fn measure(&self) {
        let current = self.current.borrow();
        self.metrics.revision.set(current.head.revision);
        self.metrics.api_keys.set(i64::try_from(current.facts.keys.len()).unwrap_or(i64::MAX));
    }

    async fn commit(
        &self,
        act: &Act,
        (lines, plan, rollout): (&InForce, &Plan, Option<&RolloutRow>),
        (written, digest, now): (&[Written], Digest, i64),
        judged: &Judgement,
    ) -> Result<(), ChangeError> {
        let base = &lines.head;
        let head = plan.after(base.head);
        let changes = audit::changes(base, written, head.revision);
        let told = plan.approves.as_ref().map_or_else(|| act.clone(), |proposal| proposal.told(act));
        let events = audit::events(&told, &changes, head.revision, now);
        let keys = self.ring.seal(&plan.keys)?;
        let begun = (head.revision, rollout.filter(|_| plan.staging.is_some()));
        let settled = |proposal: &Approved| proposal.published(act, begun, now);
        let settled = plan.approves.as_ref().map(|proposal| (settled(proposal), &proposal.record.proposer));
        let batch = Batch {
            base: base.head,
            epoch: head.epoch,
            digest,
            actor: &act.actor,
            action: &act.action,
            why: (&told.reason, &told.ticket),
            now,
            written,
            events: &events,
            keys: &keys,
            credentials: &plan.credentials,
            may_shrink: judged.may_shrink,
            peaks: &judged.peaks,
            rollout,
            proposal: settled.as_ref().map(|(settled, proposer)| (settled, proposer.as_str())),
        };
        self.store.commit(&batch).await?;
        Ok(())
    }
}

fn kept(record: &Rollout) -> RolloutRow {
    RolloutRow {
        candidate_revision: record.candidate_revision,
        body: record.encode_to_vec(),
        active: !lines::is_over(record),
    }
}

impl Published {
    /// The revision, as everything that serves requests counts it.
    pub fn revision(&self) -> u64 {
        u64::try_from(self.head.revision).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
