//! A request that watches while it waits or streams whether it may go on.
//!
//! Law: the seat is taken before it is looked, and a change is there before it wakes, so none is missed. Without a change a look is
//! one load and a comparison. Deliberately absent: how a request is ended (`pipeline`).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::Overlay;
use super::kills::{Killed, Kind, Stage, Subject};
use super::seats::Seat;
use crate::node::Clock;

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
pub(crate) struct Watch {
    overlay: Arc<Overlay>,
    clock: Clock,
    opened: u64,
    seen: u64,
    seat: Option<Seat>,
    /// Who sits there: asked again at each wait, and seldom another.
    waker: Option<Waker>,
}

impl Watch {
    /// From now on: what changed before is for the caller to look at.
    pub(crate) fn from_now(overlay: &Arc<Overlay>, clock: &Clock) -> Self {
        let seen = overlay.turn.load(Ordering::Acquire);
        let (overlay, clock) = (overlay.clone(), clock.clone());
        Self { overlay, clock, opened: seen, seen, seat: None, waker: None }
    }

    /// The watch for whoever goes on with the request; what is left here has seen the same, and has no seat.
    pub(crate) fn hand_over(&mut self) -> Self {
        let (overlay, clock) = (self.overlay.clone(), self.clock.clone());
        let (opened, seen) = (self.opened, self.seen);
        Self { overlay, clock, opened, seen, seat: self.seat.take(), waker: self.waker.take() }
    }

    /// Whether anything changed since it was opened: one load.
    pub(crate) fn is_stale(&self) -> bool {
        self.overlay.turn.load(Ordering::Acquire) != self.opened
    }

    /// Looks again, if anything changed: what ends a request of this subject.
    pub(crate) fn look(&mut self, subject: &Subject<'_>) -> Option<Cut> {
        let turn = self.overlay.turn.load(Ordering::Acquire);
        if turn == std::mem::replace(&mut self.seen, turn) {
            return None;
        }
        let now = self.overlay.now.load();
        if subject.key.is_some_and(|key| now.revokes(key)) {
            return Some(self.overlay.note(Cut::Revoked));
        }
        let met = now.kills.hit(subject, Stage::GoOn, self.clock.now());
        met.map(|met| self.overlay.note(Cut::Killed(met)))
    }

    /// To be polled while nothing comes: ready when a request of this subject may not go on.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>, subject: &Subject<'_>) -> Poll<Cut> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.seat = Some(self.overlay.seats.sit(self.seat, cx.waker()));
            self.waker = Some(cx.waker().clone());
        }
        self.look(subject).map_or(Poll::Pending, Poll::Ready)
    }

    /// Does work that may wait, unless the request may not go on before it is done.
    pub(crate) async fn over<F: Future>(&mut self, subject: &Subject<'_>, work: F) -> Result<F::Output, Cut> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_cut(cx, subject).map(Err),
        })
        .await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.overlay.seats.leave(seat);
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
