//! The order of an export's events, how each follows the one before, and the root they make together.
//!
//! Law: an event that was changed is told apart from its neighbours. What the event after one says its hash was counts as the log's
//! word for it, because the root is over that: where the root holds then, exactly the events that are told were changed.

use super::fault::{Fault, Kind, Report};
use super::header::End;
use crate::tree::{Growing, Hash};

/// An event, as far as its own line tells.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: u64,
    pub(super) sequence: u64,
    /// The exported event before, as the line says; of an export of the whole log the one before in the log.
    pub(super) before: u64,
    pub(super) prev: Hash,
    /// The hash that is made of it.
    pub(super) own: Hash,
    /// The hash that it says it has.
    pub(super) said: Hash,
    /// Whether something is wrong with it already.
    pub(super) told: bool,
    /// Whether its own hash is over what it says of the one before; of what was pruned nobody can tell.
    pub(super) bound: bool,
}

/// Two events of which either was changed, as the one that was pruned says another hash of the one before: which, the root tells.
#[derive(Debug)]
struct Disputed {
    /// The tree where the one before has the hash it says it has; the other tree has what the one that was pruned says.
    tree: Growing,
    before: Seen,
    after: Seen,
}

/// Missing events that may still come, out of their place.
#[derive(Debug)]
struct Missing {
    /// Where its fault is in the report.
    fault: usize,
    first: u64,
    last: u64,
    /// How many are still missing.
    left: u64,
}

/// What the events made so far.
#[derive(Debug)]
pub(super) struct Chain {
    complete: bool,
    last: Option<Seen>,
    /// The event before the last, where the last says another hash of it than it has, and that hash: one of the two was changed.
    broken: Option<(Seen, Hash)>,
    /// Lines since the last event that could not be read: each may be an event.
    unread: u64,
    missing: Vec<Missing>,
    tree: Growing,
    /// Whether the tree has a leaf for every event so far.
    whole: bool,
    /// The size at which the root is wanted as well, and the root.
    earlier: (Option<u64>, Option<Hash>),
    disputed: Option<Disputed>,
}

impl Chain {
    /// Of an export of the whole log or not; the root at a size of before is wanted as well.
    pub(super) fn new(complete: bool, earlier: Option<u64>) -> Self {
        let (tree, whole) = (Growing::default(), complete);
        let earlier = (earlier, None);
        let (missing, disputed) = (Vec::new(), None);
        Self { complete, last: None, broken: None, unread: 0, missing, tree, whole, earlier, disputed }
    }

