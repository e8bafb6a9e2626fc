//! What is said of an error by what is the organisation's own, where the pipeline looks for it.
//!
//! Law: whose fault it is stays whose it was: a container that refuses a request makes it a wrong request, though SageMaker calls that an error of
//! the model's; a function that fails has failed, though Lambda answers with a good status.

use http::StatusCode;

use crate::dialect::field::{member, text};
use crate::dialect::json::Json;
use crate::dialect::template::{Plan, answer};
use crate::tape::{Tape, Value};
use crate::upstream::call::{Answer, AnswerBody, FUNCTION_ERROR};
use crate::upstream::error::{Kind, Refusal, UpstreamError};

/// A vendor's error with what it says of it.
pub(super) fn told(mut error: UpstreamError, plan: Option<&Plan>) -> UpstreamError {
    let Kind::Status(refusal) = &mut error.kind else { return error };
    let by_template = plan.and_then(|plan| answer::message(&plan.template().told, &refusal.body));
    let of_aws = with(&refusal.body, |root| (original(root), message(root)));
    let (original, message) = of_aws.unwrap_or_default();
    if refusal.status == StatusCode::FAILED_DEPENDENCY {
        refusal.status = original.filter(StatusCode::is_client_error).unwrap_or(StatusCode::BAD_GATEWAY);
    }
    if let Some(message) = by_template.or(message) {
        refusal.body = body(&message).into();
    }
    error
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

/// What AWS says, or the container behind it.
fn message(root: Value<'_>) -> Option<String> {
    ["OriginalMessage", "Message", "message"].iter().find_map(|name| text(root, name))
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
