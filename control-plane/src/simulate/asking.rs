//! The nodes of one geo, asked when it is its turn: the policy goes out, and what they say comes in.
//!
//! Law: a node is believed as far as there may be that much to say. Who says more, who gets no further, and who takes longer than all there
//! is to read may take is given up, and the geo's turn goes on to the next. Absent on purpose: what the answers add up to (`sum`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::vocabulary::Geo;
use proto::sync::control_message::Message as Saying;
use proto::sync::simulated::Said;
use proto::sync::{Simulate, SimulatePart, SimulatedPart};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::sum::Known;
use crate::reach::{Line, Reach};

/// Bytes of one part of a policy: they share the stream with what holds at once.
const PART: usize = 256 << 10;

/// For how long a node may read no further before it is given up.
const STALLED: Duration = Duration::from_secs(120);

/// How long a node may take in all, at least, and how many records it is to read in a second beyond that.
const LONGEST: Duration = Duration::from_secs(600);
const RECORDS: u64 = 1_000;

/// Hashes and records that a node may have beside those that the audit log knows of: what it has not sealed, and what is not anchored yet.
const MORE_HASHES: u64 = 10_000;
const MORE_RECORDS: u64 = 10_000_000;

/// Flips of a node at most, which is how many it names, and their bytes together.
const FLIPS: usize = 10_000;
const FLIP_BYTES: usize = 32 << 20;

/// Why a node is not asked to compare a draft with what is in force.
pub(super) const UNABLE: &str = "its build can't compare with what is in force";

/// What a node said, or how its answer ended.
#[derive(Debug)]
pub(super) enum Heard {
    /// It is the geo's turn: its nodes that are asked.
    Begun(Vec<String>),
    /// A node said something.
    Said(String, Said),
    /// Why there is no answer of a node.
    Lost(String, &'static str),
}

/// How much a node may have to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    hashes: u64,
    records: u64,
}

/// How much a node has said.
#[derive(Debug)]
struct Measure {
    bounds: Bounds,
    hashes: u64,
    flips: usize,
    bytes: usize,
    records: u64,
}

/// What one thing that a node says does to the time that it has.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Further,
    Nothing,
    TooMuch,
}

impl Bounds {
    /// By what the audit log knows of a geo.
    pub(super) fn of(known: &Known) -> Self {
        let (segments, records) = known.size();
        let records = records.saturating_mul(2).saturating_add(MORE_RECORDS);
        Self { hashes: segments.saturating_add(MORE_HASHES), records }
    }

    /// How long a node may take in all.
    fn longest(self) -> Duration {
        LONGEST.saturating_add(Duration::from_secs(self.records.saturating_sub(MORE_RECORDS) / RECORDS))
    }
}

impl Measure {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, hashes: 0, flips: 0, bytes: 0, records: 0 }
    }

    fn takes(&mut self, said: &Said) -> Step {
        match said {
            Said::Progress(now) if now.records > self.bounds.records => Step::TooMuch,
            Said::Progress(now) if now.records > self.records => {
                self.records = now.records;
                Step::Further
            }
            Said::Progress(_) => Step::Nothing,
            Said::Part(SimulatedPart { flips, manifest_hashes }) => {
                let hashes = u64::try_from(manifest_hashes.len()).unwrap_or(u64::MAX);
                self.hashes = self.hashes.saturating_add(hashes);
                self.flips = self.flips.saturating_add(flips.len());
                let bytes: usize = flips.iter().map(prost::Message::encoded_len).sum();
                self.bytes = self.bytes.saturating_add(bytes);
                let is_much =
                    self.hashes > self.bounds.hashes || self.flips > FLIPS || self.bytes > FLIP_BYTES;
                match (is_much, flips.is_empty() && manifest_hashes.is_empty()) {
                    (true, _) => Step::TooMuch,
                    (false, true) => Step::Nothing,
                    (false, false) => Step::Further,
                }
            }
            Said::Done(_) | Said::Failed(_) => Step::Further,
        }
    }
}

