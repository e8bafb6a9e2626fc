//! The one coarse timer of a stream: it says when the caller has heard nothing for long.
//!
//! Law: made only when there is something to wait for, and set again only when it fires.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Watches for silence towards the caller.
pub(super) struct Pace {
    every: Duration,
    moved: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Silence is `every` without a frame.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, moved: false, sleep: None }
    }

    /// A frame left.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// To be polled while nothing comes: ready when a whole interval passed without a frame.
    pub(super) fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let every = self.every;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + every)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            sleep.as_mut().reset(Instant::now() + every);
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(());
            }
        }
    }
}
