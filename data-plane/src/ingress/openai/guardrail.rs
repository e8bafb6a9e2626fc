//! `/v1/guardrails/{guardrail}/apply`: texts checked by one guardrail, without a model.
//!
//! Law: no vendor's dialect has it, so its form is ours and its refusals are OpenAI's; it is read and answered like any other request.

use std::sync::Arc;

use http::{Response, request};
use hyper::body::Incoming;

use super::super::body::DoorBody;
use super::super::{intake, percent_decoded};
use super::respond;
use crate::node::Node;
use crate::pipeline;
use crate::pipeline::received::Arrival;
use crate::record::{Door, Task};

/// The name in a path of the door.
pub(super) fn named(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/v1/guardrails/")?.strip_suffix("/apply")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Answers a request.
pub(super) async fn answer(
    node: &Arc<Node>,
    (parts, body): (&request::Parts, Incoming),
    name: &str,
) -> Response<DoorBody> {
    let asked = (Door::OpenAi, Task::ApplyGuardrail);
    let arrival = Arrival::read(node, asked, (&parts.headers, parts.uri.query()), None);
    let reply = match intake::read(node, &arrival, (&parts.headers, body)).await {
        Ok((body, buffered)) => {
            let name = percent_decoded(name).unwrap_or_default();
            pipeline::check(node, arrival.with(body, buffered), &name).await
        }
        Err(rejection) => pipeline::turn_away(node, &arrival, rejection),
    };
    respond(reply, None)
}
