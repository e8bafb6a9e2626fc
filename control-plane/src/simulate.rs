//! A draft against recorded decisions, in every geo: asked of the nodes that have the records, and summed up.
//!
//! Law: records stay in their geos; counts and ids come out of them. Each node of a geo reads its own records, and one of them beside those
//! the store's of nodes that are not there, so that nothing is read twice, whether they share a store or not. A geo of which not
//! everything that the audit log knows of was read is told as unavailable, with why; the others are answered all the same, and wait for
//! none. Absent on purpose: who may ask, and what a draft is (`api::admin`).

mod asking;
mod sum;

use std::time::Duration;

use bytes::Bytes;
use policy_engine::simulate::{Against, Asked, Tally};
use policy_engine::vocabulary::Geo;
use prost::Message as _;
use proto::convert::timestamp;
use proto::manifest::Holding;
use proto::sync::Simulate;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::reach::Reach;
use crate::store::{Page, Store, StoreError};

pub(crate) use sum::{Known, Standing};

use asking::{Bounds, Heard, geo_is_asked};
use sum::Sum;

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Segments that are asked of the store at a time.
const SEGMENTS: i64 = 1_000;

/// What a geo's nodes are asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) geo: Geo,
    /// What nodes of it would hold of the draft, encoded, and what makes of that what they hold.
    draft: Bytes,
    head: Bytes,
    /// What the audit log knows of its segments.
    known: Known,
}

impl Question {
    /// Of a geo whose nodes hold this, and would hold that.
    pub(crate) fn of(geo: Geo, (head, draft): (&Holding, &Holding), known: Known) -> Self {
        let contents = draft.contents().encode_to_vec().into();
        Self { geo, draft: contents, head: head.changes_of(draft).encode_to_vec().into(), known }
    }
}

/// What the audit log knows of a geo's segments that have records that are asked for.
pub(crate) async fn known(store: &Store, geo: &Geo, asked: &Asked) -> Result<Known, StoreError> {
    let (mut known, mut before) = (Known::default(), None);
    loop {
        let page = Page { before, size: SEGMENTS };
        let rows = store.segments((geo.as_str(), ""), page).await?;
        let Some(last) = rows.last().map(|row| row.place) else { return Ok(known) };
        for row in rows {
            known.sees();
            // Of what was pruned there is nothing to read.
            if row.pruned.is_none() && asked.since.is_none_or(|since| row.sealed_at >= since.0) {
                known.add(row.hash, row.node, row.count);
            }
        }
        before = Some(last);
    }
}

/// What is told of a simulation.
#[derive(Debug)]
pub(crate) struct Told {
    /// How far each geo is, in the order of their names.
    pub(crate) geos: Vec<Standing>,
    /// What came of it, when it is over.
    pub(crate) result: Option<Tally>,
}

/// Asks nodes, each geo's when it is its turn, and tells `told` how far they are, and last what came of it. It ends, at the nodes too, when
/// nobody listens.
pub(crate) async fn conduct(
    reach: Reach,
    (questions, asked): (Vec<Question>, Asked),
    told: mpsc::Sender<Told>,
) {
    let mut sum = Sum::of(asked.tenant.as_ref().map(ToString::to_string));
    let (say, mut heard) = mpsc::channel(64);
    let mut asking = JoinSet::new();
    for Question { geo, draft, head, known } in questions {
        let bounds = Bounds::of(&known);
        sum.awaits(&geo, known);
        let simulate = Simulate {
            draft_bytes: draft.len() as u64,
            head_bytes: head.len() as u64,
            since: asked.since.map(timestamp),
            until: asked.until.map(timestamp),
            tenant: asked.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            in_force: asked.against == Against::InForce,
            ..Simulate::default()
        };
        asking.spawn(geo_is_asked(reach.clone(), (geo, bounds), (simulate, [draft, head]), say.clone()));
    }
    drop(say);
    let mut turn = tokio::time::interval(TELL);
    loop {
        tokio::select! {
            () = told.closed() => return,
            _ = turn.tick() => {
                // Lossy on purpose: who takes nothing holds up nothing.
                let _ = told.try_send(Told { geos: sum.stands(), result: None });
            }
            said = heard.recv() => match said {
                Some((geo, Heard::Begun(nodes))) => sum.begins(&geo, &nodes),
                Some((geo, Heard::Said(node, said))) => sum.hears(&geo, &node, said),
                Some((geo, Heard::Lost(node, why))) => sum.loses(&geo, &node, why),
                None => break,
            },
        }
    }
    let (geos, tally) = sum.ends();
    // Who does not listen any more is told nothing.
    let _ = told.send(Told { geos, result: Some(tally) }).await;
}

#[cfg(test)]
mod tests {
    use proto::sync::Scope;

    use super::asking::UNABLE;
    use super::*;
    use crate::reach::Able;

    #[tokio::test]
    async fn a_build_that_would_answer_another_question_is_not_asked() {
        let (reach, geo) = (Reach::default(), Geo::new("eu").unwrap());
        let (say, mut said) = mpsc::channel(8);
        let able = Able { simulates: true, ..Able::default() };
        let _seat = reach.join(((geo.clone(), "eu-1".parse().unwrap()), able), say);
        let holding = Holding::of(Scope { geo: "eu".to_owned(), node_class: String::new() });
        let question = Question::of(geo, (&holding, &holding), Known::default());
        let asked = Asked { against: Against::InForce, ..Asked::default() };
        let (tell, mut told) = mpsc::channel(4);
        tokio::spawn(conduct(reach, (vec![question], asked), tell));
        let ended = loop {
            let told = told.recv().await.unwrap();
            if told.result.is_some() {
                break told;
            }
        };
        assert_eq!(ended.geos[0].state, sum::State::Unavailable);
        assert_eq!(ended.geos[0].reason, format!("node eu-1: {UNABLE}"));
        assert!(said.try_recv().is_err(), "it was asked nothing");
    }
}
