//! The word that a record is on the disk, for an answer that does not end before it.
//!
//! Law: it is told once, after the record and everything before it were brought to the disk; a writer that is gone, or a disk that takes
//! nothing for a while, is an error and no word. Deliberately absent: who has to wait for it (the pipeline's).

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::{Timeout, timeout};

/// How long an answer waits for its record.
const PATIENCE: Duration = Duration::from_secs(5);

/// The record is not on the disk yet, as far as is known. It is still written where that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the record is not on the disk")]
pub(crate) struct Unnoted;

/// Ready when the record is on the disk, or when that takes too long.
#[derive(Debug)]
pub(crate) struct Noted(Option<Pin<Box<Timeout<oneshot::Receiver<()>>>>>);

impl Noted {
    /// What is told, if it is.
    pub(super) fn by(told: oneshot::Receiver<()>) -> Self {
        Self(Some(Box::pin(timeout(PATIENCE, told))))
    }

    /// There was no place for the record.
    pub(crate) fn never() -> Self {
        Self(None)
    }
}

impl Future for Noted {
    type Output = Result<(), Unnoted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(told) = &mut self.0 else { return Poll::Ready(Err(Unnoted)) };
        let told = ready!(pin!(told).poll(cx));
        Poll::Ready(told.ok().and_then(Result::ok).ok_or(Unnoted))
    }
}
