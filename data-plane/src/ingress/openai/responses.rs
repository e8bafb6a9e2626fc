//! `/v1/responses`: OpenAI's Responses API.
//!
//! Law: nothing is stored, so that whatever refers to a response is told that there is none: a vendor's own ids are nobody's here. What is
//! asked goes through the pipeline as it was written; whether it reaches its vendor so, or as a chat, is the vendor's to say, and an
//! answer is told in this API either way.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use policy_engine::vocabulary::Operation;
use proto::code::ErrorCode;

use super::super::body::DoorBody;
use super::super::foreign::{Inbound, respond, taken, wrong};
use crate::dialect::responses::read::{Asked, read};
use crate::error::Rejection;
use crate::node::{Buffered, Node};
use crate::pipeline::received::{Arrival, Form};
use crate::pipeline::{self, Body};
use crate::record::Door;

/// Answers a request.
pub(super) async fn answer(node: &Arc<Node>, (parts, body): (&Parts, Incoming)) -> Response<DoorBody> {
    let head = (&parts.headers, parts.uri.query());
    let mut arrival = Arrival::read(node, (Door::OpenAi, Operation::Chat), head, None);
    arrival.form = Form::Responses;
    let now = arrival.at;
    let (reply, asked) = match asked(node, (&arrival, parts), body).await {
        Ok((body, buffered, asked)) => {
            (pipeline::serve(node, arrival.with(body, buffered)).await, Some(asked))
        }
        Err(rejection) => (pipeline::turn_away(node, &arrival, rejection), None),
    };
    match (&reply.body, asked) {
        (Ok(Body::Response(_)), _) => super::respond(reply, None),
        (Ok(Body::Stream(stream)), _) if stream.standing().is_some() => super::respond(reply, None),
        (_, Some(asked)) => {
            let inbound = Inbound::Responses(Box::new(asked.echo));
            respond((inbound, now), reply, asked.chat.model)
        }
        (_, None) => respond((Inbound::Responses(Box::default()), now), reply, String::new()),
    }
}

/// What is asked, and its body.
async fn asked(
    node: &Arc<Node>,
    (arrival, parts): (&Arrival, &Parts),
    body: Incoming,
) -> Result<(Bytes, Option<Buffered>, Asked), Rejection> {
    let (body, buffered) = taken(node, (arrival, &parts.headers), body).await?;
    let asked = read(&body).map_err(|fault| wrong(&fault))?;
    match asked.previous {
        Some(_) => Err(unknown()),
        None => Ok((body, buffered, asked)),
    }
}

/// There is no such response, whoever made it.
pub(super) fn unknown() -> Rejection {
    Rejection::new(ErrorCode::NotFound, "there is no such response: responses are not stored here")
}
