//! One look for what is over: what goes now, and the events that tell of it.
//!
//! Law: a look that fails half-way has done what is told of in the log, and nothing else. What was looked through and stays is not looked
//! through again until a retention or a hold changes.

use std::collections::BTreeMap;

use prost::Message as _;
use proto::admin::{AuditEvent, AuditedChange, Retention};
use proto::pruned::{self, PRUNE_EVENTS, PRUNE_SEGMENTS, PRUNED};

use super::class::{self, Class};
use super::{kept, read};
use crate::act::{Act, encoded};
use crate::holds::Standing;
use crate::lawful::Lawful;
use crate::registry::hex;
use crate::store::{Basis, Digest, Event, LoggedEvent, RetentionRow, SegmentRow, Store, StoreError};

/// By how much the clock of an event may be ahead of those after it, to be waited for, in microseconds; one that is further ahead holds up
/// nobody, and is looked at again when the log is looked through from its beginning, after as long as [`ANEW`].
const AHEAD: i64 = 3_600_000_000;

/// After how long all is looked through again, in microseconds.
const ANEW: i64 = 86_400_000_000;

/// Events, or segments, that go by one event at most.
const MOST: i64 = 1_000;

/// What went in one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// Events whose bodies went.
    pub(super) events: usize,
    /// Segments whose lines are to go.
    pub(super) segments: usize,
}

/// Who looks, and up to which event it has looked by what.
#[derive(Debug, Default)]
pub(super) struct Pruner {
    looked: BTreeMap<&'static str, Looked>,
    /// What the log allows.
    lawful: Lawful,
    /// Something went that may be in the journal still.
    traces: bool,
}

/// Up to where it was looked.
#[derive(Debug, Clone)]
struct Looked {
    basis: Basis,
    after: i64,
    /// When it was begun at the beginning, in microseconds since the Unix epoch.
    begun: i64,
}

/// A retention by which something goes now.
struct InForce {
    row: RetentionRow,
    retention: Retention,
    /// What is of this instant or later is kept, in microseconds since the Unix epoch.
    since: i64,
}

impl Pruner {
    /// Has everything go that is over at an instant.
    pub(super) async fn round(&mut self, store: &Store, now: i64) -> Result<Round, StoreError> {
        let standing = Standing::read(store).await?;
        let mut round = Round::default();
        let rows = store.retentions().await?;
        for class in [Class::Reads, Class::Changes] {
            if let Some(found) = in_force(&rows, class.as_str(), now)? {
                let until = i64::try_from(store.audit_size().await?).unwrap_or(i64::MAX);
                for (event, what) in self.lawful.follow(store, until).await? {
                    tracing::error!(event, what, "the audit log tells what it does not allow");
                }
                if let Some(why) = self.lawful.forbids(&format!("retentions/{}", class.as_str()), now)
                    && !standing.everything
                {
                    tracing::warn!(why, "the log does not allow what a retention says: set that anew");
                    continue;
                }
                round.events += self.events(store, (class, &found), (&standing, now)).await?;
            }
        }
        if standing.is_none() && !rows.is_empty() {
            for geo in store.geos_of_segments().await? {
                let own = format!("{}-{geo}", Class::Decisions.as_str());
                let has_own = rows.iter().any(|row| row.name == own);
                // Who deleted a geo's own may have meant it to be kept: what is left has a grace like one that is set.
                if !has_own && store.retention_ended(&own).await?.is_some_and(|from| now < from) {
                    continue;
                }
                let name = if has_own { &own } else { Class::Decisions.as_str() };
                if let Some(found) = in_force(&rows, name, now)? {
                    round.segments += segments(store, (&geo, &found), (&standing, now)).await?;
                }
            }
        }
        self.traces |= round.events > 0;
        if self.traces {
            self.traces = !store.scrub().await?;
        }
        Ok(round)
    }

