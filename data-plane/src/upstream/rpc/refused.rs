//! What a status of gRPC says, as the errors of other vendors say it.
//!
//! Law: whose fault it is stays whose it was; the table is the one of `chancery/adapter/v1/adapter.proto`. A message may repeat the prompt: it
//! is for the caller, and never the cause that an operator reads.
//!
//! | status | becomes |
//! |---|---|
//! | `INVALID_ARGUMENT`, `FAILED_PRECONDITION`, `OUT_OF_RANGE` | 400 |
//! | any with an `ErrorInfo` of the reason `CONTENT_FILTER` | 400, by a filter |
//! | `UNAUTHENTICATED`, `PERMISSION_DENIED`, `NOT_FOUND` | 401, 403, 404 |
//! | `ALREADY_EXISTS`, `ABORTED` | 409 |
//! | `RESOURCE_EXHAUSTED`, `UNAVAILABLE`, `DEADLINE_EXCEEDED` | 429, 503, 504 |
//! | `UNIMPLEMENTED` | an operation that the vendor does not have |
//! | `CANCELLED`, which nobody here asked for | broken off |
//! | `INTERNAL`, `UNKNOWN`, `DATA_LOSS` | 500 |

use std::error::Error as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::dialect::Unfit;
use crate::dialect::json::Json;
use crate::upstream::echo::Echo;
use crate::upstream::error::{Kind, REFUSAL_BODY, Refusal, UpstreamError};
use crate::upstream::retry_after::{LONGEST, retry_after};
use crate::upstream::secret::Secret;

/// The reason of an `ErrorInfo` by which an adapter says that a filter refused the content.
const CONTENT_FILTER: &str = "CONTENT_FILTER";

/// The adapter has no such RPC.
#[derive(Debug, thiserror::Error)]
#[error("UNIMPLEMENTED")]
struct Unimplemented;

/// What the other side says of a call; `None`: nothing, or that it is well.
pub(super) fn told(headers: &HeaderMap, watched: &Option<Arc<Secret>>) -> Option<UpstreamError> {
    let status = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)?;
    if status.code() == Code::Unimplemented {
        let unfit = Unfit::new("model", "its adapter does not implement what is asked for");
        return Some(UpstreamError::caused(Kind::Unfit(Box::new(unfit)), Unimplemented));
    }
    let is_filtered = status.get_details_error_info().is_some_and(|info| info.reason == CONTENT_FILTER);
    let code = match status.code() {
        _ if is_filtered => StatusCode::BAD_REQUEST,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled => return Some(UpstreamError::caused(Kind::Reset, "CANCELLED")),
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss | Code::Unimplemented => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let refusal = Refusal {
        status: code,
        retry_after: asked.map(|wait| wait.min(LONGEST)).or_else(|| retry_after(headers)),
        body: body(&status, is_filtered, watched),
    };
    Some(UpstreamError::caused(Kind::Status(Box::new(refusal)), format!("{:?}", status.code())))
}

/// What it says, where the pipeline looks for that, without the credential.
fn body(status: &Status, is_filtered: bool, watched: &Option<Arc<Secret>>) -> Bytes {
    let message = Bytes::copy_from_slice(status.message().as_bytes());
    let message = Echo::of(watched).map_or(message.clone(), |echo| echo.mask(message));
    let message = String::from_utf8_lossy(message.get(..REFUSAL_BODY / 2).unwrap_or(&message)).into_owned();
    let mut json = Json::default();
    json.object(|json| {
        json.key("error").object(|json| {
            json.key("message").string(&message);
            if is_filtered {
                json.key("code").string("content_filter");
            }
        });
    });
    json.done().into()
}

/// Whether there is no such RPC.
pub(super) fn is_unimplemented(status: &Status) -> bool {
    let error = status.source().and_then(|source| source.downcast_ref::<UpstreamError>());
    error.and_then(|error| error.source()).is_some_and(|cause| cause.is::<Unimplemented>())
}

/// Why a call failed, of what the client makes of it: what the way says of it, or else that what came is out of protocol.
pub(super) fn of(status: &Status) -> UpstreamError {
    let error = status.source().and_then(|source| source.downcast_ref::<UpstreamError>());
    match (error, status.code()) {
        (Some(error), _) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            UpstreamError::caused(error.kind.clone(), cause)
        }
        // Its own word for a message beyond the cap.
        (None, Code::OutOfRange | Code::ResourceExhausted) => UpstreamError::new(Kind::TooLarge),
        (None, code) => UpstreamError::caused(Kind::Protocol, format!("{code:?}: {}", status.message())),
    }
}
