//! How far a simulation is in each geo, and what came of it.
//!
//! Law: what a node said counts once it said that it is done, and not before; of a segment that the audit log knows of and no node read it
//! is told that it is missing. Absent on purpose: asking.

use std::collections::{BTreeMap, HashMap, HashSet};

use policy_engine::simulate::{Counts, Tally};
use policy_engine::vocabulary::Geo;
use proto::simulated;
use proto::sync::SimulatedPart;
use proto::sync::simulated::Said;

use crate::store::Digest;

/// Principals and models that are kept of all geos together.
const NAMED: usize = 20_000;

/// What the audit log knows of segments.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Nodes that wrote them, by the hashes of their manifests.
    segments: HashMap<Digest, String>,
    /// Records in them.
    records: i64,
    /// Segments that were looked at, these and others.
    seen: u64,
}

/// How far a geo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Somebody else's nodes read, or no node has said anything yet.
    Waiting,
    /// Some node reads.
    Reading,
    /// Everything was read.
    Done,
    /// Not everything was, or is going to be.
    Unavailable,
}

/// How far a geo is, and what came of the nodes that are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) geo: Geo,
    pub(crate) state: State,
    /// Why it is unavailable; empty: it is not.
    pub(crate) reason: String,
    /// Records that were read so far, and that the audit log knows of.
    pub(crate) records: (i64, i64),
    pub(crate) counts: Counts,
}

/// One geo.
#[derive(Debug, Default)]
struct Part {
    known: Known,
    nodes: BTreeMap<String, Reading>,
    /// What is wrong.
    wrong: Vec<String>,
    counts: Counts,
    begun: bool,
    ended: bool,
}

/// One node's answer, while it comes.
#[derive(Debug, Default)]
struct Reading {
    records: u64,
    tally: Option<Tally>,
    hashes: HashSet<Digest>,
    has_begun: bool,
    is_over: bool,
}

/// All geos together.
#[derive(Debug)]
pub(super) struct Sum {
    parts: BTreeMap<Geo, Part>,
    /// Of the nodes that are done.
    tally: Tally,
    /// Whose requests are asked for; `None`: everybody's.
    tenant: Option<String>,
}

impl Known {
    /// A segment was looked at, whether or not it is added.
    pub(crate) fn sees(&mut self) {
        self.seen = self.seen.saturating_add(1);
    }

    /// Segments that nodes may tell of, and records in those that are asked for.
    pub(super) fn size(&self) -> (u64, u64) {
        let added = u64::try_from(self.segments.len()).unwrap_or(u64::MAX);
        (self.seen.max(added), u64::try_from(self.records).unwrap_or_default())
    }

    /// A segment of a node, with so many records.
    pub(crate) fn add(&mut self, hash: Digest, node: String, records: i64) {
        if self.segments.insert(hash, node).is_none() {
            self.records = self.records.saturating_add(records);
        }
    }
}

impl Sum {
    /// Of the requests of one tenant, or of everybody's.
    pub(super) fn of(tenant: Option<String>) -> Self {
        Self { parts: BTreeMap::new(), tally: Tally::naming(NAMED), tenant }
    }

    /// A geo is to be asked, when it is its turn.
    pub(super) fn awaits(&mut self, geo: &Geo, known: Known) {
        self.parts.insert(geo.clone(), Part { known, ..Part::default() });
    }

    /// Nodes of a geo are asked; none: there is none to ask.
    pub(super) fn begins(&mut self, geo: &Geo, nodes: &[String]) {
        let Some(part) = self.parts.get_mut(geo) else { return };
        part.begun = true;
        if nodes.is_empty() {
            part.wrong.push("no node of it is connected that can simulate".to_owned());
        }
        part.nodes.extend(nodes.iter().map(|node| (node.clone(), Reading::default())));
    }

