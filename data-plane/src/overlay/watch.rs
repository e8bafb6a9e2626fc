//! A request that watches while it waits or streams whether it may go on.
//!
//! Law: the seat is taken before it is looked, and a change is there before it wakes, so none is missed. Without a change a look is
//! one load and a comparison. Who has a watch gives its seat back (`pipeline::account` does): a watch keeps hold of nothing that all
//! requests share. Deliberately absent: how a request is ended (`pipeline`).

use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use policy_engine::vocabulary::Instant;

use super::Overlay;
use super::kills::{Killed, Kind, Stage, Subject};
use super::seats::Seat;

/// Why a request may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Its key was taken back.
    Revoked,
    /// What it uses is switched off.
    Killed(Killed),
}

impl Cut {
    /// Whether another endpoint may still answer.
    pub(crate) fn is_of_endpoint(&self) -> bool {
        matches!(self, Self::Killed(Killed { kind: Kind::Endpoint | Kind::Provider, .. }))
    }
}

/// One request's eye on the overlay.
#[derive(Debug)]
pub(crate) struct Watch {
    opened: u64,
    seen: u64,
    seated: Option<Seated>,
}

/// Where it sits, and as whom.
#[derive(Debug)]
struct Seated {
    seat: Seat,
    who: Who,
}

/// A waker by its address, which is compared and never followed: the seat holds the waker, so no other has the address meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Who(usize, usize);

impl Who {
    fn of(waker: &Waker) -> Self {
        Self(waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
    }
}

impl Watch {
    /// From now on: what changed before is for the caller to look at.
    pub(crate) fn from_now(overlay: &Overlay) -> Self {
        let seen = overlay.turn.load(Ordering::Acquire);
        Self { opened: seen, seen, seated: None }
    }

    /// The watch for whoever goes on with the request; what is left here has seen the same, and has no seat.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self { opened: self.opened, seen: self.seen, seated: self.seated.take() }
    }

    /// Gives the seat back.
    pub(crate) fn leave(&mut self, overlay: &Overlay) {
        if let Some(Seated { seat, .. }) = self.seated.take() {
            overlay.seats.leave(seat);
        }
    }

    /// Whether anything changed since it was opened: one load.
    pub(crate) fn is_stale(&self, overlay: &Overlay) -> bool {
        overlay.turn.load(Ordering::Acquire) != self.opened
    }

    /// Its subject is another: the next look is one, whether anything changed or not since the one before.
    pub(crate) fn look_anew(&mut self) {
        self.seen = self.seen.wrapping_sub(1);
    }

    /// Looks again, if anything changed: what ends a request of this subject now.
    pub(crate) fn look(
        &mut self,
        overlay: &Overlay,
        subject: &Subject<'_>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Cut> {
        let turn = overlay.turn.load(Ordering::Acquire);
        if turn == std::mem::replace(&mut self.seen, turn) {
            return None;
        }
        let all = overlay.now.load();
        if subject.key.is_some_and(|key| all.revokes(key)) {
            return Some(overlay.note(Cut::Revoked));
        }
        let met = all.kills.hit(subject, Stage::GoOn, now());
        met.map(|met| overlay.note(Cut::Killed(met)))
    }

    /// Takes a seat for who is polled now, where it has none: to be called before it is looked and waited.
    pub(crate) fn sit(&mut self, overlay: &Overlay, cx: &Context<'_>) {
        let who = Who::of(cx.waker());
        if self.seated.as_ref().is_none_or(|seated| seated.who != who) {
            let before = self.seated.take().map(|seated| seated.seat);
            self.seated = Some(Seated { seat: overlay.seats.sit(before, cx.waker()), who });
        }
    }
}

impl Overlay {
    fn note(&self, cut: Cut) -> Cut {
        let [revoked, killed] = &self.cut;
        let count = if cut == Cut::Revoked { revoked } else { killed };
        count.fetch_add(1, Ordering::Relaxed);
        cut
    }
}
