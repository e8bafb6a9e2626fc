//! A draft against recorded decisions, in every geo: asked of the nodes that have the records, and summed up.
//!
//! Law: records stay in their geos; counts and ids come out of them. Each node of a geo reads its own records, and one of them beside those
//! the store's of nodes that are not there, so that nothing is read twice, whether they share a store or not. A geo of which not
//! everything that the audit log knows of was read is told as unavailable, with why; the others are answered all the same. Absent on
//! purpose: who may ask, and what a draft is (`api::admin`).

mod sum;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::simulate::{Against, Asked, Tally};
use policy_engine::vocabulary::Geo;
use prost::Message as _;
use proto::convert::timestamp;
use proto::manifest::Holding;
use proto::sync::control_message::Message as Saying;
use proto::sync::simulated::Said;
use proto::sync::{Simulate, SimulatePart};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::reach::{Line, Reach};
use crate::store::{Page, Store, StoreError};

pub(crate) use sum::{Known, Standing};

use sum::Sum;

/// Bytes of one part of a policy: they share the stream with what holds at once.
const PART: usize = 256 << 10;

/// For how long a node may read no further before it is given up.
const STALLED: Duration = Duration::from_secs(120);

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Why a node is not asked to compare a draft with what is in force.
const UNABLE: &str = "its build can't compare with what is in force";

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

/// What a node said, or how its answer ended.
enum Heard {
    Said(Said),
    /// Why there is no answer.
    Lost(&'static str),
}

/// Asks nodes, when it is its turn, and tells `told` how far they are, and last what came of it. It ends, at the nodes too, when nobody
/// listens.
pub(crate) async fn conduct(
    reach: Reach,
    (questions, asked): (Vec<Question>, Asked),
    told: mpsc::Sender<Told>,
) {
    let mut sum = Sum::default();
    let (say, mut heard) = mpsc::channel(64);
    let mut asking = JoinSet::new();
    let mut turn = tokio::time::interval(TELL);
    let mut alone = pin!(reach.turn());
    let alone = loop {
        tokio::select! {
            alone = &mut alone => break alone,
            () = told.closed() => return,
            _ = turn.tick() => {
                let geos = questions.iter().map(|question| Standing::waiting(&question.geo)).collect();
                let _ = told.try_send(Told { geos, result: None });
            }
        }
    };
    for Question { geo, draft, head, known } in questions {
        let lines = reach.nodes_in(&geo);
        let ids: Vec<String> = lines.iter().map(|line| line.node().to_string()).collect();
        sum.begins(&geo, &ids, known);
        // A build that does not know the question would answer another, and nobody would see it.
        let in_force = asked.against == Against::InForce;
        let (able, others): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| !in_force || line.compares_with_in_force());
        others.iter().for_each(|line| sum.loses(&geo, line.node().as_str(), UNABLE));
        for (at, line) in able.into_iter().enumerate() {
            let asked = Simulate {
                draft_bytes: draft.len() as u64,
                head_bytes: head.len() as u64,
                since: asked.since.map(timestamp),
                until: asked.until.map(timestamp),
                tenant: asked.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
                others: at == 0,
                elsewhere: ids.clone(),
                in_force,
                ..Simulate::default()
            };
            let policy = [draft.clone(), head.clone()];
            asking.spawn(ask((geo.clone(), line), (asked, policy), say.clone()));
        }
    }
    drop(say);
    loop {
        tokio::select! {
            () = told.closed() => return,
            _ = turn.tick() => {
                // Lossy on purpose: who takes nothing holds up nothing.
                let _ = told.try_send(Told { geos: sum.stands(), result: None });
            }
            said = heard.recv() => match said {
                Some(((geo, node), Heard::Said(said))) => sum.hears(&geo, &node, said),
                Some(((geo, node), Heard::Lost(why))) => sum.loses(&geo, &node, why),
                None => break,
            },
        }
    }
    // Who takes nothing holds up nobody.
    drop(alone);
    let (geos, tally) = sum.ends();
    // Who does not listen any more is told nothing.
    let _ = told.send(Told { geos, result: Some(tally) }).await;
}

/// A node, by its geo and id.
type At = (Geo, String);

/// Asks one node, and passes on what it says.
async fn ask(
    (geo, line): (Geo, Arc<Line>),
    (asked, policy): (Simulate, [Bytes; 2]),
    say: mpsc::Sender<(At, Heard)>,
) {
    let at = (geo, line.node().to_string());
    let lost = async |why| drop(say.send((at.clone(), Heard::Lost(why))).await);
    let away = "it went away";
    let Some(mut asking) = line.simulate(asked).await else { return lost(away).await };
    let id = asking.id();
    for mut policy in policy {
        while !policy.is_empty() {
            let data = policy.split_to(policy.len().min(PART));
            if !asking.say(Saying::SimulatePart(SimulatePart { id, data })).await {
                return lost(away).await;
            }
        }
    }
    let mut records = None;
    let mut deadline = tokio::time::Instant::now() + STALLED;
    loop {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let said = match timeout(left, asking.hear()).await {
            Err(_) => return lost("it got no further").await,
            Ok(None) => return lost(away).await,
            Ok(Some(said)) => said.said,
        };
        let Some(said) = said else { continue };
        let is_further = !matches!(&said, Said::Progress(now) if records == Some(now.records));
        if let Said::Progress(now) = &said {
            records = Some(now.records);
        }
        if is_further {
            deadline = tokio::time::Instant::now() + STALLED;
        }
        let is_over = matches!(&said, Said::Done(_) | Said::Failed(_));
        if say.send((at.clone(), Heard::Said(said))).await.is_err() || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::sync::Scope;

    use super::*;

    #[tokio::test]
    async fn a_build_that_would_answer_another_question_is_not_asked() {
        let (reach, geo) = (Reach::default(), Geo::new("eu").unwrap());
        let (say, mut said) = mpsc::channel(8);
        let _seat = reach.join(((geo.clone(), "eu-1".parse().unwrap()), false), say);
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
