//! One call to a vendor and its answer, as the pipeline sees them whatever the vendor.
//!
//! Law: an answer carries allow-listed headers only, never hop-by-hop ones, cookies or credentials. Deliberately
//! absent: who calls, which policy permitted it, and any reading of the body beyond the model's name.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy_engine::vocabulary::Operation;
use tokio::time::Instant;

use super::events::EventStream;
use super::fetched::Fetches;
use crate::dialect::field::BodyFault;
use crate::tape::Tape;

/// In which of OpenAI's two APIs a chat is asked for, and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// Chat completions; whatever is no chat has an API of its own, and is of this one here.
    Chat,
    /// Responses.
    Responses,
}

/// One call: the body is already in the vendor's dialect, patched and permitted.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What is asked for; picks the path.
    pub(crate) operation: Operation,
    /// In which API it is written.
    pub(crate) api: Api,
    /// The whole request body, JSON; of a form, the object of its fields.
    pub(crate) body: Bytes,
    /// The files of a form, in the order in which its fields refer to them.
    pub(crate) files: Arc<[File]>,
    /// Whether the body asks for a stream of events.
    pub(crate) stream: bool,
    /// Our id of the request, told to the vendor as `x-client-request-id`.
    pub(crate) request_id: HeaderValue,
    /// The caller spoke another dialect, so that the body may say more than OpenAI's has words for.
    pub(crate) foreign: bool,
    /// W3C trace context, if the request is traced.
    pub(crate) traceparent: Option<HeaderValue>,
    /// Where it is noted what was fetched for it.
    pub(crate) noted: Fetches,
    /// The caller's own deadline; the endpoint's total timeout applies as well.
    pub(crate) deadline: Option<Instant>,
}

/// What a field of a form holds that is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// All of it, as it came.
    pub(crate) bytes: Bytes,
}

impl Call {
    /// The model that the body names.
    pub(super) fn model(&self) -> Result<String, BodyFault> {
        let mut tape = Tape::for_text(self.body.len());
        tape.read(&self.body)?;
        let named = tape.root(&self.body).and_then(|root| root.get("model"));
        named.map(|model| model.text().into_owned()).ok_or_else(|| BodyFault::Missing("model".to_owned()))
    }
}

/// A vendor's 2xx answer; everything else is an `UpstreamError`.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The headers of [`KEPT_HEADERS`] that the vendor sent.
    pub(crate) headers: HeaderMap,
    /// The body, whole or as it comes.
    pub(crate) body: AnswerBody,
    /// Fields of the request that the vendor was not told, for it has no place for them.
    pub(crate) left_out: Vec<Cow<'static, str>>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// All of it, within the endpoint's cap; its JSON is not checked yet.
    Whole(Bytes),
    /// Server-sent events as they come; dropping them cancels the upstream call at once.
    Events(EventStream),
    /// What is no text, as it comes; dropping it cancels the upstream call at once.
    Media(EventStream),
}

/// By which AWS Lambda says that a function failed.
pub(super) const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// The vendor headers that reach the pipeline: the media type, advice on retrying, what is left of a limit of requests, and the vendor's
/// own request id.
pub(crate) const KEPT_HEADERS: [HeaderName; 13] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("apim-request-id"),
    HeaderName::from_static("x-amzn-requestid"),
    FUNCTION_ERROR,
    HeaderName::from_static("openai-processing-ms"),
];
