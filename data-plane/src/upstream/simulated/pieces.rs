//! A simulated answer that is no text, piece by piece.
//!
//! Law: faults happen after so many pieces as in a stream of events after so many of those. Deliberately absent: making the pieces.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::directive::Directives;
use crate::upstream::{
    error::{Delivered, Kind, UpstreamError},
    timer::Timer,
};

/// Pieces that are still to come.
#[derive(Debug)]
pub(crate) struct Pieces {
    left: VecDeque<Bytes>,
    cut: Option<usize>,
    hang: Option<usize>,
    given: usize,
    timer: Timer,
}

impl Pieces {
    /// These, with the faults that were asked for.
    pub(super) fn new(left: VecDeque<Bytes>, directives: &Directives, timer: Timer) -> Self {
        Self { left, cut: directives.cut, hang: directives.hang, given: 0, timer }
    }

    /// The next piece; `None` after the last, or after a fault.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if self.cut == Some(self.given) {
            return self.fail(Kind::Reset);
        }
        if self.hang == Some(self.given) {
            let stage = ready!(self.timer.poll_expired(cx));
            return self.fail(Kind::Timeout(stage));
        }
        if let Err(stage) = self.timer.progressed() {
            return self.fail(Kind::Timeout(stage));
        }
        self.given += 1;
        Poll::Ready(self.left.pop_front().map(Ok))
    }

    fn fail(&mut self, kind: Kind) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        self.left.clear();
        let delivered = if self.given == 0 { Delivered::Nothing } else { Delivered::Something };
        Poll::Ready(Some(Err(UpstreamError::new(kind).after(delivered))))
    }
}
