//! What declarative files name is taken back: all of it in one publication, whatever refers to what among it, or nothing.
//!
//! Law: only kinds and names count. What is not there is no fault; what others still use is, with their names.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use policy_engine::vocabulary::{Id, Kind};
use proto::admin::{DeleteResponse, Fault};
use proto::name;
use proto::status::Refusal;

use super::Declared;
use super::apply::{bringing, changes, drafted, faulty, place};
use super::document::{self, Document};
use crate::actor::Actor;
use crate::error::{ChangeError, IN_USE};
use crate::govern;
use crate::publish::{Act, Change, Mode, Outcome, Plan, Published, Publisher};
use crate::uses::{self, Asking};

/// Deletes what files declare, or tries to; faults are an answer, a refusal is for who may not.
pub async fn delete(
    publisher: &Publisher,
    actor: &Actor,
    how: (Act, Mode),
    declared: impl Into<Declared>,
) -> Result<DeleteResponse, Refusal> {
    let faults = match outcome(publisher, actor, how, declared.into()).await? {
        Ok(outcome) => return Ok(done(&outcome)),
        Err(faults) => faulty(faults),
    };
    Ok(DeleteResponse { faults, ..DeleteResponse::default() })
}

/// What would be in force were what files declare deleted from what is, or their faults.
pub async fn would_without(
    publisher: &Publisher,
    actor: &Actor,
    act: Act,
    declared: impl Into<Declared>,
) -> Result<Result<Arc<Published>, Vec<Fault>>, Refusal> {
    let declared = Declared { may_shrink: true, ..declared.into() };
    let path = declared.files.first().map(|file| file.path.clone()).unwrap_or_default();
    let tried = outcome(publisher, actor, (act, Mode::Try), declared).await?;
    Ok(tried.and_then(|outcome| drafted(outcome, path)).map_err(faulty))
}

/// What came of it, or the faults.
async fn outcome(
    publisher: &Publisher,
    actor: &Actor,
    (act, mode): (Act, Mode),
    declared: Declared,
) -> Result<Result<Outcome, Vec<Fault>>, Refusal> {
    let Declared { files, staging, may_shrink, kept, approves, .. } = declared;
    let reading = tokio::task::spawn_blocking(move || document::read(&files));
    let document::Read { mut documents, mut faults, .. } = reading.await.map_err(|_| ChangeError::Broken)?;
    document::covered(publisher.subjects(), &mut documents).await?;
    documents.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    let current = publisher.current();
    for document in &documents {
        current.demand_write(actor, document.kind, &document.id)?;
    }
    if kept {
        faults.extend(document::secrets(&documents));
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    if documents.is_empty() {
        return Err(Refusal::field("files", "declare nothing that could be deleted"));
    }
    let wanted: Vec<(Kind, Id)> = documents.iter().map(|d| (d.kind, d.id.clone())).collect();
    let removed = wanted.clone();
    match publisher
        .publish(act, mode, move |published, _| {
            Ok(Plan { staging, may_shrink, approves, ..plan(published, &removed) })
        })
        .await
    {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(ChangeError::Faults(found)) => {
            let asking = Asking { actor, published: &current };
            Ok(Err(placed(uses::in_the_way(&wanted, found, asking), &documents)))
        }
        Err(other) => Err(other.into()),
    }
}

/// Removes each, and what goes with it, once.
fn plan(published: &Published, wanted: &[(Kind, Id)]) -> Plan {
    let along = wanted.iter().flat_map(|(kind, id)| govern::takes_along(*kind, id, &published.facts));
    let along: BTreeSet<(Kind, Id)> = along.map(|id| (Kind::Key, id)).collect();
    let all = wanted.iter().cloned().chain(along);
    Plan { changes: all.map(|(kind, id)| Change { kind, id, after: None }).collect(), ..Plan::default() }
}

fn placed(found: Vec<policy_engine::compile::Fault>, documents: &[Document]) -> Vec<Fault> {
    let places: HashMap<(Kind, &Id), &Document> = documents.iter().map(|d| ((d.kind, &d.id), d)).collect();
    let told = found.into_iter().map(|mut fault| {
        let document = places.get(&(fault.kind, &fault.id)).copied();
        if document.is_some() && fault.code == IN_USE {
            fault.message = format!("`{}` {}", name::format(fault.kind, &fault.id), fault.message);
        }
        place(fault, document)
    });
    told.collect()
}

fn done(outcome: &Outcome) -> DeleteResponse {
    let revision = if outcome.changed { outcome.published.head.revision } else { 0 };
    let mut changes = changes(&outcome.effects);
    for change in changes.iter_mut().filter(|change| change.change == "unchanged") {
        change.change = "absent".to_owned();
    }
    let (rollout, stages) = bringing(outcome);
    DeleteResponse { changes, revision, rollout, stages, ..DeleteResponse::default() }
}