    async fn events(
        &mut self,
        store: &Store,
        (class, by): (Class, &InForce),
        (standing, now): (&Standing, i64),
    ) -> Result<usize, StoreError> {
        let basis = Basis { retention: by.row.clone(), holds: standing.names.clone() };
        let looked = self.looked.get(class.as_str());
        let looked = looked.filter(|known| known.basis == basis && now.saturating_sub(known.begun) < ANEW);
        let (mut after, begun) = looked.map_or((0, now), |known| (known.after, known.begun));
        // Those that are soon over are looked at next time, though later ones are over.
        let soon = (by.since, by.since.saturating_add(AHEAD));
        let soon = store.first_whole_within(after, soon).await?.map_or(i64::MAX, |seq| seq.saturating_sub(1));
        let mut count = 0;
        loop {
            let over = store.whole_events_after(after, by.since, MOST).await?;
            let goes = |event: &&LoggedEvent| may_go(event, class, standing);
            let going: Vec<i64> = over.iter().filter(goes).map(|event| event.seq).collect();
            if !going.is_empty() {
                let changes = pruned::changes(&going);
                let event = told((PRUNE_EVENTS, "auditEvents"), (by, now), changes);
                if !store.prune_events(&basis, &going, &event).await? {
                    return Ok(count);
                }
                count += going.len();
            }
            let last = over.last().map_or(after, |event| event.seq);
            let known = Looked { basis: basis.clone(), after: last.min(soon), begun };
            self.looked.insert(class.as_str(), known);
            after = last;
            if i64::try_from(over.len()).unwrap_or(i64::MAX) < MOST {
                return Ok(count);
            }
        }
    }
}

/// Whether an event is of a class and no hold is over it; what can't be read stays.
fn may_go(logged: &LoggedEvent, class: Class, standing: &Standing) -> bool {
    AuditEvent::decode(logged.body.as_slice())
        .is_ok_and(|event| class::of(&event) == Some(class) && !standing.covers(&event, &logged.body))
}

/// The retention of this id, where it is in effect.
fn in_force(rows: &[RetentionRow], name: &str, now: i64) -> Result<Option<InForce>, StoreError> {
    let Some(row) = rows.iter().find(|row| row.name == name && row.effective_at <= now) else {
        return Ok(None);
    };
    let retention = read(row)?;
    let since = kept(&retention).map(|keep| now.saturating_sub(keep));
    Ok(since.map(|since| InForce { row: row.clone(), retention, since }))
}

async fn segments(
    store: &Store,
    (geo, by): (&str, &InForce),
    (standing, now): (&Standing, i64),
) -> Result<usize, StoreError> {
    let basis = Basis { retention: by.row.clone(), holds: standing.names.clone() };
    let mut count = 0;
    loop {
        let rows = store.segments_over(geo, by.since, MOST).await?;
        if rows.is_empty() {
            return Ok(count);
        }
        let hashes: Vec<Digest> = rows.iter().map(|row| row.hash).collect();
        let event = told((PRUNE_SEGMENTS, "decisionSegments"), (by, now), rows.iter().map(gone).collect());
        if !store.prune_segments(&basis, (&hashes, now), &event).await? {
            return Ok(count);
        }
        count += hashes.len();
    }
}

/// What is said of a segment whose lines are to go: it is named as by the event that anchors it.
fn gone(segment: &SegmentRow) -> AuditedChange {
    AuditedChange {
        name: crate::anchors::named(segment),
        change: PRUNED.to_owned(),
        before_digest: hex(&segment.hash),
        ..AuditedChange::default()
    }
}

/// The event that something goes by a retention.
fn told(
    (action, resource): (&str, &str),
    (by, now): (&InForce, i64),
    changes: Vec<AuditedChange>,
) -> Event<'static> {
    let keep = by.retention.spec.as_ref().map(|spec| spec.keep.clone()).unwrap_or_default();
    let act = Act {
        resource: resource.to_owned(),
        approvals: vec![by.retention.name.clone()],
        reason: format!("kept for {keep}"),
        ..Act::of_system(action)
    };
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| {
            encoded(AuditEvent { changes: changes.clone(), ..act.event("ok", 0, now) }, seq)
        }),
    }
}
