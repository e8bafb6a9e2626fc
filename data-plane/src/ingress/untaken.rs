//! Answers over HTTP/2 that their callers do not take: a stream's window may stay shut while its connection lives.
//!
//! Law: whoever takes nothing of an answer for the time a stalled connection has, holds neither a vendor's connection nor its place
//! any longer; the connection's other streams go on. Time is counted in coarse ticks, so that a frame costs no look at a clock.
//! Deliberately absent: HTTP/1.1, where a connection carries one answer and `accept` watches the connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tonic::Status;

use super::body::DoorBody;

/// Ticks within the patience.
const TICKS: u64 = 8;

/// What [`Held::given`] says while the caller waits for us.
const WAITING: u64 = u64::MAX;

/// The answers of a port that are on their way over HTTP/2.
#[derive(Default)]
pub(super) struct Untaken {
    now: AtomicU64,
    held: Mutex<Vec<Weak<Held>>>,
}

struct Held {
    /// `None` once it was let go.
    body: Mutex<Option<DoorBody>>,
    /// The tick at which the caller was last given something, or [`WAITING`].
    given: AtomicU64,
}

/// A body as a connection takes it.
pub(crate) enum Outgoing {
    /// Nobody watches it.
    Direct(DoorBody),
    /// Taken frame by frame, or let go.
    Watched(WatchedBody),
}

/// A body that is let go when it is not taken.
pub(crate) struct WatchedBody {
    held: Arc<Held>,
    all: Arc<Untaken>,
}

impl Untaken {
    /// None yet; what is not taken within `patience` is let go, give or take an eighth.
    pub(super) fn within(patience: Duration) -> Arc<Self> {
        let all = Arc::<Self>::default();
        let (weak, tick) = (Arc::downgrade(&all), patience / u32::try_from(TICKS).unwrap_or(1));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(tick).await;
                let Some(all) = weak.upgrade() else { return };
                all.let_go();
            }
        });
        all
    }

    /// Watches a body from now on.
    pub(super) fn watch(self: &Arc<Self>, body: DoorBody) -> WatchedBody {
        let given = AtomicU64::new(self.now.load(Ordering::Relaxed));
        let held = Arc::new(Held { body: Mutex::new(Some(body)), given });
        self.held.lock().push(Arc::downgrade(&held));
        WatchedBody { held, all: self.clone() }
    }

    /// One tick: lets go of what was not taken in time, and forgets what has left.
    fn let_go(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let mut gone = Vec::new();
        self.held.lock().retain(|held| {
            let Some(held) = held.upgrade() else { return false };
            let given = held.given.load(Ordering::Relaxed);
            let late = given != WAITING && now.saturating_sub(given) > TICKS;
            if late {
                gone.push(held);
            }
            !late
        });
        // What it held ends here: its request is recorded as cancelled, and its vendor's call given up.
        gone.iter().for_each(|held| drop(held.body.lock().take()));
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Direct(body) => Pin::new(body).poll_frame(cx),
            Self::Watched(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Direct(body) => body.is_end_stream(),
            Self::Watched(body) => body.held.body.lock().as_ref().is_some_and(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Direct(body) => body.size_hint(),
            Self::Watched(body) => body.held.body.lock().as_ref().map(Body::size_hint).unwrap_or_default(),
        }
    }
}

impl WatchedBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut body = self.held.body.lock();
        let Some(body) = body.as_mut() else {
            return Poll::Ready(Some(Err(Status::cancelled("the answer was not taken in time"))));
        };
        self.held.given.store(WAITING, Ordering::Relaxed);
        let frame = Pin::new(body).poll_frame(cx);
        if frame.is_ready() {
            self.held.given.store(self.all.now.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(body: &mut WatchedBody) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        body.poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_not_taken_is_let_go_and_what_waits_for_us_is_not() {
        let all = Arc::<Untaken>::default();
        let mut lying = all.watch(DoorBody::whole(Bytes::from_static(b"answer")));
        let mut waiting = all.watch(DoorBody::grpc(tonic::body::Body::new(Never), http::HeaderMap::new()));
        assert!(poll(&mut waiting).is_pending());
        for _ in 0..=TICKS {
            all.let_go();
        }
        assert!(matches!(poll(&mut lying), Poll::Ready(Some(Err(_)))));
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(all.held.lock().len(), 1, "what was let go is forgotten");
        drop(waiting);
        all.let_go();
        assert!(all.held.lock().is_empty(), "what has left is forgotten");
    }

    /// A vendor that says nothing yet.
    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }
}
