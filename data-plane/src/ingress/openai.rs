//! The OpenAI dialect over HTTP.
//!
//! Law: paths are matched as they are written; what is not one of them is a 404 in the dialect's shape, a wrong method a 405
//! that says which are right. Deliberately absent: any path that skips the pipeline.
//!
//! | path | methods |
//! |---|---|
//! | `/v1/chat/completions`, `/v1/responses`, `/v1/completions` | POST |
//! | `/v1/embeddings`, `/v1/moderations`, `/v1/rerank` | POST |
//! | `/v1/images/generations`, `/v1/images/edits` | POST |
//! | `/v1/audio/speech`, `/v1/audio/transcriptions`, `/v1/audio/translations` | POST |
//! | `/v1/guardrails/{guardrail}/apply` | POST |
//! | `/v1/models`, `/v1/models/{model}`, `/v1/quota` | GET, HEAD |

mod form;
mod guardrail;
mod models;
mod quota;
pub(super) mod rejection;
mod responses;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use policy_engine::vocabulary::Operation;
use proto::code::ErrorCode;

use super::body::DoorBody;
use super::{headers, intake};
use crate::dialect::transcript;
use crate::error::Rejection;
use crate::node::{Buffered, Node};
use crate::pipeline::received::Arrival;
use crate::pipeline::{self, Body, Reply, identify};
use crate::record::Door;
use form::Form;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'p> {
    Infer(Operation),
    /// The same of a form with files.
    InferForm(Operation),
    Responses,
    /// Something that would be stored, were anything.
    Response,
    Models,
    Model(&'p str),
    Quota,
    /// A guardrail asked without a model.
    Guardrail(&'p str),
}

impl<'p> Route<'p> {
    fn of(path: &'p str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Infer(Operation::Chat)),
            "/v1/embeddings" => Some(Self::Infer(Operation::Embed)),
            "/v1/completions" => Some(Self::Infer(Operation::Complete)),
            "/v1/moderations" => Some(Self::Infer(Operation::Moderate)),
            "/v1/rerank" => Some(Self::Infer(Operation::Rerank)),
            "/v1/images/generations" => Some(Self::Infer(Operation::Image)),
            "/v1/images/edits" => Some(Self::InferForm(Operation::EditImage)),
            "/v1/audio/speech" => Some(Self::Infer(Operation::Speech)),
            "/v1/audio/transcriptions" => Some(Self::InferForm(Operation::Transcribe)),
            "/v1/audio/translations" => Some(Self::InferForm(Operation::Translate)),
            "/v1/responses" => Some(Self::Responses),
            "/v1/models" => Some(Self::Models),
            "/v1/quota" => Some(Self::Quota),
            _ if path.starts_with("/v1/responses/") => Some(Self::Response),
            _ => guardrail::named(path).map(Self::Guardrail).or_else(|| {
                path.strip_prefix("/v1/models/").filter(|name| !name.is_empty()).map(Self::Model)
            }),
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Infer(_) | Self::InferForm(_) | Self::Responses | Self::Guardrail(_) => "POST, OPTIONS",
            Self::Response => "GET, POST, DELETE, OPTIONS",
            Self::Models | Self::Model(_) | Self::Quota => "GET, HEAD, OPTIONS",
        }
    }
}

/// What somebody is told who asks for what an SDK has and this door has not.
const SERVED: &str = "there is no such path; served are `POST /v1/chat/completions`, `POST /v1/responses`, `POST /v1/completions`, \
                      `POST /v1/embeddings`, `POST /v1/moderations`, `POST /v1/rerank`, \
                      `POST /v1/images/generations`, `POST /v1/images/edits`, `POST /v1/audio/speech`, \
                      `POST /v1/audio/transcriptions`, `POST /v1/audio/translations`, \
                      `POST /v1/guardrails/{guardrail}/apply`, `GET /v1/models` and `GET /v1/quota`";

/// Answers a request.
pub(super) async fn answer(node: &Arc<Node>, request: Request<Incoming>) -> Response<DoorBody> {
    let (parts, body) = request.into_parts();
    let Some(route) = Route::of(parts.uri.path()) else {
        return plain(&Rejection::new(ErrorCode::Unimplemented, SERVED));
    };
    let query = parts.uri.query();
    match (&parts.method, route) {
        (&Method::POST, Route::Infer(operation)) => {
            let arrival = Arrival::read(node, (Door::OpenAi, operation), (&parts.headers, query), None);
            infer(node, arrival, (&parts.headers, body)).await
        }
        (&Method::POST, Route::InferForm(operation)) => {
            let arrival = Arrival::read(node, (Door::OpenAi, operation), (&parts.headers, query), None);
            infer_form(node, arrival, (&parts.headers, body)).await
        }
        (&Method::POST, Route::Guardrail(name)) => guardrail::answer(node, (&parts, body), name).await,
        (&Method::POST, Route::Responses) => responses::answer(node, (&parts, body)).await,
        (&Method::GET | &Method::POST | &Method::DELETE, Route::Response) => plain(&responses::unknown()),
        (&Method::GET, Route::Models) => models::list(node, &parts.headers, query),
        (&Method::GET, Route::Model(name)) => models::get(node, &parts.headers, query, name),
        (&Method::GET, Route::Quota) => quota::get(node, &parts.headers, query).await,
        (&Method::HEAD, Route::Models) => without_body(models::list(node, &parts.headers, query)),
        (&Method::HEAD, Route::Model(name)) => without_body(models::get(node, &parts.headers, query, name)),
        (&Method::HEAD, Route::Quota) => without_body(quota::get(node, &parts.headers, query).await),
        (&Method::OPTIONS, route) => {
            let mut response = Response::new(DoorBody::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(route.allowed()));
            response
        }
        (_, route) => {
            let mut response =
                plain(&Rejection::new(ErrorCode::MethodNotAllowed, "the path is there, with other methods"));
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(route.allowed()));
            response
        }
    }
}

