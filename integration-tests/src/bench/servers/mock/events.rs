//! A body that is written piece by piece: after each one the connection is made to flush.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::answers::Writing;

const PACE: Duration = Duration::from_millis(5);

/// The pieces of one stream, and the timer between them where it is paced.
pub(crate) struct Events {
    pieces: Arc<[Bytes]>,
    next: usize,
    flushed: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Events {
    /// A stream that has not begun; its first piece waits for nothing.
    pub(crate) fn new(pieces: Arc<[Bytes]>, writing: Writing) -> Self {
        let timer = (writing == Writing::Paced).then(|| Box::pin(tokio::time::sleep(Duration::ZERO)));
        Events { pieces, next: 0, flushed: true, timer }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.get(self.next).cloned() else { return Poll::Ready(None) };
        if let Some(timer) = self.timer.as_mut() {
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            timer.as_mut().reset(Instant::now() + PACE);
        } else if !self.flushed {
            // To be asked again at once is how a body makes hyper write out what it has.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.flushed = false;
        self.next += 1;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}
