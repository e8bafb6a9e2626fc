//! One keep-alive connection, and one call on it.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::corpus::Door;

/// A connection that carries one call at a time.
pub(crate) enum Line {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What there is to know about an answer that was good.
pub(crate) struct Answer {
    pub(crate) first_byte: Instant,
    pub(crate) events: u64,
}

impl Line {
    /// Connects; `authority` is `host:port`.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    pub(crate) async fn open(door: Door, authority: &str) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(authority).await.with_context(|| format!("connecting to `{authority}`"))?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        Ok(match door {
            Door::Rest | Door::Messages => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Line::Http1(sender)
            }
            Door::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Line::Http2(sender)
            }
        })
    }

    /// Sends one request and reads the answer to its end.
    ///
    /// # Errors
    /// A broken connection, a status other than 200 or grpc-status 0, an empty body, a stream without its end.
    pub(crate) async fn call(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let response = match self {
            Line::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Line::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        let grpc = matches!(self, Line::Http2(_));
        read(response, grpc).await
    }
}

async fn read(response: Response<Incoming>, grpc: bool) -> anyhow::Result<Answer> {
    let stream =
        response.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let mut status = grpc_status(response.headers());
    let mut body = response.into_body();
    let (mut first_byte, mut ends) = (None, Ends::default());
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(piece) => {
                first_byte.get_or_insert_with(Instant::now);
                if stream {
                    ends.read(&piece);
                }
            }
            Err(frame) => status = frame.trailers_ref().and_then(grpc_status).or(status),
        }
    }
    ensure!(
        !grpc || status.as_deref() == Some("0"),
        "grpc-status {}",
        status.as_deref().unwrap_or("missing")
    );
    ensure!(!stream || ends.done(), "the stream broke off");
    Ok(Answer { first_byte: first_byte.context("the answer is empty")?, events: ends.count })
}

fn grpc_status(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    text("grpc-status").map(|status| match text("grpc-message") {
        Some(message) if status != "0" => format!("{status}: {message}"),
        _ => status,
    })
}

/// Counts blank lines, which end the events of a stream, across pieces; remembers the last bytes.
#[derive(Default)]
struct Ends {
    count: u64,
    tail: Vec<u8>,
}

/// How a stream ends: OpenAI's, and Anthropic's.
const ENDS: [&[u8]; 2] = [b"data: [DONE]\n\n", b"data: {\"type\":\"message_stop\"}\n\n"];
const LONGEST: usize = 32;

impl Ends {
    fn read(&mut self, piece: &[u8]) {
        let mut last = self.tail.last().copied().unwrap_or_default();
        for byte in piece {
            self.count += u64::from(last == b'\n' && *byte == b'\n');
            last = *byte;
        }
        self.tail.extend_from_slice(piece.get(piece.len().saturating_sub(LONGEST)..).unwrap_or_default());
        self.tail.drain(..self.tail.len().saturating_sub(LONGEST));
    }

    fn done(&self) -> bool {
        ENDS.iter().any(|end| self.tail.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_however_they_are_cut() {
        let text = b"data: {\"a\":1}\n\ndata: {}\n\ndata: [DONE]\n\n";
        for size in 1..text.len() {
            let mut ends = Ends::default();
            text.chunks(size).for_each(|piece| ends.read(piece));
            assert_eq!((ends.count, ends.done()), (3, true), "pieces of {size}");
        }
        let mut cut = Ends::default();
        cut.read(b"data: {}\n\n");
        assert!(!cut.done());
    }
}
