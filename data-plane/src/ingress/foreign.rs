//! What the doors of other dialects than OpenAI's share: a conversation in, an answer out.
//!
//! Law: a body becomes the one in OpenAI's dialect that means the same, passes the same sentence, and its answer is told in the caller's own
//! dialect; so is every refusal. Absent on purpose: paths (`anthropic`, `gemini`), and the dialects (`dialect`).

mod inbound;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use hyper::body::Incoming;
use policy_engine::vocabulary::{Instant, Operation};
use proto::code::ErrorCode;

use super::body::DoorBody;
use super::catalogue::Viewing;
use super::spoken::Spoken;
use super::{headers, intake};
use crate::dialect::chat::Chat;
use crate::dialect::field::BodyFault;
use crate::dialect::foreign::Foreign;
use crate::dialect::openai::{self, Reader};
use crate::dialect::{anthropic, gemini};
use crate::error::Rejection;
use crate::node::{Buffered, Node};
use crate::pipeline::received::{Arrival, Form};
use crate::pipeline::{self, Body, Reply, identify, input_tokens};
use crate::record::Door;

pub(super) use inbound::Inbound;

/// The name under which Anthropic's clients look for the id of a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

impl Foreign {
    /// The door where it is spoken.
    pub(super) fn door(self) -> Door {
        match self {
            Self::Anthropic => Door::Anthropic,
            Self::Gemini => Door::Gemini,
        }
    }
}

/// Answers a conversation, which `read` understands.
pub(super) async fn converse(
    node: &Arc<Node>,
    (door, otherwise): (Door, Inbound),
    request: (&Parts, Incoming),
    read: impl FnOnce(&[u8]) -> Result<(Chat, Option<Inbound>), Rejection>,
) -> Response<DoorBody> {
    let read = |body: &[u8]| {
        let (chat, told) = read(body)?;
        Ok((for_pipeline(&chat)?, (chat.model, told)))
    };
    let (reply, now, read) = ask(node, (door, Operation::Chat), request, read).await;
    let (model, told) = read.unwrap_or_default();
    respond((told.unwrap_or(otherwise), now), reply, model)
}

