//! A peer that takes nothing of what is written to it.
//!
//! Law: whoever reads too slowly slows its own answer down and nobody else's, and whoever reads nothing at all is closed in time, so
//! that a stalled caller holds neither a vendor's connection nor its limits for ever. The clock is made when a write first has to
//! wait. Deliberately absent: a stream of HTTP/2 whose window is
//! shut while its connection is not (`ingress::untaken`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection with a clock on its writes.
pub(super) struct Stalled<T> {
    stream: T,
    patience: Duration,
    /// Runs while the last write waits.
    clock: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl<T> Stalled<T> {
    /// Lets the peer take nothing for so long.
    pub(super) fn within(patience: Duration, stream: T) -> Self {
        Self { stream, patience, clock: None, waits: false }
    }

    fn watch<R>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        let until = Instant::now() + self.patience;
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if !std::mem::replace(&mut self.waits, true) {
            clock.as_mut().reset(until);
        }
        clock.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stalled<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stalled<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn case_57_a_peer_that_takes_nothing_is_closed() {
        let (near, _far) = tokio::io::duplex(16);
        let mut stalled = Stalled::within(Duration::from_millis(20), near);
        let error = stalled.write_all(&[7; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_takes_little_by_little_has_its_time_again_and_again() {
        let (near, mut far) = tokio::io::duplex(1);
        let mut stalled = Stalled::within(Duration::from_secs(3600), near);
        let mut cx = Context::from_waker(Waker::noop());
        let mut until = Instant::now();
        for _ in 0..10 {
            stalled.write_all(&[7]).await.unwrap();
            assert!(!stalled.waits);
            for _ in 0..2 {
                assert!(Pin::new(&mut stalled).poll_write(&mut cx, &[7]).is_pending());
            }
            let next = stalled.clock.as_ref().unwrap().deadline();
            assert!(next > until && stalled.waits);
            until = next;
            far.read_u8().await.unwrap();
        }
    }
}
