//! Reads a vendor's answer under its clock and caps.
//!
//! Law: at most the cap comes in, never later than the clock says, never with our credential in it; after a failure
//! the connection is given up at once. Deliberately absent: what the bytes mean.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;

use super::{
    echo::{Echo, Heard},
    error::{Delivered, Kind, Stage, UpstreamError},
    failure,
    timer::Timer,
};

/// What may still come after an answer's own end mark, in bytes.
const AFTER_END: usize = 64 * 1024;
/// And for how long.
const AFTER_END_WITHIN: Duration = Duration::from_secs(1);

/// One answer's body while it comes in; dropping it cancels the call.
#[derive(Debug)]
pub(crate) struct Reader {
    /// None once the answer ended, well or not.
    body: Option<Incoming>,
    timer: Timer,
    /// How many bytes may still come.
    left: usize,
    delivered: Delivered,
    echo: Option<Echo>,
    /// What came after it, once it did.
    trailers: Option<HeaderMap>,
}

impl Reader {
    /// Reads `body` on the call's `timer`, at most `cap` bytes of it.
    pub(crate) fn new(body: Incoming, timer: Timer, cap: usize, echo: Option<Echo>) -> Self {
        Self { body: Some(body), timer, left: cap, delivered: Delivered::Nothing, echo, trailers: None }
    }

    /// The next bytes as they come; `None` at the end of the answer and ever after.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let polled = loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) if piece.is_empty() => continue,
                    Ok(piece) => break Ok(piece),
                    Err(trailers) => {
                        self.trailers = trailers.into_trailers().ok();
                        continue;
                    }
                },
                Poll::Ready(Some(Err(error))) => break Err(failure::of_body(error)),
                Poll::Ready(None) => {
                    self.body = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => match self.timer.poll_expired(cx) {
                    Poll::Ready(stage) => break Err(timed_out(stage)),
                    Poll::Pending => return Poll::Pending,
                },
            }
        };
        let checked = polled.and_then(|piece| self.check(piece));
        if checked.is_err() {
            self.body = None;
        }
        let delivered = std::mem::replace(&mut self.delivered, Delivered::Something);
        Poll::Ready(Some(checked.map_err(|error| error.after(delivered))))
    }

    /// What came after the answer's end, once.
    pub(super) fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// The answer is complete by its own account: what the framing still owes is read away on a task of its own, so that
    /// an HTTP/1.1 connection can serve the next call. It is given up if that takes long or much comes.
    pub(crate) fn retire(mut self) {
        if self.body.is_none() {
            return;
        }
        self.left = self.left.min(AFTER_END);
        self.timer.hasten(AFTER_END_WITHIN);
        tokio::spawn(async move { while let Some(Ok(_)) = poll_fn(|cx| self.poll_piece(cx)).await {} });
    }

    /// The whole answer. Nothing of it counts as delivered when it fails.
    pub(crate) async fn whole(mut self, expected: usize) -> Result<Bytes, UpstreamError> {
        let Some(first) = poll_fn(|cx| self.poll_piece(cx)).await else { return Ok(Bytes::new()) };
        let first = first?;
        let Some(mut next) = poll_fn(|cx| self.poll_piece(cx)).await else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(expected.max(first.len() * 2));
        whole.extend_from_slice(&first);
        loop {
            whole.extend_from_slice(&next.map_err(|error| error.after(Delivered::Nothing))?);
            match poll_fn(|cx| self.poll_piece(cx)).await {
                Some(piece) => next = piece,
                None => return Ok(whole.freeze()),
            }
        }
    }

    /// As much of the answer as comes, up to its cap: for error bodies, where a part is better than nothing.
    pub(crate) async fn prefix(mut self) -> Bytes {
        let mut kept = BytesMut::new();
        let cap = self.left;
        self.left = usize::MAX;
        while let Some(Ok(piece)) = poll_fn(|cx| self.poll_piece(cx)).await {
            let room = cap.saturating_sub(kept.len());
            kept.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if kept.len() >= cap {
                break;
            }
        }
        kept.freeze()
    }

    fn check(&mut self, piece: Bytes) -> Result<Bytes, UpstreamError> {
        self.timer.progressed().map_err(timed_out)?;
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| UpstreamError::new(Kind::TooLarge))?;
        match self.echo.as_mut().map(|echo| echo.hear(&piece)) {
            Some(Heard::Credential) => {
                Err(UpstreamError::caused(Kind::Protocol, "the answer echoes the endpoint's credential"))
            }
            Some(Heard::Nothing) | None => Ok(piece),
        }
    }
}

/// The failure of a stage whose time ran out.
pub(crate) fn timed_out(stage: Stage) -> UpstreamError {
    UpstreamError::new(Kind::Timeout(stage))
}
