//! `/v1/responses`: OpenAI's Responses API, whose requests become chats.
//!
//! Law: nothing is stored, so that whatever refers to a response is told that there is none: a vendor's own ids are nobody's here.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use proto::code::ErrorCode;

use super::super::body::DoorBody;
use super::super::foreign::{Inbound, Told, converse, wrong};
use crate::dialect::responses::read;
use crate::error::Rejection;
use crate::node::Node;
use crate::record::Door;

/// Answers a request.
pub(super) async fn answer(node: &Arc<Node>, request: (&Parts, Incoming)) -> Response<DoorBody> {
    let read = |body: &[u8]| {
        let asked = read::read(body).map_err(|fault| wrong(&fault))?;
        match asked.previous {
            Some(_) => Err(unknown()),
            None => {
                let told = Told { echo: asked.echo, left_out: asked.left_out };
                Ok((asked.chat, Some(Inbound::Responses(Box::new(told)))))
            }
        }
    };
    let otherwise = Inbound::Responses(Box::default());
    converse(node, (Door::OpenAi, otherwise), request, read).await
}

/// There is no such response, whoever made it.
pub(super) fn unknown() -> Rejection {
    Rejection::new(ErrorCode::NotFound, "there is no such response: responses are not stored here")
}