async fn infer(
    node: &Arc<Node>,
    arrival: Arrival,
    (headers, body): (&HeaderMap, Incoming),
) -> Response<DoorBody> {
    let reply = match intake::read(node, &arrival, (headers, body)).await {
        Ok((body, buffered)) => pipeline::serve(node, arrival.with(body, buffered)).await,
        Err(rejection) => pipeline::turn_away(node, &arrival, rejection),
    };
    respond(reply, None)
}

async fn infer_form(
    node: &Arc<Node>,
    arrival: Arrival,
    (headers, body): (&HeaderMap, Incoming),
) -> Response<DoorBody> {
    match read_form(node, &arrival, (headers, body)).await {
        Ok((Form { fields, files, format }, buffered)) => {
            let received = arrival.with_form((fields.into(), files.into()), buffered);
            respond(pipeline::serve(node, received).await, format.as_deref().and_then(transcript::plain))
        }
        Err(rejection) => respond(pipeline::turn_away(node, &arrival, rejection), None),
    }
}

/// Reads a form of somebody who is proved, with room for writing it again.
async fn read_form(
    node: &Arc<Node>,
    arrival: &Arrival,
    (headers, body): (&HeaderMap, Incoming),
) -> Result<(Form, Option<Buffered>), Rejection> {
    let (body, mut buffered) = intake::read(node, arrival, (headers, body)).await?;
    let runtime = node.runtime.load_full().ok_or_else(Rejection::unready)?;
    identify(node, &runtime, (&arrival.credential, arrival.at))?;
    if !buffered.as_mut().is_none_or(|buffered| buffered.grow(body.len())) {
        let line = "this node holds as many bytes of requests as it may";
        return Err(Rejection::new(ErrorCode::Overloaded, line));
    }
    Ok((form::read(headers, body).await?, buffered))
}

/// A reply as a response; where `plain` is said, what was said is bare text of that media type.
pub(super) fn respond(reply: Reply, plain: Option<&'static str>) -> Response<DoorBody> {
    let mut told = HeaderMap::with_capacity(16);
    headers::write(reply.head, &mut told);
    let body = match reply.body {
        Err(rejection) => return refuse(&rejection, told),
        Ok(Body::Whole(bytes)) => {
            let text = plain.and_then(|plain| Some((plain, transcript::unwrap(&bytes)?)));
            let (kind, bytes) = text.map_or(("application/json", bytes), |(kind, text)| (kind, text.into()));
            told.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            DoorBody::whole(bytes)
        }
        Ok(Body::Response(bytes)) => {
            told.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            DoorBody::whole(bytes)
        }
        Ok(Body::Media(stream)) => {
            told.insert(header::CONTENT_TYPE, stream.media_type.clone());
            DoorBody::media(stream)
        }
        Ok(Body::Stream(stream)) => {
            headers::write_events(&mut told);
            DoorBody::events(stream)
        }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = told;
    response
}

/// A refusal as a response.
pub(super) fn refuse(rejection: &Rejection, mut told: HeaderMap) -> Response<DoorBody> {
    headers::write_wait(rejection, &mut told);
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if rejection.code().row().http.as_u16() == 401 {
        told.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers::write_retry(rejection, &mut told);
    let mut response = Response::new(DoorBody::whole(rejection::json(&rejection.refusal).into()));
    *response.status_mut() = rejection.code().row().http;
    *response.headers_mut() = told;
    response
}

/// A JSON object as a response.
fn json(bytes: Vec<u8>) -> Response<DoorBody> {
    let mut response = Response::new(DoorBody::whole(Bytes::from(bytes)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A refusal of a request that no pipeline saw.
pub(super) fn plain(rejection: &Rejection) -> Response<DoorBody> {
    refuse(rejection, HeaderMap::new())
}

/// The same headers, the length of the body included, and no body.
fn without_body(response: Response<DoorBody>) -> Response<DoorBody> {
    let length = http_body::Body::size_hint(response.body()).exact();
    let mut response = response.map(|_| DoorBody::empty());
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// Where one request ends and the next begins is in doubt: nothing more is read from there.
pub(super) fn misframed(doubt: &str) -> Response<DoorBody> {
    let mut response = plain(&Rejection::new(ErrorCode::InvalidRequest, doubt));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
