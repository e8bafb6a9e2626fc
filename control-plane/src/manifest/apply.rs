//! Declarative files made so: all documents in one publication, every fault with its file and line, or nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use policy_engine::compile;
use policy_engine::vocabulary::{Geo, Id, Instant, Kind};
use prost::Message as _;
use proto::admin::{ApplyResponse, Fault, Model, ResourceChange, RolloutStage};
use proto::name;
use proto::status::Refusal;

use super::Declared;
use super::document::{self, Document};
use super::meaning::{self, raw};
use super::prune::pruned;
use crate::actor::Actor;
use crate::clock;
use crate::error::ChangeError;
use crate::geos::Odd;
use crate::govern::{self, Gate};
use crate::publish::{Act, Change, Effect, Effects, Mode, Outcome, Plan, Published, Publisher};

/// Applies files, or tries to; faults are an answer, a refusal is for who may not.
pub async fn apply(
    publisher: &Publisher,
    actor: &Actor,
    how: (Act, Mode),
    declared: impl Into<Declared>,
) -> Result<ApplyResponse, Refusal> {
    Ok(applied(publisher, actor, how, declared).await?.0)
}

/// The same, with what came of it; `None` where there are faults.
pub(crate) async fn applied(
    publisher: &Publisher,
    actor: &Actor,
    how: (Act, Mode),
    declared: impl Into<Declared>,
) -> Result<(ApplyResponse, Option<Outcome>), Refusal> {
    Ok(match outcome(publisher, actor, how, declared.into()).await? {
        Ok((outcome, warnings)) => (ApplyResponse { warnings, ..done(&outcome) }, Some(outcome)),
        Err(faults) => (refused(faults), None),
    })
}

/// What would be in force were files applied to what is, or their faults.
pub async fn would(
    publisher: &Publisher,
    actor: &Actor,
    act: Act,
    declared: impl Into<Declared>,
) -> Result<Result<Arc<Published>, Vec<Fault>>, Refusal> {
    let declared = Declared { may_shrink: true, ..declared.into() };
    let path = declared.files.first().map(|file| file.path.clone()).unwrap_or_default();
    let tried = outcome(publisher, actor, (act, Mode::Try), declared).await?;
    Ok(tried.and_then(|(outcome, _)| drafted(outcome, path)).map_err(faulty))
}

/// What would be in force; of files that declare nothing, which nobody means, a fault in the first of them.
pub(super) fn drafted(outcome: Outcome, path: String) -> Result<Arc<Published>, Vec<Fault>> {
    match outcome.effects.is_empty() {
        true => Err(vec![Fault { path, message: "nothing is declared".to_owned(), ..Fault::default() }]),
        false => Ok(outcome.would.unwrap_or(outcome.published)),
    }
}

/// What came of files and what may be wrong with them, or their faults.
async fn outcome(
    publisher: &Publisher,
    actor: &Actor,
    (act, mode): (Act, Mode),
    declared: Declared,
) -> Result<Result<(Outcome, Vec<Fault>), Vec<Fault>>, Refusal> {
    let Declared { files, staging, may_shrink, kept, approves, prune, nodes_in } = declared;
    let reading = tokio::task::spawn_blocking(move || document::read(&files));
    let document::Read { mut documents, nameless: unnamed, mut faults } =
        reading.await.map_err(|_| ChangeError::Broken)?;
    document::covered(publisher.subjects(), &mut documents).await?;
    documents.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    let current = publisher.current();
    for document in &documents {
        current.demand_write(actor, document.kind, &document.id)?;
    }
    if kept {
        faults.extend(document::secrets(&documents));
    }
    let documents = Arc::new(documents);
    if !faults.is_empty() {
        let all = documents.iter().chain(&unnamed);
        let more = all.flat_map(|document| of_values((&current, publisher.gate()), document, &nodes_in));
        let nameless = faults.iter().any(|fault| fault.name.is_empty());
        faults.extend(more.take(document::MAX_FAULTS));
        faults.extend(of_meaning(publisher, &documents, nameless).await?);
        return Ok(Err(faults));
    }
    let (declared, known, pruning) = (documents.clone(), nodes_in.clone(), actor.clone());
    let planned = move |published: &Published, gate: &Gate| {
        let mut plan = plan((published, gate), &declared, &known)?;
        plan.changes.extend(pruned(published, &pruning, (&prune, &declared), approves.as_ref()));
        Ok(Plan { staging, may_shrink, approves, ..plan })
    };
    match publisher.publish(act, mode, planned).await {
        Ok(outcome) => {
            let warnings = warnings(&outcome.effects, &documents, &nodes_in);
            Ok(Ok((outcome, warnings)))
        }
        Err(ChangeError::Faults(found)) => {
            let mut faults = placed(found, &documents);
            faults.extend(of_meaning(publisher, &documents, false).await?);
            Ok(Err(faults))
        }
        Err(other) => Err(other.into()),
    }
}

