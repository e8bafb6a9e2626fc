//! An RPC that answers bit by bit, in lines of JSON (NDJSON), each as it comes.
//!
//! Law: what is wrong before the first line has a status of its own, as anywhere; after it, the last line says it, as `{"error": ..}`. Who
//! goes ends the call.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::request::Parts;
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::call::{self, Messages};
use super::route::Route;
use super::{answer, written};

/// Calls an RPC that answers bit by bit.
pub(super) async fn answered(
    services: axum::Router,
    route: &'static Route,
    parts: &Parts,
    message: &[u8],
) -> Result<Response, Refusal> {
    let (headers, mut messages) = call::open(services, &route.rpc(), parts, message).await?;
    let nothing = || Refusal::new(ErrorCode::Internal, "the request could not be served");
    let first = messages.next().await?.ok_or_else(nothing)?;
    let (status, first) = written(route, first)?;
    if status != StatusCode::OK {
        return Ok(answer::json(status, first, headers));
    }
    let lines = stream::unfold(Left::Line(first, messages), move |left| async move {
        let (mut line, left) = match left {
            Left::Line(line, messages) => (line, Left::Messages(messages)),
            Left::Nothing => return None,
            Left::Messages(mut messages) => {
                let next = match messages.next().await {
                    Ok(message) => message.map(|message| written(route, message)).transpose(),
                    Err(refusal) => Err(refusal),
                };
                match next {
                    Ok(next) => (next?.1, Left::Messages(messages)),
                    Err(refusal) => (answer::body(&refusal).unwrap_or_default(), Left::Nothing),
                }
            }
        };
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), left))
    });
    Ok(answer::lines(Body::from_stream(lines), headers))
}

/// What is left to be told.
enum Left {
    Line(Vec<u8>, Messages),
    Messages(Messages),
    Nothing,
}