    /// The sequence of the last event; 0 before the first.
    pub(super) fn at(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.sequence)
    }

    /// The event that is due next, where that can be said.
    pub(super) fn due(&self) -> Option<u64> {
        Some(self.at().saturating_add(self.unread).saturating_add(1)).filter(|_| self.complete)
    }

    /// The event that is due where the one before is the last, by its hash.
    pub(super) fn due_after(&self, prev: &Hash) -> Option<u64> {
        let follows = self.last.as_ref().map_or(*prev == Hash::default(), |last| last.said == *prev);
        self.due().filter(|_| follows && self.unread == 0)
    }

    /// Whether it is open which of two events was changed.
    pub(super) fn is_disputed(&self) -> bool {
        self.disputed.is_some()
    }

    /// A line that could not be read.
    pub(super) fn unread(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    /// An event.
    pub(super) fn event(&mut self, event: Seen, report: &mut Report) {
        if event.sequence <= self.at() {
            self.late(&event, report);
            return;
        }
        let missing = self.missing(event.before);
        if missing > self.unread {
            self.gap(event.line, event.before, report);
        }
        if event.before < self.at() {
            let what =
                format!("it says that it comes after {}, and stands after {}", event.before, self.at());
            report.tell(Fault::at(Kind::Invalid, event.line, Some(event.sequence), what));
        }
        if self.complete {
            self.follow(&event, missing, report);
        }
        self.unread = 0;
        self.last = Some(event);
    }

    /// How many events are missing where the exported event before the next one is this; of an export of some events one at least.
    fn missing(&self, before: u64) -> u64 {
        let missing = before.saturating_sub(self.at());
        if self.complete { missing } else { missing.min(self.unread.max(1)) }
    }

    fn gap(&mut self, line: u64, last: u64, report: &mut Report) {
        let first = self.at().saturating_add(1);
        let what = match self.complete {
            true => "missing".to_owned(),
            false => {
                format!("event {last} was exported before the next and is missing, with any from {first} on")
            }
        };
        let fault = report.faults.len();
        report.tell(Fault::gap(line, (first, last), what));
        let left = if self.complete { last.saturating_sub(first).saturating_add(1) } else { 1 };
        // What is told of is looked for: no more of them are kept than that, however many gaps there are.
        if fault < report.faults.len() {
            self.missing.push(Missing { fault, first, last, left });
        }
    }

    /// An event that stands behind a later one.
    fn late(&mut self, event: &Seen, report: &mut Report) {
        if self.replaced(event, report) {
            return;
        }
        let (number, after) = (event.sequence, self.at());
        let missing = self.missing.iter_mut().find(|m| m.left > 0 && (m.first..=m.last).contains(&number));
        let Some(missing) = missing else {
            let what = format!("it stands after {after}, and is there before or does not belong there");
            report.tell(Fault::at(Kind::Invalid, event.line, Some(number), what));
            return;
        };
        if self.complete || number == missing.last {
            missing.left = missing.left.saturating_sub(1);
        }
        let fault = Some(missing.fault).filter(|_| missing.left == 0);
        // Everything that was missing is there after all.
        if let Some(fault) = fault.and_then(|place| report.faults.get_mut(place)) {
            fault.kind = Kind::Invalid;
            fault.through = None;
            let (first, last) = (missing.first, missing.last);
            fault.what = match first == last || !self.complete {
                true => format!("out of order: event {number} stands on line {}", event.line),
                false => format!("out of order: events {first} to {last} stand further down"),
            };
        }
    }

    /// Whether this is the event in whose place the last one was put.
    fn replaced(&mut self, event: &Seen, report: &mut Report) -> bool {
        let fits = |(before, _): &(Seen, Hash)| event.prev == before.said && event.own == event.said;
        let is_same = self.at() == event.sequence;
        let Some((before, _)) = self.broken.take_if(|broken| is_same && fits(broken)) else { return false };
        self.grow(before.said);
        if let Some(last) = self.last.replace(event.clone()) {
            let what = format!("it does not belong there, the event is on line {}", event.line);
            report.tell(Fault::at(Kind::Invalid, last.line, Some(last.sequence), what));
        }
        true
    }

    /// Holds the event before against this one, and gives the tree its leaf.
    fn follow(&mut self, event: &Seen, missing: u64, report: &mut Report) {
        self.settle(Some(event).filter(|_| missing == 0), report);
        match (self.last.take(), missing) {
            // What does not hold by itself has no say of the one before.
            (Some(last), 0) if event.prev == last.said || event.own != event.said => self.grow(last.said),
            (Some(last), 0) if last.told => self.grow(event.prev),
            (Some(last), 0) if !event.bound => self.dispute(last, event, report),
            (Some(last), 0) => self.broken = Some((last, event.prev)),
            (None, 0) if event.own == event.said && event.prev != Hash::default() => {
                let what = "it is the first, and says that there is one before";
                report.tell(Fault::at(Kind::Invalid, event.line, Some(event.sequence), what));
            }
            (None, 0) => {}
            // What could not be read between them was one event: this one says its hash.
            (last, 1) if self.unread > 0 => {
                if let Some(last) = last {
                    self.grow(last.said);
                }
                self.grow(event.prev);
            }
            _ => self.whole = false,
        }
    }

    /// Tells which of two events that do not fit was changed: the last, where the next one does not fit it either.
    fn settle(&mut self, next: Option<&Seen>, report: &mut Report) {
        let Some((before, said)) = self.broken.take() else { return };
        let Some(last) = &mut self.last else { return };
        let fits = next.is_none_or(|next| next.prev == last.said || next.own != next.said);
        let (changed, other, leaf) =
            if fits { (&before, last.sequence, said) } else { (&*last, before.sequence, before.said) };
        let what = format!("it does not fit event {other}, which fits the others");
        report.tell(Fault::at(Kind::Invalid, changed.line, Some(changed.sequence), what));
        last.told |= !fits;
        self.grow(leaf);
    }

    /// An event that was pruned says another hash of the one before than that has.
    fn dispute(&mut self, before: Seen, after: &Seen, report: &mut Report) {
        let (said, prev) = (before.said, after.prev);
        if self.disputed.is_some() {
            report.tell(changed_before(&before, after));
            return self.grow(prev);
        }
        let mut tree = self.tree.clone();
        tree.push(said);
        self.grow(prev);
        self.disputed = Some(Disputed { tree, before, after: after.clone() });
    }

    fn grow(&mut self, leaf: Hash) {
        self.tree.push(leaf);
        if let Some(disputed) = &mut self.disputed {
            disputed.tree.push(leaf);
        }
        if self.earlier.0 == Some(self.tree.size()) {
            self.earlier.1 = Some(self.tree.root());
        }
    }

    /// The end of an export of a log of this size, whose line says so or is missing, and whether everything before it is there.
    pub(super) fn end(&mut self, (size, end): (u64, Option<&End>), line: u64, report: &mut Report) {
        self.settle(None, report);
        let last = end.map_or(self.at(), |end| if self.complete { size } else { end.last });
        let missing = self.missing(last);
        if missing > self.unread && end.is_some() {
            self.gap(line, last, report);
        }
        self.whole &= self.complete && self.at() == size;
    }

    /// Holds the root of all events against the one that was signed.
    pub(super) fn root(&mut self, signed: &Hash, report: &mut Report) {
        let Some(last) = self.last.clone().filter(|_| self.whole) else {
            return self
                .disputed
                .take()
                .iter()
                .for_each(|it| report.tell(changed_before(&it.before, &it.after)));
        };
        let mut other = self.tree.clone();
        other.push(last.own);
        self.grow(last.said);
        let disputed = self.disputed.take();
        if let Some(Disputed { tree, before, after }) = &disputed {
            report.tell(match tree.root() == *signed {
                true => changed_after(before, after),
                false => changed_before(before, after),
            });
            if tree.root() == *signed {
                return;
            }
        }
        if self.tree.root() != *signed && other.root() != *signed {
            let what = "the events make another root than the one that was signed: this one, and any before it, \
                        may be another than was logged";
            report.tell(Fault::at(Kind::Invalid, last.line, Some(last.sequence), what));
        }
    }

    /// The root at the size that was wanted as well; `None` where events are missing.
    pub(super) fn earlier(&self) -> Option<Hash> {
        self.earlier.1.filter(|_| self.whole)
    }
}

fn changed_before(before: &Seen, after: &Seen) -> Fault {
    let what = format!("event {}, which was pruned, says another hash of it", after.sequence);
    Fault::at(Kind::Invalid, before.line, Some(before.sequence), what)
}

fn changed_after(before: &Seen, after: &Seen) -> Fault {
    let what = format!("it says another hash of event {} than that has", before.sequence);
    Fault::at(Kind::Invalid, after.line, Some(after.sequence), what)
}