fn plan(
    (published, gate): (&Published, &Gate),
    documents: &[Document],
    nodes_in: &BTreeSet<Geo>,
) -> Result<Plan, ChangeError> {
    let mut plan = Plan::default();
    let misspelt = documents.iter().flat_map(|each| odd(each, nodes_in).faults);
    let misspelt: Vec<compile::Fault> = misspelt.take(document::MAX_FAULTS.saturating_add(1)).collect();
    for document in documents {
        let Ok(prepared) = govern::prepare_encoded(raw(published, document), gate) else {
            let all = documents.iter().flat_map(|each| govern::faults_of(raw(published, each), gate));
            let all = all.chain(misspelt).take(document::MAX_FAULTS.saturating_add(1));
            return Err(ChangeError::Faults(all.collect()));
        };
        plan.credentials.extend(prepared.sealed);
        let after = Some(prepared.bytes);
        plan.changes.push(Change { kind: document.kind, id: document.id.clone(), after });
    }
    if misspelt.is_empty() { Ok(plan) } else { Err(ChangeError::Faults(misspelt)) }
}

fn odd(document: &Document, nodes_in: &BTreeSet<Geo>) -> Odd {
    Odd::of(document.kind, &document.id, &document.encoded, nodes_in)
}

/// What may be wrong with documents that change something.
fn warnings(effects: &Effects, documents: &[Document], nodes_in: &BTreeSet<Geo>) -> Vec<Fault> {
    let changed = effects.iter().filter(|(_, _, effect)| *effect != Effect::Unchanged);
    let changed: HashSet<(Kind, &Id)> = changed.map(|(kind, id, _)| (*kind, id)).collect();
    let of_change = documents.iter().filter(|each| changed.contains(&(each.kind, &each.id)));
    let found = of_change.flat_map(|each| {
        let warnings = odd(each, nodes_in).warnings.into_iter().chain(retired(each, clock::now()));
        warnings.map(move |warning| place(warning, Some(each)))
    });
    found.take(document::MAX_FAULTS).collect()
}

/// What is told of a model that is past its end, by what its card says.
fn retired(document: &Document, now: i64) -> Option<compile::Fault> {
    if document.kind != Kind::Model {
        return None;
    }
    let card = Model::decode(document.encoded.as_slice()).ok()?.spec?.card?;
    let end = Instant::parse(&card.retired_from).ok().filter(|end| end.0 <= now)?;
    let message = format!("the model is past its end, {end}: its vendor may refuse whoever asks for it");
    let (kind, id) = (document.kind, document.id.clone());
    let field = "spec.card.retiredFrom".to_owned();
    Some(compile::Fault { kind, id, field, code: "retired", message, target: None })
}

/// The faults of a document's values, by themselves; what could not be bound has been told already.
fn of_values(
    (published, gate): (&Published, &Gate),
    document: &Document,
    nodes_in: &BTreeSet<Geo>,
) -> Vec<Fault> {
    let raw = raw(published, document);
    let mut found = govern::faults_of(raw, gate);
    if found.is_empty() && !document.is_whole() {
        // It is not judged together with others.
        found = govern::lone_faults_of(raw);
    }
    found.extend(odd(document, nodes_in).faults);
    let placed = found.into_iter().map(|fault| place(fault, Some(document)));
    placed.filter(|fault| !document.repeats(fault)).collect()
}

/// The faults of what the documents that convert mean, where there are some that do not.
async fn of_meaning(
    publisher: &Publisher,
    documents: &Arc<Vec<Document>>,
    nameless: bool,
) -> Result<Vec<Fault>, Refusal> {
    let (publisher, documents) = (publisher.clone(), documents.clone());
    let judging = tokio::task::spawn_blocking(move || {
        let found = meaning::faults((&publisher.current(), publisher.gate()), &documents, nameless);
        placed(found, &documents)
    });
    Ok(judging.await.map_err(|_| ChangeError::Broken)?)
}

/// Faults where their authors wrote them.
fn placed(found: Vec<compile::Fault>, documents: &[Document]) -> Vec<Fault> {
    let places: HashMap<(Kind, &Id), &Document> = documents.iter().map(|d| ((d.kind, &d.id), d)).collect();
    let told = found.into_iter().map(|fault| {
        let document = places.get(&(fault.kind, &fault.id)).copied();
        place(fault, document)
    });
    told.collect()
}

/// A fault where its author wrote it; a fault of something no file declares has no place, only a name.
pub(crate) fn place(fault: compile::Fault, document: Option<&Document>) -> Fault {
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
pub(crate) fn faulty(mut faults: Vec<Fault>) -> Vec<Fault> {
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
    let (rollout, stages) = bringing(outcome);
    let changes = changes(&outcome.effects);
    ApplyResponse { changes, revision, rollout, stages, ..ApplyResponse::default() }
}

/// The name of the rollout that takes an outcome to the nodes, and the stages of one that begins by it, or would.
pub(crate) fn bringing(outcome: &Outcome) -> (String, Vec<RolloutStage>) {
    let head = outcome.published.head.revision;
    let Some(rollout) = &outcome.rollout else { return Default::default() };
    let is_there = rollout.candidate_revision <= head;
    let begins = !is_there || (outcome.changed && rollout.candidate_revision == head);
    let name = is_there.then(|| rollout.name.clone());
    (name.unwrap_or_default(), if begins { rollout.stages.clone() } else { Vec::new() })
}

pub(crate) fn changes(effects: &Effects) -> Vec<ResourceChange> {
    let change = |(kind, id, effect): &(Kind, Id, Effect)| ResourceChange {
        kind: kind.to_string(),
        name: name::format(*kind, id),
        change: effect.as_str().to_owned(),
    };
    effects.iter().map(change).collect()
}
