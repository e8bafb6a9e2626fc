//! The first bytes of a connection, for which nobody else waits with a clock.
//!
//! Law: a connection that does not say which protocol it speaks is closed in time. HTTP/1.1 and HTTP/2 have their own timers,
//! but which of them it is, is only known when the preface of HTTP/2 (RFC 9113, 3.4) is there or can no longer be meant.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection with a clock on its opening.
pub(super) struct Opening<T> {
    stream: T,
    /// The clock and the part of the preface that has not come; `None` once the protocol is known.
    waiting: Option<(Pin<Box<Sleep>>, &'static [u8])>,
}

impl<T> Opening<T> {
    /// Lets `stream` take so long to show its protocol.
    pub(super) fn within(patience: Duration, stream: T) -> Self {
        Self { stream, waiting: Some((Box::pin(tokio::time::sleep(patience)), PREFACE)) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Opening<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match (Pin::new(&mut this.stream).poll_read(cx, buf), &mut this.waiting) {
            // What came in time counts, though nobody had the time to read it.
            (Poll::Ready(read), _) => read?,
            (Poll::Pending, None) => return Poll::Pending,
            (Poll::Pending, Some((clock, _))) => {
                return clock.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let came = buf.filled().get(before..).unwrap_or_default();
        if let Some((_, missing)) = &mut this.waiting {
            match missing.strip_prefix(came) {
                Some(rest) if !rest.is_empty() => *missing = rest,
                _ => this.waiting = None,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Opening<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn case_56_a_connection_that_does_not_say_what_it_speaks_is_closed() {
        for said in ["", "P", "PRI * HT"] {
            let (near, mut far) = tokio::io::duplex(64);
            far.write_all(said.as_bytes()).await.unwrap();
            let mut opening = Opening::within(Duration::from_millis(20), near);
            let mut got = Vec::new();
            let error = opening.read_to_end(&mut got).await.unwrap_err();
            assert_eq!((error.kind(), got.as_slice()), (io::ErrorKind::TimedOut, said.as_bytes()));
        }
    }

    #[tokio::test]
    async fn the_clock_stops_when_the_protocol_is_known_and_not_before() {
        for (said, known) in [
            ("P", false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
            ("PRIX", true),
            ("GET", true),
        ] {
            let (near, mut far) = tokio::io::duplex(64);
            let mut opening = Opening::within(Duration::from_secs(3600), near);
            for byte in said.bytes() {
                far.write_all(&[byte]).await.unwrap();
                opening.read_u8().await.unwrap();
            }
            assert_eq!(opening.waiting.is_none(), known, "{said:?}");
        }
    }
}
