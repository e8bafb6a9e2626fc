//! Errors of the dialect: ours, written, and a vendor's, read.
//!
//! Law: the shape is Google's (`error.code`, `message`, `status`, `details`), ours is beside it in `error.chancery`.

use proto::status::Refusal;
use tonic::Code;

use super::super::json::Json;
use super::members::{at, text_at};
use crate::tape::{Kind, Tape};

/// A refusal, answered with an HTTP status.
pub(crate) fn write(status: u16, ours: &Refusal) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| {
        json.key("error").object(|json| {
            json.key("code").whole(status);
            json.key("message").string(&ours.message);
            json.key("status").string(word(ours.code.row().grpc));
            if let Some(after) = ours.retry_after {
                json.key("details").array(|json| {
                    json.object(|json| {
                        json.key("@type").string("type.googleapis.com/google.rpc.RetryInfo");
                        json.key("retryDelay").string(&format!("{}s", after.as_secs_f64()));
                    });
                });
            }
            json.key("chancery").object(|json| own(ours, json));
        });
    });
    json.done()
}

fn own(ours: &Refusal, json: &mut Json) {
    json.key("code").string(ours.code.as_str());
    if let Some(id) = &ours.request_id {
        json.key("request_id").string(id);
    }
    if let Some(revision) = ours.revision {
        json.key("revision").number_of(revision);
    }
    let line = |json: &mut Json, members: &[(&str, &str)]| {
        json.object(|json| members.iter().for_each(|(name, value)| json.key(name).string(value)));
    };
    json.key("reasons").array(|json| {
        for why in &ours.reasons {
            line(json, &[("code", &why.code), ("source", &why.source), ("message", &why.message)]);
        }
    });
    if !ours.fields.is_empty() {
        json.key("fields").array(|json| {
            for wrong in &ours.fields {
                line(json, &[("field", &wrong.field), ("message", &wrong.message)]);
            }
        });
    }
    if !ours.limits.is_empty() {
        json.key("limits").array(|json| {
            for reached in &ours.limits {
                line(json, &[("limit", &reached.limit), ("message", &reached.message)]);
            }
        });
    }
}

/// The canonical code, as `google.rpc.Code` spells it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// What a vendor says of its error; one that came where a stream was wanted stands in an array.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let root = if root.kind() == Kind::Array { root.elements().next()? } else { root };
    text_at(at(root, "error")?, "message").filter(|message| !message.is_empty())
}
