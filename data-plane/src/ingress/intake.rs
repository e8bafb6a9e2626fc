//! A body, read whole, within bounds.
//!
//! Law: a body that says it is too large is refused before a byte of it is kept, one that turns out to be as soon as it is; all
//! bodies together share the node's budget. Nothing compressed is read: a small body may not become a large one here.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use proto::code::ErrorCode;

use super::INTAKE;
use crate::error::Rejection;
use crate::node::{Buffered, Node};
use crate::pipeline::identify;
use crate::pipeline::received::Arrival;
use crate::record::Outcome;

/// Larger bodies are read only of callers who are proved first, so that nobody else can fill the budget.
const EAGER: u64 = 64 * 1024;

/// What is read of a refused body, and how long, so that its sender gets to reading why: one that finds its connection closed while it
/// still writes never sees the refusal (RFC 9112, 9.6).
const LINGER: (usize, Duration) = (128 * 1024 * 1024, Duration::from_secs(2));

/// The whole body and its part of the budget.
pub(super) async fn read(
    node: &Arc<Node>,
    arrival: &Arrival,
    (headers, mut body): (&HeaderMap, Incoming),
) -> Result<(Bytes, Option<Buffered>), Rejection> {
    let read = match admit(node, arrival, (headers, &body)) {
        Err(rejection) => Err(rejection),
        Ok(budget) => {
            let read = tokio::time::timeout(INTAKE, gather(&mut body, node.bounds.body_bytes, budget)).await;
            read.unwrap_or_else(|_| Err(gone("the body did not come in time")))
        }
    };
    // Who asked whether to send it has not begun to.
    if read.is_err() && !headers.contains_key(header::EXPECT) {
        linger(body).await;
    }
    read
}

/// A place for the body, by what is known before a byte of it is read.
fn admit(
    node: &Arc<Node>,
    arrival: &Arrival,
    (headers, body): (&HeaderMap, &Incoming),
) -> Result<Buffered, Rejection> {
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|value| value.as_bytes() != b"identity");
    if encoded {
        let line = "compressed bodies are not read: send the body as it is";
        return Err(Rejection::new(ErrorCode::UnsupportedMediaType, line));
    }
    let most = node.bounds.body_bytes;
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > most {
        return Err(too_large(most));
    }
    if body.size_hint().exact().is_none_or(|told| told > EAGER) {
        let runtime = node.runtime.load_full().ok_or_else(Rejection::unready)?;
        identify(node, &runtime, (&arrival.credential, arrival.at))?;
    }
    node.buffer(told).ok_or_else(overloaded)
}

/// Reads the rest of a refused body and keeps none of it.
async fn linger(mut body: Incoming) {
    let (most, patience) = LINGER;
    let mut left = most;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Some(less) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = less;
        }
    };
    // Whoever has not sent it by then is not waited for.
    let _ = tokio::time::timeout(patience, rest).await;
}

async fn gather(
    body: &mut Incoming,
    most: usize,
    mut budget: Buffered,
) -> Result<(Bytes, Option<Buffered>), Rejection> {
    let mut reserved = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(piece) = frame.into_data() else { continue };
        let length = first.len() + joined.len() + piece.len();
        if length > most {
            return Err(too_large(most));
        }
        if length > reserved {
            if !budget.grow(length - reserved) {
                return Err(overloaded());
            }
            reserved = length;
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            if joined.is_empty() {
                joined.reserve(reserved);
                joined.extend_from_slice(&std::mem::take(&mut first));
            }
            joined.extend_from_slice(&piece);
        }
    }
    Ok((if joined.is_empty() { first } else { joined.freeze() }, Some(budget)))
}

fn too_large(most: usize) -> Rejection {
    Rejection::new(ErrorCode::PayloadTooLarge, format!("the body is larger than {most} bytes"))
}

fn overloaded() -> Rejection {
    Rejection::new(ErrorCode::Overloaded, "this node holds as many bodies as it may")
}

/// A body that ended before its end, or whose chunks are none: the first is the caller's going, the second its mistake.
fn broken(error: &hyper::Error) -> Rejection {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData) => {
            Rejection::new(ErrorCode::InvalidRequest, "the body's chunks are not as HTTP has them")
        }
        _ => gone("the body broke off"),
    }
}

fn gone(line: &str) -> Rejection {
    Rejection { outcome: Outcome::Cancelled, ..Rejection::new(ErrorCode::Cancelled, line) }
}
