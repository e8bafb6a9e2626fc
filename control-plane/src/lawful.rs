//! What the audit log itself allows to be pruned of it, followed as the log grows.
//!
//! Law: it is judged by `proto::pruned`, as by whoever verifies an export: what an auditor would not accept is neither done nor signed for.
//! Absent on purpose: what is over (`retention`), and signing (`checkpoints`).

use prost::Message as _;
use proto::admin::AuditEvent;
use proto::convert;
use proto::pruned::{Allowed, Law, Wrong, told_by};

use crate::store::{LoggedEvent, Store, StoreError};

/// Events that are read at a time.
const PAGE: i64 = 1_000;

/// What the log allows, up to an event.
#[derive(Debug, Default)]
pub(crate) struct Lawful {
    law: Law,
    after: i64,
}

impl Lawful {
    /// Takes in what was logged since, up to an event; gives what of it, or of what it shows, can't be.
    pub(crate) async fn follow(&mut self, store: &Store, until: i64) -> Result<Vec<Wrong>, StoreError> {
        let mut wrong = Vec::new();
        loop {
            let events = store.events_of_retention((self.after, until), PAGE).await?;
            let Some(last) = events.last().map(|event| event.seq) else { break };
            for logged in &events {
                // What does not decode is none of ours, and allows nothing.
                let Ok(event) = AuditEvent::decode(logged.body.as_slice()) else { continue };
                match self.law.take(&event) {
                    Err(what) => wrong.push(what),
                    Ok(Some(by)) => wrong.extend(too_young(store, (logged, &event), &by).await?),
                    Ok(None) => {}
                }
            }
            self.after = last;
        }
        self.after = self.after.max(until);
        Ok(wrong)
    }

    /// Why nothing goes at an instant by a retention; `None`: it may.
    pub(crate) fn forbids(&self, retention: &str, now: i64) -> Option<String> {
        self.law.allows(retention, now).err()
    }
}

/// What was pruned by an event though it was younger than that says, as the events around it tell.
async fn too_young(
    store: &Store,
    (logged, event): (&LoggedEvent, &AuditEvent),
    by: &Allowed,
) -> Result<Option<Wrong>, StoreError> {
    for (first, _) in told_by(event).unwrap_or_default() {
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        let near = store.whole_events_before(first, proto::pruned::NEAR).await?;
        let time = |logged: &LoggedEvent| {
            let event = AuditEvent::decode(logged.body.as_slice()).ok()?;
            convert::instant(event.create_time.as_ref()?).map(|instant| instant.0)
        };
        if near.iter().filter_map(time).min().is_some_and(|least| least >= by.since) {
            let sequence = u64::try_from(logged.seq).unwrap_or_default();
            return Ok(Some((sequence, format!("it prunes event {first}, which was younger"))));
        }
    }
    Ok(None)
}
