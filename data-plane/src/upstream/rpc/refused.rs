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
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{RetryInfo, StatusExt as _, pb};

use crate::dialect::Unfit;
use crate::dialect::json::Json;
use crate::upstream::echo::Echo;
use crate::upstream::error::{Kind, REFUSAL_BODY, Refusal, UpstreamError};
use crate::upstream::retry_after::{LONGEST, retry_after};
use crate::upstream::secret::Secret;

/// The reason of an `ErrorInfo` by which an adapter says that a filter refused the content.
const CONTENT_FILTER: &str = "CONTENT_FILTER";

/// Where a status's details stand.
const DETAILS: &str = "grpc-status-details-bin";

/// The adapter has no such RPC.
#[derive(Debug, thiserror::Error)]
#[error("UNIMPLEMENTED")]
struct Unimplemented;

/// What the other side says of a call; `None`: nothing, or that it is well. Details that are no bytes are taken out of the headers: the library
/// panics at them, here and wherever it reads the same headers again.
pub(super) fn told(headers: &mut HeaderMap, watched: &Option<Arc<Secret>>) -> Option<UpstreamError> {
    let reads =
        |value: &[u8]| BASE64_STANDARD.decode(value).is_ok() || BASE64_STANDARD_NO_PAD.decode(value).is_ok();
    if !headers.get_all(DETAILS).iter().all(|value| reads(value.as_bytes())) {
        headers.remove(DETAILS);
    }
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
    let asked = retry_delay(&status);
    let refusal = Refusal {
        status: code,
        retry_after: asked.map(|wait| wait.min(LONGEST)).or_else(|| retry_after(headers)),
        body: body(&status, is_filtered, watched),
    };
    Some(UpstreamError::caused(Kind::Status(Box::new(refusal)), format!("{:?}", status.code())))
}

/// When it wants to be asked again, by its details; not as the library reads them, which panics at the least of all times.
fn retry_delay(status: &Status) -> Option<Duration> {
    let details = pb::Status::decode(status.details()).ok()?.details;
    let told = details.iter().find(|detail| detail.type_url == RetryInfo::TYPE_URL)?;
    let delay = pb::RetryInfo::decode(told.value.as_slice()).ok()?.retry_delay?;
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use prost_types::{Any, Duration as Delay};

    use super::*;

    fn said(details: &[&str]) -> (Option<Duration>, HeaderMap) {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("8"));
        for details in details {
            headers.append(DETAILS, details.parse().unwrap());
        }
        let error = told(&mut headers, &None).unwrap();
        let Kind::Status(refusal) = &error.kind else { panic!("{error:?}") };
        assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
        (refusal.retry_after, headers)
    }

    fn waiting(seconds: i64, nanos: i32) -> Vec<u8> {
        let info = pb::RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
        let detail = Any { type_url: RetryInfo::TYPE_URL.to_owned(), value: info.encode_to_vec() };
        pb::Status { details: vec![detail], ..pb::Status::default() }.encode_to_vec()
    }

    #[test]
    fn details_that_are_none_are_silence() {
        let seven = BASE64_STANDARD.encode(waiting(7, 0));
        let joined = format!("{seven},{seven}");
        for details in [&["!"][..], &[joined.as_str()], &["A"], &[seven.as_str(), "!"]] {
            let (after, headers) = said(details);
            assert!(after.is_none() && !headers.contains_key(DETAILS), "{details:?}");
        }
        let garbage = BASE64_STANDARD.encode([0xff; 9]);
        assert_eq!(said(&[&garbage]).0, None);
        let unpadded = BASE64_STANDARD_NO_PAD.encode(waiting(7, 0));
        for details in [seven, unpadded] {
            assert_eq!(said(&[&details]).0, Some(Duration::from_secs(7)));
        }
        // Of a call that is well too.
        let mut headers = HeaderMap::from_iter([
            (http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0")),
            (http::HeaderName::from_static(DETAILS), HeaderValue::from_static("!")),
        ]);
        assert!(told(&mut headers, &None).is_none() && !headers.contains_key(DETAILS));
    }

    #[test]
    fn a_time_that_is_none_is_silence() {
        for (seconds, nanos, after) in [
            (0, 500_000_000, Some(Duration::from_millis(500))),
            (i64::MAX, 999_999_999, Some(LONGEST)),
            (i64::MIN, 0, None),
            (i64::MIN, i32::MIN, None),
            (-1, 0, None),
            (1, -1, None),
            (1, i32::MAX, None),
        ] {
            assert_eq!(
                said(&[&BASE64_STANDARD.encode(waiting(seconds, nanos))]).0,
                after,
                "{seconds} {nanos}"
            );
        }
    }
}