    /// A node says something.
    pub(super) fn hears(&mut self, geo: &Geo, node: &str, said: Said) {
        let Some(part) = self.parts.get_mut(geo) else { return };
        let Some(reading) = part.nodes.get_mut(node).filter(|reading| !reading.is_over) else { return };
        reading.has_begun = true;
        match said {
            Said::Progress(progress) => reading.records = progress.records,
            Said::Part(said) => reading.takes(said, (&part.known, self.tenant.as_deref())),
            Said::Failed(why) => self.loses(geo, node, &why),
            Said::Done(done) => {
                reading.is_over = true;
                let mut counted = reading.tally.take().unwrap_or_else(|| Tally::naming(NAMED));
                counted.counts = simulated::counts(&done);
                counted.more |= done.more;
                for hash in std::mem::take(&mut reading.hashes) {
                    part.known.segments.remove(&hash);
                }
                part.counts.join(counted.counts);
                self.tally.join(counted);
            }
        }
    }

    /// A node gives no answer: why.
    pub(super) fn loses(&mut self, geo: &Geo, node: &str, why: &str) {
        let Some(part) = self.parts.get_mut(geo) else { return };
        if let Some(reading) = part.nodes.get_mut(node) {
            reading.is_over = true;
            (reading.tally, reading.hashes) = (None, HashSet::new());
        }
        part.wrong.push(format!("node {node}: {why}"));
    }

    /// Nothing more will come: how each geo ended, and what came of all.
    pub(super) fn ends(mut self) -> (Vec<Standing>, Tally) {
        for part in self.parts.values_mut() {
            part.ended = true;
            if !part.begun {
                part.wrong.push("nobody was asked".to_owned());
            }
            let missing = part.known.segments.len();
            // Of a geo of which something is wrong it goes without saying.
            if let (true, Some(node)) = (part.wrong.is_empty(), part.known.segments.values().min()) {
                let what = if missing == 1 { "1 segment" } else { &format!("{missing} segments") };
                part.wrong.push(format!(
                    "{what} that the audit log knows of were found neither with the nodes that are there nor in their store: the first is \
                     of node {node}"
                ));
            }
        }
        (self.stands(), self.tally)
    }

    /// How far each geo is.
    pub(super) fn stands(&self) -> Vec<Standing> {
        let standing = |(geo, part): (&Geo, &Part)| Standing {
            geo: geo.clone(),
            state: part.state(),
            reason: part.wrong.join("; "),
            records: part.records(),
            counts: part.counts,
        };
        self.parts.iter().map(standing).collect()
    }
}

impl Reading {
    /// A part of what came of it: what is of nobody who was asked for, and of no segment that is known of, is left out.
    fn takes(&mut self, said: SimulatedPart, (known, tenant): (&Known, Option<&str>)) {
        let hashes = said.manifest_hashes.into_iter().filter_map(|hash| Digest::try_from(hash).ok());
        self.hashes.extend(hashes.filter(|hash| known.segments.contains_key(hash)));
        let tally = self.tally.get_or_insert_with(|| Tally::naming(NAMED));
        for (who, flips) in said.flips.into_iter().map(simulated::flip) {
            if tenant.is_none_or(|tenant| tenant == who.tenant) {
                tally.add(who, flips);
            }
        }
    }
}

impl Part {
    fn state(&self) -> State {
        let reads = self.nodes.values().any(|reading| reading.has_begun);
        match (self.wrong.is_empty(), self.ended) {
            (false, _) => State::Unavailable,
            (true, true) => State::Done,
            (true, false) if reads => State::Reading,
            (true, false) => State::Waiting,
        }
    }

    fn records(&self) -> (i64, i64) {
        let read = self.nodes.values().fold(0_u64, |read, reading| read.saturating_add(reading.records));
        (i64::try_from(read).unwrap_or(i64::MAX), self.known.records)
    }
}

impl State {
    /// As it is told.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Done => "done",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::sync::{SimulatedDone, SimulatedFlip, SimulatedProgress};

    use super::*;

    fn begun(nodes: &[&str]) -> (Sum, Geo) {
        let (mut sum, geo) = (Sum::of(Some("acme".to_owned())), "eu".parse().unwrap());
        let mut known = Known::default();
        known.add([1; 32], "eu-1".to_owned(), 10);
        known.add([2; 32], "eu-2".to_owned(), 5);
        known.add([2; 32], "eu-2".to_owned(), 5);
        sum.awaits(&geo, known);
        assert_eq!(stands(&sum).state, State::Waiting);
        sum.begins(&geo, &nodes.iter().map(|node| (*node).to_owned()).collect::<Vec<_>>());
        (sum, geo)
    }

