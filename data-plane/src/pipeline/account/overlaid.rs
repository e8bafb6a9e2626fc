//! A request under what is taken back and switched off: what of it may be hit, and whether it may go on.
//!
//! Law: looking costs one load while nothing changes. Deliberately absent: how it is refused or ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use proto::code::ErrorCode;

use super::{Account, Open};
use crate::overlay::{Cut, Killed, Subject};

impl Account {
    /// What of the request a kill may hit, as far as it is known by now.
    pub(crate) fn subject(&self) -> Subject<'_> {
        self.open.as_deref().map(Open::subject).unwrap_or_default()
    }

    /// Whether anything was taken back or switched off, or lifted, since it was opened.
    pub(crate) fn is_stale(&self) -> bool {
        self.watch.is_stale(&self.node.overlay)
    }

    /// What ends it, if something does that was not there when it was looked last.
    pub(crate) fn look(&mut self) -> Option<Cut> {
        let Self { node, open, watch } = self;
        let subject = open.as_deref().map(Open::subject).unwrap_or_default();
        watch.look(&node.overlay, &subject, || node.clock.now())
    }

    /// To be polled while nothing comes: ready when it may not go on.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        self.watch.sit(&self.node.overlay, cx);
        self.look().map_or(Poll::Pending, Poll::Ready)
    }

    /// Does work that may wait, unless the request may not go on before it is done. It comes pinned where it is: moved in here it would
    /// be in a request's state twice.
    pub(crate) async fn over<F: Future + Unpin>(&mut self, mut work: F) -> Result<F::Output, Cut> {
        std::future::poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_cut(cx).map(Err),
        })
        .await
    }

    /// It met something that is switched off.
    pub(crate) fn met(&mut self, met: &Killed) {
        self.note(|open| {
            open.record.ruling.reasons = vec![ErrorCode::SwitchedOff.to_string()];
            open.record.kill = Some(met.id.clone());
        });
    }

    /// It may not go on.
    pub(crate) fn cut(&mut self, cut: &Cut) {
        match cut {
            Cut::Revoked => {
                self.note(|open| open.record.ruling.reasons = vec![ErrorCode::KeyRevoked.to_string()]);
            }
            Cut::Killed(met) => self.met(met),
        }
    }
}

impl Open {
    fn subject(&self) -> Subject<'_> {
        let owner = self.record.owner.as_ref();
        Subject {
            key: owner.map(|owner| &*owner.key),
            tenant: owner.map(|owner| &owner.tenant),
            model: self.record.model.as_ref(),
            endpoint: self.record.endpoint.as_ref(),
            provider: self.provider.as_ref(),
        }
    }
}