/// Asks every node of a geo, when it is its turn.
pub(super) async fn geo_is_asked(
    reach: Reach,
    (geo, bounds): (Geo, Bounds),
    (asked, policy): (Simulate, [Bytes; 2]),
    say: mpsc::Sender<(Geo, Heard)>,
) {
    let _alone = reach.turn(&geo).await;
    let lines = reach.nodes_in(&geo);
    let ids: Vec<String> = lines.iter().map(|line| line.node().to_string()).collect();
    let mut asking = JoinSet::new();
    if say.send((geo.clone(), Heard::Begun(ids.clone()))).await.is_err() {
        return;
    }
    // A build that does not know the question would answer another, and nobody would see it.
    let (able, others): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| !asked.in_force || line.compares_with_in_force());
    for line in others {
        let lost = Heard::Lost(line.node().to_string(), UNABLE);
        if say.send((geo.clone(), lost)).await.is_err() {
            return;
        }
    }
    for (at, line) in able.into_iter().enumerate() {
        let asked = Simulate { others: at == 0, elsewhere: ids.clone(), ..asked.clone() };
        asking.spawn(ask((geo.clone(), line), (asked, policy.clone()), (say.clone(), bounds)));
    }
    while asking.join_next().await.is_some() {}
}

/// Where what a node says goes.
struct Passing {
    geo: Geo,
    node: String,
    say: mpsc::Sender<(Geo, Heard)>,
}

impl Passing {
    /// Whether somebody takes it.
    async fn said(&self, said: Said) -> bool {
        self.say.send((self.geo.clone(), Heard::Said(self.node.clone(), said))).await.is_ok()
    }
}

/// Asks one node, and passes on what it says.
async fn ask(
    (geo, line): (Geo, Arc<Line>),
    asked: (Simulate, [Bytes; 2]),
    (say, bounds): (mpsc::Sender<(Geo, Heard)>, Bounds),
) {
    let passing = Passing { geo, node: line.node().to_string(), say };
    if let Some(why) = heard(&line, asked, bounds, &passing).await {
        let Passing { geo, node, say } = passing;
        // Who does not listen any more is told nothing.
        let _ = say.send((geo, Heard::Lost(node, why))).await;
    }
}

/// Why there is no answer of a node; `None`: there is, or nobody wants it.
async fn heard(
    line: &Arc<Line>,
    (asked, policy): (Simulate, [Bytes; 2]),
    bounds: Bounds,
    passing: &Passing,
) -> Option<&'static str> {
    let away = Some("it went away");
    let Some(mut asking) = line.simulate(asked).await else { return away };
    let id = asking.id();
    for mut policy in policy {
        while !policy.is_empty() {
            let data = policy.split_to(policy.len().min(PART));
            if !asking.say(Saying::SimulatePart(SimulatePart { id, data })).await {
                return away;
            }
        }
    }
    let (mut measure, end) = (Measure::new(bounds), Instant::now() + bounds.longest());
    let mut deadline = Instant::now() + STALLED;
    loop {
        let now = Instant::now();
        if now >= end {
            return Some("it takes too long");
        }
        let said = match timeout(deadline.min(end).saturating_duration_since(now), asking.hear()).await {
            Err(_) if Instant::now() >= end => return Some("it takes too long"),
            Err(_) => return Some("it got no further"),
            Ok(None) => return away,
            Ok(Some(said)) => said.said,
        };
        let Some(said) = said else { continue };
        match measure.takes(&said) {
            Step::TooMuch => return Some("it says too much"),
            Step::Further => deadline = Instant::now() + STALLED,
            Step::Nothing => {}
        }
        let is_over = matches!(&said, Said::Done(_) | Said::Failed(_));
        if !passing.said(said).await || is_over {
            return None;
        }
    }
}

#[cfg(test)]
mod tests;