    fn part(hash: u8) -> Said {
        let flip = SimulatedFlip {
            tenant: "acme".into(),
            principal: "ada".into(),
            count: 2,
            ..SimulatedFlip::default()
        };
        Said::Part(SimulatedPart { flips: vec![flip], manifest_hashes: vec![vec![hash; 32]] })
    }

    fn done() -> Said {
        Said::Done(SimulatedDone { same: 3, allow_to_deny: 2, ..SimulatedDone::default() })
    }

    fn stands(sum: &Sum) -> Standing {
        sum.stands().pop().unwrap()
    }

    #[test]
    fn what_nodes_say_counts_when_they_are_done_and_together() {
        let (mut sum, geo) = begun(&["eu-1", "eu-2"]);
        assert_eq!(stands(&sum).state, State::Waiting);
        sum.hears(&geo, "eu-1", Said::Progress(SimulatedProgress { records: 7 }));
        sum.hears(&geo, "eu-1", part(1));
        let told = stands(&sum);
        assert_eq!((told.state, told.records, told.counts), (State::Reading, (7, 15), Counts::default()));
        sum.hears(&geo, "eu-1", done());
        sum.hears(&geo, "eu-1", done());
        sum.hears(&geo, "eu-2", part(2));
        sum.hears(&geo, "eu-2", done());
        let (told, tally) = sum.ends();
        let told = &told[0];
        assert_eq!((told.state, told.reason.as_str(), told.counts.decisions()), (State::Done, "", 10));
        let flips: Vec<_> = tally.flips.values().map(|flips| flips.count).collect();
        assert_eq!((flips, tally.counts.allow_to_deny), (vec![4], 4));
    }

    #[test]
    fn nobody_is_told_of_whom_was_not_asked_for_and_no_number_is_too_great() {
        let (mut sum, geo) = begun(&["eu-1", "eu-2"]);
        let flip = |tenant: &str| SimulatedFlip {
            tenant: tenant.into(),
            principal: "ada".into(),
            count: u64::MAX,
            ..SimulatedFlip::default()
        };
        for node in ["eu-1", "eu-2"] {
            let flips = vec![flip("rival"), flip("acme"), flip("acme"), flip("")];
            let said = SimulatedPart { flips, manifest_hashes: vec![vec![9; 32], vec![1; 32], vec![2; 31]] };
            sum.hears(&geo, node, Said::Progress(SimulatedProgress { records: u64::MAX }));
            sum.hears(&geo, node, Said::Part(said));
            let all = SimulatedDone { same: u64::MAX, elsewhere: u64::MAX, ..SimulatedDone::default() };
            sum.hears(&geo, node, Said::Done(all));
        }
        assert_eq!(stands(&sum).records, (i64::MAX, 15));
        let (_, tally) = sum.ends();
        let told: Vec<_> =
            tally.flips.iter().map(|(who, flips)| (who.tenant.as_str(), flips.count)).collect();
        assert_eq!((told, tally.counts.decisions()), (vec![("acme", u64::MAX)], u64::MAX));
    }

    #[test]
    fn what_is_missing_is_told_and_what_is_there_is_answered() {
        let (mut sum, geo) = begun(&["eu-1"]);
        sum.hears(&geo, "eu-1", part(1));
        sum.hears(&geo, "eu-1", done());
        let told = sum.ends().0.remove(0);
        assert_eq!((told.state, told.counts.decisions()), (State::Unavailable, 5));
        assert!(told.reason.starts_with("1 segment that") && told.reason.ends_with("of node eu-2"));

        let (mut sum, geo) = begun(&["eu-1", "eu-2"]);
        sum.hears(&geo, "eu-1", part(1));
        sum.hears(&geo, "eu-1", Said::Failed("it is busy".to_owned()));
        sum.hears(&geo, "eu-2", part(2));
        sum.loses(&geo, "eu-2", "it went away");
        let told = sum.ends().0.remove(0);
        assert_eq!(told.reason, "node eu-1: it is busy; node eu-2: it went away");
        assert_eq!((told.state, told.counts.decisions()), (State::Unavailable, 0));

        let (sum, _) = begun(&[]);
        assert_eq!(stands(&sum).state, State::Unavailable);
    }
}
