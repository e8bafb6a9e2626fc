//! Declarative files made so: all documents in one publication, every fault with its file and line, or nothing.

use std::collections::HashMap;

use policy_engine::compile;
use policy_engine::vocabulary::{Id, Kind};
use proto::admin::{ApplyResponse, Fault, ResourceChange, SourceFile};
use proto::name;
use proto::status::Refusal;

use super::document::{self, Document};
use crate::actor::Actor;
use crate::error::ChangeError;
use crate::govern::{self, Gate, Raw};
use crate::publish::{Act, Change, Effects, Mode, Outcome, Plan, Published, Publisher};

/// Applies files, or tries to; faults are an answer, a refusal is for who may not.
pub async fn apply(
    publisher: &Publisher,
    actor: &Actor,
    (act, mode): (Act, Mode),
    files: Vec<SourceFile>,
) -> Result<ApplyResponse, Refusal> {
    let reading = tokio::task::spawn_blocking(move || document::read(&files));
    let (mut documents, mut faults) = reading.await.map_err(|_| ChangeError::Broken)?;
    documents.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    let current = publisher.current();
    for document in &documents {
        current.demand_write(actor, document.kind, &document.id)?;
    }
    if !faults.is_empty() {
        let more = documents.iter().flat_map(|document| of_values(&current, publisher.gate(), document));
        faults.extend(more.take(document::MAX_FAULTS));
        return Ok(refused(faults));
    }
    let places: HashMap<(Kind, Id), usize> =
        documents.iter().enumerate().map(|(at, d)| ((d.kind, d.id.clone()), at)).collect();
    let documents = std::sync::Arc::new(documents);
    let declared = documents.clone();
    let planned = move |published: &Published, gate: &Gate| plan(published, gate, &declared);
    match publisher.publish(act, mode, planned).await {
        Ok(outcome) => Ok(done(&outcome)),
        Err(ChangeError::Faults(found)) => {
            let placed = found.into_iter().map(|fault| {
                let at = places.get(&(fault.kind, fault.id.clone()));
                place(fault, at.and_then(|at| documents.get(*at)))
            });
            Ok(refused(placed.collect()))
        }
        Err(other) => Err(other.into()),
    }
}

fn plan(published: &Published, gate: &Gate, documents: &[Document]) -> Result<Plan, ChangeError> {
    let mut plan = Plan::default();
    for document in documents {
        let Ok(prepared) = govern::prepare_encoded(raw(published, document), gate) else {
            let all = documents.iter().flat_map(|each| govern::faults_of(raw(published, each), gate));
            return Err(ChangeError::Faults(all.take(document::MAX_FAULTS.saturating_add(1)).collect()));
        };
        plan.credentials.extend(prepared.sealed);
        let after = Some(prepared.bytes);
        plan.changes.push(Change { kind: document.kind, id: document.id.clone(), after });
    }
    Ok(plan)
}

/// The faults of a document's values, by themselves; what could not be bound has been told already.
fn of_values(published: &Published, gate: &Gate, document: &Document) -> Vec<Fault> {
    let found = govern::faults_of(raw(published, document), gate);
    let placed = found.into_iter().map(|fault| place(fault, Some(document)));
    placed.filter(|fault| !document.repeats(fault)).collect()
}

fn raw<'a>(published: &'a Published, document: &'a Document) -> Raw<'a> {
    Raw {
        kind: document.kind,
        id: &document.id,
        encoded: &document.encoded,
        before: published.registry.get(document.kind, &document.id).map(AsRef::as_ref),
    }
}

/// A fault where its author wrote it; a fault of something no file declares has no place, only a name.
pub(super) fn place(fault: compile::Fault, document: Option<&Document>) -> Fault {
    match document {
        Some(document) => document.fault(&fault.field, fault.message),
        None => Fault {
            path: String::new(),
            line: 0,
            field: fault.field,
            message: fault.message,
            kind: fault.kind.to_string(),
            name: name::format(fault.kind, &fault.id),
        },
    }
}

/// So many of the faults as are told, and the word that there are more.
pub(super) fn faulty(mut faults: Vec<Fault>) -> Vec<Fault> {
    let untold = faults.len() > document::MAX_FAULTS;
    faults.truncate(document::MAX_FAULTS);
    faults.sort_by(|a, b| (&a.path, a.line, &a.field).cmp(&(&b.path, b.line, &b.field)));
    if untold {
        let message = format!("there are more faults than these {}", document::MAX_FAULTS);
        faults.push(Fault { message, ..Fault::default() });
    }
    faults
}

fn refused(faults: Vec<Fault>) -> ApplyResponse {
    ApplyResponse { faults: faulty(faults), ..ApplyResponse::default() }
}

fn done(outcome: &Outcome) -> ApplyResponse {
    let revision = if outcome.changed { outcome.published.head.revision } else { 0 };
    ApplyResponse { changes: changes(&outcome.effects), faults: Vec::new(), revision }
}

pub(super) fn changes(effects: &Effects) -> Vec<ResourceChange> {
    let change = |(kind, id, effect): &(Kind, Id, crate::publish::Effect)| ResourceChange {
        kind: kind.to_string(),
        name: name::format(*kind, id),
        change: effect.as_str().to_owned(),
    };
    effects.iter().map(change).collect()
}
