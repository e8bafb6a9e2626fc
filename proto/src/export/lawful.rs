//! Whether a log allows what was pruned of it, as far as its export shows.
//!
//! Law: of the whole log, what was pruned went by a retention that was set in it and in effect, old enough by the events around it, and
//! while nothing held everything. Of a part, whose retentions and holds are elsewhere, that is not asked, and not told to be so. What an
//! export that was kept knows of an event is asked of either. Absent on purpose: that an event tells of what is said (`pruned`).

use super::fault::{Fault, Kind, Pruning, Report};
use super::known::{Fate, Known};
use super::pruned::{Place, Said};
use crate::admin::AuditEvent;
use crate::pruned::{Allowed, Law, told_by};

/// Faults that are kept: of more, the first tell enough.
const MOST: usize = 20;

/// What the events so far allow.
#[derive(Debug)]
pub(super) struct Lawful<'a> {
    complete: bool,
    law: Law,
    known: Option<&'a Known>,
    faults: Vec<Fault>,
    /// Lines of the events that tell of prunings, for what shows later.
    told: Vec<Place>,
}

impl<'a> Lawful<'a> {
    /// Of an export of the whole log or not, with what is known from an earlier one.
    pub(super) fn new(complete: bool, known: Option<&'a Known>) -> Self {
        Self { complete, law: Law::default(), known, faults: Vec::new(), told: Vec::new() }
    }

    /// The least that the time of the next event is.
    pub(super) fn least(&self) -> Option<i64> {
        self.law.least().filter(|_| self.complete)
    }

    /// An event that has its body, on a line, and what is said to have been pruned by it.
    pub(super) fn event(&mut self, (line, event): (u64, &AuditEvent), said: &[Said], report: &mut Report) {
        let sequence = u64::try_from(event.sequence).unwrap_or_default();
        let is_pruning = told_by(event).is_some();
        if is_pruning && self.told.len() < MOST {
            self.told.push((line, sequence));
        }
        let allowed = match self.law.take(event) {
            Ok(allowed) => allowed.filter(|_| self.complete),
            Err((at, what)) if self.complete => {
                let line = self.told.iter().find(|(_, told)| *told == at).map_or(line, |(line, _)| *line);
                self.wrong((line, at), what);
                None
            }
            Err(_) => None,
        };
        let by = allowed.clone();
        for said in said.iter().filter(|_| is_pruning) {
            if let Some(by) = by.as_ref().filter(|by| said.least.is_some_and(|least| least >= by.since)) {
                let place = said.places().next().unwrap_or_default();
                self.wrong(place, young(sequence, by));
            }
            if self.known.is_some() {
                said.places().for_each(|place| self.is_known(place, sequence, by.as_ref()));
            }
        }
        if let Some(by) = allowed {
            let count = said.iter().map(|said| said.places().count() as u64).sum();
            report.prunes(Pruning::of(by, sequence, count));
        }
    }

    /// Holds an event that was pruned against what is known of it from before.
    fn is_known(&mut self, place: Place, sequence: u64, by: Option<&Allowed>) {
        let Some((time, fate)) = self.known.and_then(|known| known.of(place.1)) else { return };
        match (fate, by) {
            (Fate::Stays, _) => {
                let what =
                    "it says that it was pruned, and the earlier export has it as one of those that never go";
                self.wrong(place, what.to_owned());
            }
            (Fate::Goes(class), Some(by)) if class != by.class => {
                let (own, class) = (by.retention.as_str(), class.as_str());
                let what =
                    format!("it was pruned by `{own}`, and the earlier export has it as one of `{class}`");
                self.wrong(place, what);
            }
            (Fate::Goes(_), Some(by)) if time >= by.since => self.wrong(place, young(sequence, by)),
            _ => {}
        }
    }

    fn wrong(&mut self, (line, sequence): Place, what: String) {
        if self.faults.len() < MOST {
            self.faults.push(Fault::at(Kind::Invalid, line, Some(sequence), what));
        }
    }

    /// What is wrong.
    pub(super) fn ends(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }
}

fn young(sequence: u64, by: &Allowed) -> String {
    let Allowed { retention, keep, .. } = by;
    format!("it was younger when event {sequence} pruned it than the {keep} for which `{retention}` keeps it")
}
