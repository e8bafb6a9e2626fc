//! The body of a request: read whole, within bounds of size and time, or thrown away.
//!
//! Law: a body that is too large is refused, and what is refused is still taken from the wire as far as that is cheap: a
//! client that writes into a closed connection never reads why.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue};
use http_body_util::BodyExt as _;
use proto::code::ErrorCode;
use proto::status::Refusal;

/// Bytes of a body at most: a directory of declarative files is one.
const MAX_BODY: usize = 32 << 20;
/// Bytes of a refused body that are taken from the wire at most.
const MAX_DISCARDED: usize = 64 << 20;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a refused body may.
const IMPATIENCE: Duration = Duration::from_secs(5);

/// Reads a body of JSON.
pub(super) async fn read(headers: &HeaderMap, mut body: Body) -> Result<Bytes, Refusal> {
    let read = match claimed(headers) {
        Some(length) if length > MAX_BODY => Err(too_large()),
        _ => match tokio::time::timeout(PATIENCE, collect(&mut body)).await {
            Ok(read) => read,
            Err(_) => return Err(Refusal::field("", "the body did not come in time")),
        },
    };
    match read {
        Ok(body) if !body.is_empty() && !is_json(headers) => Err(Refusal::new(
            ErrorCode::UnsupportedMediaType,
            "a body is read as JSON: send it with `content-type: application/json`, and without a `content-encoding`",
        )),
        Ok(body) => Ok(body),
        Err(refusal) => {
            discard(headers, body).await;
            Err(refusal)
        }
    }
}

/// Takes what is left of a body from the wire, so far as that is cheap, and keeps nothing.
pub(super) async fn discard(headers: &HeaderMap, mut body: Body) {
    // Who waits to be told to go on has not sent it.
    let waits = headers.contains_key(EXPECT);
    if waits || claimed(headers).is_some_and(|length| length > MAX_DISCARDED) {
        return;
    }
    let mut left = MAX_DISCARDED;
    let taken = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    let _in_time = tokio::time::timeout(IMPATIENCE, taken).await;
}

async fn collect(body: &mut Body) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::field("", "the body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len().saturating_add(data.len()) > MAX_BODY {
            return Err(too_large());
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.freeze())
}

fn claimed(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

fn too_large() -> Refusal {
    let message = format!("the body is larger than {MAX_BODY} bytes: send it in parts");
    Refusal::new(ErrorCode::PayloadTooLarge, message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let is_json = |value: &HeaderValue| {
        let essence = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        Some(
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json")),
        )
    };
    plain && headers.get(CONTENT_TYPE).is_none_or(|value| is_json(value).unwrap_or(false))
}