/// Answers a request for vectors; `read` gives it in OpenAI's dialect, and `write` the answer in the caller's own.
pub(super) async fn embed(
    node: &Arc<Node>,
    dialect: Foreign,
    request: (&Parts, Incoming),
    read: impl FnOnce(&[u8]) -> Result<Vec<u8>, BodyFault>,
    write: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Response<DoorBody> {
    let read = |body: &[u8]| Ok((read(body).map_err(|fault| wrong(&fault))?, ()));
    let (Reply { head, body }, ..) = ask(node, (dialect.door(), Operation::Embed), request, read).await;
    let mut told = HeaderMap::with_capacity(16);
    headers::write(head, &mut told);
    let written = body.and_then(|body| match body {
        Body::Whole(bytes) => write(&bytes).ok_or_else(odd_answer),
        Body::Response(_) | Body::Stream(_) | Body::Media(_) => Err(odd_answer()),
    });
    match written {
        Err(rejection) => refuse(dialect, &rejection, told),
        Ok(bytes) => {
            let mut response = json(bytes);
            response.headers_mut().extend(told);
            response
        }
    }
}

/// Asks the pipeline what `read` gives in OpenAI's dialect; gives what it answers, when it was asked, and what else was read.
async fn ask<T>(
    node: &Arc<Node>,
    to: (Door, Operation),
    (parts, body): (&Parts, Incoming),
    read: impl FnOnce(&[u8]) -> Result<(Vec<u8>, T), Rejection>,
) -> (Reply, Instant, Option<T>) {
    let mut arrival = Arrival::read(node, to, (&parts.headers, parts.uri.query()), None);
    arrival.form = Form::Translated;
    let now = arrival.at;
    match written(node, (&arrival, &parts.headers), body, read).await {
        Ok((body, buffered, read)) => {
            (pipeline::serve(node, arrival.with(body, buffered)).await, now, Some(read))
        }
        Err(rejection) => (pipeline::turn_away(node, &arrival, rejection), now, None),
    }
}

/// Reads a body and writes it anew, within the budget; gives what else was read.
async fn written<T>(
    node: &Arc<Node>,
    (arrival, headers): (&Arrival, &HeaderMap),
    body: Incoming,
    read: impl FnOnce(&[u8]) -> Result<(Vec<u8>, T), Rejection>,
) -> Result<(Bytes, Option<Buffered>, T), Rejection> {
    let (body, mut buffered) = taken(node, (arrival, headers), body).await?;
    let (written, read) = read(&body)?;
    let more = written.len().saturating_sub(body.len());
    if !buffered.as_mut().is_none_or(|buffered| buffered.grow(more)) {
        let line = "this node holds as many bytes of requests as it may";
        return Err(Rejection::new(ErrorCode::Overloaded, line));
    }
    Ok((written.into(), buffered, read))
}

/// Reads the body of somebody who is proved: who is nobody is told that, and nothing about what it sent.
pub(super) async fn taken(
    node: &Arc<Node>,
    (arrival, headers): (&Arrival, &HeaderMap),
    body: Incoming,
) -> Result<(Bytes, Option<Buffered>), Rejection> {
    let (body, buffered) = intake::read(node, arrival, (headers, body)).await?;
    let runtime = node.runtime.load_full().ok_or_else(Rejection::unready)?;
    identify(node, &runtime, (&arrival.credential, arrival.at))?;
    Ok((body, buffered))
}

/// A conversation as the pipeline reads it.
fn for_pipeline(chat: &Chat) -> Result<Vec<u8>, Rejection> {
    let written = openai::write::write(chat, Reader::Pipeline);
    written
        .map(|written| written.body)
        .map_err(|unfit| Rejection::unsupported(&unfit.field, &unfit.to_string()))
}

/// What a dialect's own reading comes to.
pub(super) fn plainly(read: Result<Chat, BodyFault>) -> Result<(Chat, Option<Inbound>), Rejection> {
    read.map(|chat| (chat, None)).map_err(|fault| wrong(&fault))
}

/// A refusal of a body for what is wrong with it.
pub(super) fn wrong(fault: &BodyFault) -> Rejection {
    Rejection::field(fault.field().unwrap_or_default(), fault.to_string())
}

fn odd_answer() -> Rejection {
    Rejection::new(ErrorCode::UpstreamError, "the upstream answered out of protocol")
}

/// How many tokens a conversation has, by our own guess; of a model that the caller may know of. Nothing is sent anywhere.
pub(super) async fn count(
    node: &Arc<Node>,
    dialect: Foreign,
    (parts, body): (&Parts, Incoming),
    read: impl FnOnce(&[u8]) -> Result<Chat, BodyFault>,
) -> Result<u64, Rejection> {
    let head = (&parts.headers, parts.uri.query());
    let viewing = Viewing::of(node, head.0, head.1)?;
    let arrival = Arrival::read(node, (dialect.door(), Operation::Chat), head, None);
    let read = |body: &[u8]| {
        let chat = read(body).map_err(|fault| wrong(&fault))?;
        Ok((for_pipeline(&chat)?, chat.model))
    };
    let (body, _, model) = written(node, (&arrival, &parts.headers), body, read).await?;
    viewing.viewer().find(&model).ok_or_else(Rejection::unknown_model)?;
    input_tokens(&body).map_err(|fault| wrong(&fault))
}

/// A reply in a dialect, of a model by the name that was asked for.
pub(super) fn respond((inbound, now): (Inbound, Instant), reply: Reply, model: String) -> Response<DoorBody> {
    let mut told = HeaderMap::with_capacity(16);
    headers::write(reply.head, &mut told);
    let body = match reply.body {
        Err(rejection) => return inbound.refuse(&rejection, told),
        Ok(Body::Whole(bytes)) => {
            let Some(mut answer) = openai::answer::read(&bytes) else {
                return inbound.refuse(&odd_answer(), told);
            };
            answer.model = model;
            told.insert(header::CONTENT_TYPE, JSON);
            DoorBody::whole(inbound.answer(&answer, now).into())
        }
        Ok(Body::Response(_) | Body::Media(_)) => return inbound.refuse(&odd_answer(), told),
        Ok(Body::Stream(stream)) => {
            headers::write_events(&mut told);
            DoorBody::spoken(Spoken::of(stream, inbound.writing(now), model))
        }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = told;
    response
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Tells the id of a request under the name that Anthropic's clients look for.
pub(super) fn name(told: &mut HeaderMap) {
    if let Some(id) = told.get("x-chancery-request-id").cloned() {
        told.insert(REQUEST_ID, id);
    }
}

/// A refusal as a response.
pub(super) fn refuse(dialect: Foreign, rejection: &Rejection, mut told: HeaderMap) -> Response<DoorBody> {
    let status = rejection.code().row().http;
    headers::write_wait(rejection, &mut told);
    headers::write_retry(rejection, &mut told);
    told.insert(header::CONTENT_TYPE, JSON);
    let body = match dialect {
        Foreign::Anthropic => anthropic::error::write(status.as_u16(), &rejection.refusal),
        Foreign::Gemini => gemini::error::write(status.as_u16(), &rejection.refusal),
    };
    let mut response = Response::new(DoorBody::whole(body.into()));
    *response.status_mut() = status;
    *response.headers_mut() = told;
    response
}

/// A refusal of a request that no pipeline saw.
pub(super) fn plain(dialect: Foreign, rejection: &Rejection) -> Response<DoorBody> {
    refuse(dialect, rejection, HeaderMap::new())
}

/// What no pipeline was asked for, as a response: a JSON object, or why there is none.
pub(super) fn told(dialect: Foreign, shown: Result<Vec<u8>, Rejection>) -> Response<DoorBody> {
    shown.map_or_else(|rejection| plain(dialect, &rejection), json)
}

/// A JSON object as a response.
fn json(bytes: Vec<u8>) -> Response<DoorBody> {
    let mut response = Response::new(DoorBody::whole(bytes.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
