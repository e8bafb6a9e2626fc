//! Calls of a gRPC client on a way like any other vendor's: its pool, its addresses, its clock, its cap, its credential.
//!
//! Law: what the other side says of a call, in the head or after the answer, is told here and nowhere else, so that every status the client makes
//! by itself is of an answer out of protocol. An answer that ends without a status, or within a message, is none. Absent on purpose: what messages say.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;
use tower::Service;

use super::refused;
use crate::upstream::error::{Kind, UpstreamError};
use crate::upstream::line::{Line, is_of};
use crate::upstream::reader::Reader;
use crate::upstream::secret::Secret;
use crate::upstream::target::Target;

/// What every answer of gRPC is.
const GRPC: &str = "application/grpc";

/// The bytes of a message's head.
const HEAD: usize = 5;

/// A way for one call.
pub(super) struct Channel<'r> {
    pub(super) line: &'r Line,
    pub(super) target: &'r Target,
    /// What the call tells beside its message.
    pub(super) headers: HeaderMap,
    pub(super) deadline: Option<Instant>,
    /// What is looked for in what comes back.
    pub(super) watched: Option<Arc<Secret>>,
}

impl<'r> Service<Request<tonic::body::Body>> for Channel<'r> {
    type Response = Response<Told>;
    type Error = UpstreamError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Told>, UpstreamError>> + Send + 'r>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let (line, deadline, watched) = (self.line, self.deadline, self.watched.clone());
        let to = self.target.join(request.uri().path());
        let headers = self.headers.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            head.uri = to.map_err(|_| UpstreamError::caused(Kind::Connect, "there is no such place"))?;
            head.headers.extend(headers);
            // The one message is whole before it leaves.
            let body =
                body.collect().await.map_err(|status| UpstreamError::caused(Kind::Protocol, status))?;
            let request = Request::from_parts(head, Full::new(body.to_bytes()));
            let mut response = line.open(request, deadline, &watched).await?;
            if !is_of(response.headers(), GRPC) {
                return Err(UpstreamError::caused(Kind::Protocol, "it is none of gRPC"));
            }
            if let Some(error) = refused::told(response.headers_mut(), &watched) {
                return Err(error);
            }
            let ended = response.headers().contains_key("grpc-status");
            Ok(response.map(|reader| Told { reader, watched, ended, torn: Torn::default() }))
        })
    }
}

/// What comes of a call.
pub(super) struct Told {
    reader: Reader,
    watched: Option<Arc<Secret>>,
    /// Whether its status was told, or why there is none.
    ended: bool,
    torn: Torn,
}

/// Where messages end, so that one that is not whole is seen: the client forgets it once a status is there.
#[derive(Default)]
struct Torn {
    /// What came of a message's head: a flag, and its length.
    head: Vec<u8>,
    /// What is still to come of it.
    left: usize,
}

impl Torn {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let more = bytes.len().min(if self.left > 0 { self.left } else { HEAD - self.head.len() });
            let (taken, rest) = bytes.split_at(more);
            bytes = rest;
            if self.left > 0 {
                self.left -= more;
                continue;
            }
            self.head.extend_from_slice(taken);
            if let Some(length) = self.head.get(1..).and_then(|length| length.first_chunk::<4>()) {
                self.left = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                self.head.clear();
            }
        }
    }

    fn is_within(&self) -> bool {
        self.left > 0 || !self.head.is_empty()
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let piece = ready!(self.reader.poll_piece(cx));
        if let Some(piece) = piece {
            match &piece {
                Ok(bytes) => self.torn.see(bytes),
                Err(_) => self.ended = true,
            }
            return Poll::Ready(Some(piece.map(Frame::data)));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        let trailers = self.reader.trailers().filter(|trailers| trailers.contains_key("grpc-status"));
        Poll::Ready(Some(match trailers {
            None => Err(UpstreamError::caused(Kind::Reset, "it ended without a status")),
            Some(mut trailers) => match refused::told(&mut trailers, &self.watched) {
                Some(error) => Err(error),
                None if self.torn.is_within() => {
                    Err(UpstreamError::caused(Kind::Protocol, "it ended within a message"))
                }
                None => Ok(Frame::trailers(trailers)),
            },
        }))
    }
}
