//! Events whose bodies were pruned, as they are told: what is left of them, and by what it went.

use std::collections::HashMap;

use prost::Message as _;
use proto::admin::{AuditEvent, AuditedPruning};
use proto::status::Refusal;

use super::LIST;
use crate::clock;
use crate::registry::hex;
use crate::store::{LoggedEvent, Store};

/// The events that tell of others, as far as they were asked for: many were pruned by one.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    store: &'a Store,
    known: HashMap<i64, AuditedPruning>,
}

impl<'a> Telling<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, known: HashMap::new() }
    }

    /// What is left of an event that was pruned by another.
    pub(super) async fn told(&mut self, logged: &LoggedEvent, by: i64) -> Result<AuditEvent, Refusal> {
        if !self.known.contains_key(&by) {
            let event = self.store.event(by).await?;
            let event = event.and_then(|event| AuditEvent::decode(event.body.as_slice()).ok());
            let event = event.unwrap_or_default();
            let pruning = AuditedPruning {
                event: format!("{LIST}/{by}"),
                prune_time: event.create_time,
                retention: proto::pruned::retention(&event).to_owned(),
                hash: String::new(),
            };
            self.known.insert(by, pruning);
        }
        let pruning = self.known.get(&by).cloned().unwrap_or_default();
        Ok(AuditEvent {
            name: format!("{LIST}/{}", logged.seq),
            sequence: logged.seq,
            create_time: Some(clock::timestamp(logged.created_at)),
            pruned: Some(AuditedPruning { hash: hex(&logged.hash), ..pruning }),
            ..AuditEvent::default()
        })
    }
}
