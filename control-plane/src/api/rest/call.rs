//! A call of a gRPC service in this very process: framed as on the wire, without one.
//!
//! Law: the services see what they would see from outside, so the same caller is recognised and may do the same.

use axum::body::Body;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::BodyExt as _;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use crate::api::admin::ByRest;

/// The header of a request's id, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-chancery-request-id");

/// The header of the revision an answer is of.
const REVISION: HeaderName = HeaderName::from_static("x-chancery-revision");

/// The header of what a caller should know beside an answer; it may come more than once.
const WARNING: HeaderName = HeaderName::from_static("x-chancery-warning");

/// Headers by which a caller may be recognised.
const CREDENTIALS: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// Headers that go along with a call.
const PASSED: [HeaderName; 6] = [
    USER_AGENT,
    REQUEST_ID,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-chancery-reason"),
    HeaderName::from_static("x-chancery-ticket"),
];

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A service's answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The encoded message.
    pub(super) message: Bytes,
    /// What the caller gets as headers.
    pub(super) headers: HeaderMap,
}

/// Calls an RPC, such as `chancery.admin.v1.TeamsService/GetTeam`, for the caller who sent this head.
pub(super) async fn call(
    services: axum::Router,
    rpc: &str,
    caller: &Parts,
    message: &[u8],
) -> Result<Answer, Refusal> {
    let response =
        services.oneshot(request(rpc, caller, message)?).await.unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| broken(&error))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&parts.headers));
    match status {
        Some(status) if status.code() == Code::Ok => {}
        Some(status) => return Err(Refusal::of_status(&status)),
        None => return Err(broken(&"an answer without a status")),
    }
    let mut framed = body.to_bytes();
    if framed.len() < PREFIX {
        return Err(broken(&"an answer without a message"));
    }
    let message = framed.split_off(PREFIX);
    Ok(Answer { message, headers: told(&parts.headers) })
}

/// Calls an RPC that answers bit by bit: the headers of its answer, and the messages as they come.
pub(super) async fn open(
    services: axum::Router,
    rpc: &str,
    caller: &Parts,
    message: &[u8],
) -> Result<(HeaderMap, Messages), Refusal> {
    let response =
        services.oneshot(request(rpc, caller, message)?).await.unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    match Status::from_header_map(&parts.headers) {
        Some(status) if status.code() != Code::Ok => Err(Refusal::of_status(&status)),
        _ => Ok((told(&parts.headers), Messages { body, framed: BytesMut::new() })),
    }
}

/// The messages of an answer, as they come.
#[derive(Debug)]
pub(super) struct Messages {
    body: Body,
    framed: BytesMut,
}

impl Messages {
    /// The next one, encoded; `None`: there is none any more.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if let Some(length) = self.framed.get(1..PREFIX).and_then(|bytes| bytes.try_into().ok()) {
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.framed.len().saturating_sub(PREFIX) >= length {
                    self.framed.advance(PREFIX);
                    return Ok(Some(self.framed.split_to(length).freeze()));
                }
            }
            let frame = match self.body.frame().await {
                Some(frame) => frame.map_err(|error| broken(&error))?,
                None => return Ok(None),
            };
            match frame.into_data() {
                Ok(data) => self.framed.extend_from_slice(&data),
                Err(frame) => match frame.into_trailers().ok().as_ref().and_then(Status::from_header_map) {
                    Some(status) if status.code() != Code::Ok => return Err(Refusal::of_status(&status)),
                    _ => return Ok(None),
                },
            }
        }
    }
}

/// Those headers of an answer that the caller gets.
fn told(answer: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in [REQUEST_ID, REVISION, WARNING] {
        for value in answer.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

fn request(rpc: &str, caller: &Parts, message: &[u8]) -> Result<Request<Body>, Refusal> {
    let length =
        u32::try_from(message.len()).map_err(|_| Refusal::new(ErrorCode::PayloadTooLarge, "too large"))?;
    let mut framed = BytesMut::with_capacity(message.len().saturating_add(PREFIX));
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    let request = Request::builder().method(Method::POST).version(Version::HTTP_2).uri(format!("/{rpc}"));
    let mut request = request.body(Body::from(framed.freeze())).map_err(|error| broken(&error))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    for name in CREDENTIALS.iter().chain(&PASSED) {
        // Of a header that came twice all values go along: which one counts is for the services to say.
        for value in caller.headers.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let about = request.extensions_mut();
    about.insert(ByRest);
    if let Some(peer) = caller.extensions.get::<TcpConnectInfo>() {
        about.insert(peer.clone());
    }
    Ok(request)
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a service of this process gave no proper answer");
    Refusal::new(ErrorCode::Internal, "the request could not be served")
}
