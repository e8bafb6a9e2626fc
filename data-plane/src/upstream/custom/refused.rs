//! What is said of an error by what is the organisation's own, where the pipeline looks for it.
//!
//! Law: whose fault it is stays whose it was: a container that refuses a request makes it a wrong request, though SageMaker calls that an error of
//! the model's; a function that fails has failed, though Lambda answers with a good status. What AWS itself says has our account in it, and is
//! not told; what a filter refused stays as it came.

use std::error::Error as _;

use bytes::Bytes;
use http::StatusCode;
use policy_engine::facts::template::Pointer;

use crate::dialect::field::{member, text};
use crate::dialect::json::Json;
use crate::dialect::template::answer;
use crate::tape::{Tape, Value};
use crate::upstream::call::{Answer, AnswerBody, FUNCTION_ERROR};
use crate::upstream::config::Place;
use crate::upstream::error::{Kind, Refusal, UpstreamError};
use crate::upstream::line::ErrorType;

/// A vendor's error with what it says of it, which is at a place of its answer.
pub(super) fn told(mut error: UpstreamError, (place, at): (Place, Option<&Pointer>)) -> UpstreamError {
    let named = error.source().and_then(|cause| cause.downcast_ref::<ErrorType>()).and_then(meant);
    let Kind::Status(refusal) = &mut error.kind else { return error };
    let is_filtered = refusal.is_filtered();
    if place == Place::Http {
        if let Some(message) = by_template(at, &refusal.body).filter(|_| !is_filtered) {
            refusal.body = body(&message).into();
        }
        return error;
    }
    let of_container = with(&refusal.body, |root| (original(root), text(root, "OriginalMessage")));
    let (original, said) = of_container.unwrap_or_default();
    if let Some(status) = named {
        refusal.status = status;
    } else if place == Place::SageMaker && refusal.status == StatusCode::FAILED_DEPENDENCY {
        refusal.status = of_callers(original);
    }
    if !is_filtered {
        let message = said.map(|said| by_template(at, said.as_bytes()).unwrap_or(said));
        refusal.body = message.map_or_else(Bytes::new, |message| body(&message).into());
    }
    error
}

fn by_template(at: Option<&Pointer>, said: &[u8]) -> Option<String> {
    answer::message(at?, said)
}

/// What a type of AWS's errors means, where its status may say something else.
fn meant(of: &ErrorType) -> Option<StatusCode> {
    let ErrorType(name) = of;
    let begins = |with: &[&str]| with.iter().any(|word| name.starts_with(word));
    if begins(&["Throttling", "TooManyRequests"]) {
        return Some(StatusCode::TOO_MANY_REQUESTS);
    }
    let is_ours = begins(&["AccessDenied", "UnrecognizedClient"])
        || ["Token", "Signature"].iter().any(|word| name.contains(word));
    is_ours.then_some(StatusCode::FORBIDDEN)
}

/// What a container's status is to the caller: its own endpoint's failure, unless it refused the request.
fn of_callers(original: Option<StatusCode>) -> StatusCode {
    const KEPT: [StatusCode; 3] =
        [StatusCode::TOO_MANY_REQUESTS, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
    match original.filter(StatusCode::is_client_error) {
        Some(status) if KEPT.contains(&status) => status,
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::BAD_GATEWAY,
    }
}

/// A function that failed, whose answer is what it says of that.
pub(super) fn failed(answer: &Answer) -> Result<(), UpstreamError> {
    if !answer.headers.contains_key(FUNCTION_ERROR) {
        return Ok(());
    }
    let said = match &answer.body {
        AnswerBody::Whole(bytes) => with(bytes, |root| text(root, "errorMessage")).flatten(),
        AnswerBody::Events(_) | AnswerBody::Media(_) => None,
    };
    let body = body(said.as_deref().unwrap_or("the function failed")).into();
    let refusal = Refusal { status: StatusCode::BAD_GATEWAY, retry_after: None, body };
    Err(UpstreamError::new(Kind::Status(Box::new(refusal))))
}

/// The status that a container answered SageMaker with.
fn original(root: Value<'_>) -> Option<StatusCode> {
    let code = member(root, "OriginalStatusCode")?.whole()?;
    StatusCode::from_u16(u16::try_from(code).ok()?).ok()
}

fn with<T>(bytes: &[u8], look: impl FnOnce(Value<'_>) -> T) -> Option<T> {
    let mut tape = Tape::default();
    tape.read(bytes).ok()?;
    tape.root(bytes).map(look)
}

fn body(message: &str) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| json.key("error").object(|json| json.key("message").string(message)));
    json.done()
}
