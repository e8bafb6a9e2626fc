//! Errors of Anthropic's dialect: a refusal of ours written, a vendor's read.
//!
//! Law: the shape is the dialect's (`error.type`, `error.message`, `request_id`); ours is beside it in `error.chancery`, with our code.

use proto::status::Refusal;
use serde::Serialize;

use super::super::ours::Ours;
use super::super::{VendorError, VendorFault};
use super::block::member;
use crate::tape::{Kind as Form, Tape, Value};

/// A refusal as the body of an answer with this status.
pub(crate) fn write(status: u16, ours: &Refusal) -> Vec<u8> {
    let error = Shape {
        r#type: "error",
        error: Error {
            r#type: kind(status),
            message: &ours.message,
            chancery: Beside { code: ours.code.as_str(), ours: Ours::of(ours) },
        },
        request_id: ours.request_id.as_deref(),
    };
    serde_json::to_vec(&error).unwrap_or_default()
}

/// A refusal as the last event of a stream, framed.
pub(crate) fn event(status: u16, ours: &Refusal) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    out.extend_from_slice(&write(status, ours));
    out.extend_from_slice(b"\n\n");
    out
}

/// What a vendor's error says, for people.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let mut tape = Tape::default();
    tape.read(body).ok()?;
    tape.root(body).and_then(said)
}

/// Why a vendor broke off a stream, by the event that says so.
pub(super) fn broken_off(event: Value<'_>) -> VendorError {
    let overloaded = event
        .get("error")
        .and_then(|error| error.get("type"))
        .is_some_and(|of| of.is("overloaded_error") || of.is("rate_limit_error"));
    VendorError {
        fault: if overloaded { VendorFault::Overloaded } else { VendorFault::Other },
        message: said(event).unwrap_or_default(),
    }
}

fn said(body: Value<'_>) -> Option<String> {
    let message = member(member(body, "error")?, "message")?;
    (message.kind() == Form::String).then(|| message.text().into_owned())
}

/// The dialect's word for what went wrong.
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[derive(Serialize)]
struct Shape<'r> {
    r#type: &'static str,
    error: Error<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'r str>,
}

#[derive(Serialize)]
struct Error<'r> {
    r#type: &'static str,
    message: &'r str,
    chancery: Beside<'r>,
}

#[derive(Serialize)]
struct Beside<'r> {
    code: &'r str,
    #[serde(flatten)]
    ours: Ours<'r>,
}
