//! The holds that are live, so that those which nobody ends can expire.
//!
//! A hold leaves the roster when it ends: memory is that of the requests in flight, never of those that were.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::hold::{Berth, Hold};

/// Docks, so that requests on several threads rarely meet at one lock.
const DOCKS: usize = 16;

#[derive(Debug)]
pub(super) struct Roster {
    docks: Box<[Mutex<Dock>]>,
    turn: AtomicUsize,
    /// No live hold expires before this; it may be early, never late.
    earliest: AtomicI64,
}

#[derive(Debug, Default)]
struct Dock {
    slots: Vec<Option<Moored>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Moored {
    /// Of the hold when it was last looked at; its own may be later.
    deadline: i64,
    hold: Hold,
}

impl Roster {
    pub(super) fn new() -> Self {
        Self {
            docks: (0..DOCKS).map(|_| Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
            earliest: AtomicI64::new(i64::MAX),
        }
    }

    /// Remembers a hold until it leaves.
    pub(super) fn moor(&self, hold: Hold, deadline: i64) -> Option<Berth> {
        let dock = self.turn.fetch_add(1, Ordering::Relaxed) % DOCKS;
        let moored = Moored { deadline, hold };
        let slot = self.docks.get(dock)?.lock().put(moored);
        // After the hold is in its slot: a sweep that has reset the mark has not yet looked, or has seen it.
        self.earliest.fetch_min(deadline, Ordering::AcqRel);
        Some(Berth { dock, slot })
    }

    /// Forgets a hold, if it still lies there.
    pub(super) fn leave(&self, berth: Berth, hold: &Hold) {
        if let Some(dock) = self.docks.get(berth.dock) {
            dock.lock().take(berth.slot, hold);
        }
    }

    /// Whether some hold may be due.
    pub(super) fn may_be_due(&self, now: i64) -> bool {
        now >= self.earliest.load(Ordering::Acquire)
    }

    /// Up to `most` holds whose remembered deadline has passed. What is not taken now is found by the next call.
    pub(super) fn due(&self, now: i64, most: usize) -> Vec<(Berth, Hold)> {
        self.earliest.store(i64::MAX, Ordering::Release);
        let mut due = Vec::new();
        for (dock, slots) in self.docks.iter().enumerate() {
            for (slot, moored) in slots.lock().slots.iter().enumerate() {
                let Some(moored) = moored else { continue };
                if moored.deadline <= now && due.len() < most {
                    due.push((Berth { dock, slot }, moored.hold.clone()));
                } else {
                    self.earliest.fetch_min(moored.deadline, Ordering::AcqRel);
                }
            }
        }
        due
    }

    /// Looks at a hold again no earlier than at `deadline`.
    pub(super) fn postpone(&self, berth: Berth, hold: &Hold, deadline: i64) {
        let Some(dock) = self.docks.get(berth.dock) else { return };
        if let Some(Some(moored)) = dock.lock().slots.get_mut(berth.slot)
            && moored.hold.is_same(hold)
        {
            moored.deadline = deadline;
        }
        self.earliest.fetch_min(deadline, Ordering::AcqRel);
    }

    /// How many holds are live.
    pub(super) fn len(&self) -> usize {
        self.docks.iter().map(|dock| dock.lock().slots.iter().flatten().count()).sum()
    }
}

impl Dock {
    fn put(&mut self, moored: Moored) -> usize {
        if let Some(slot) = self.free.pop()
            && let Some(empty) = self.slots.get_mut(slot)
        {
            *empty = Some(moored);
            return slot;
        }
        self.slots.push(Some(moored));
        self.slots.len().saturating_sub(1)
    }

    fn take(&mut self, slot: usize, hold: &Hold) {
        let Some(place) = self.slots.get_mut(slot) else { return };
        if place.as_ref().is_some_and(|moored| moored.hold.is_same(hold)) {
            *place = None;
            self.free.push(slot);
        }
        if self.free.len() == self.slots.len() && self.slots.len() > 1024 {
            *self = Self::default();
        }
    }
}
