//! An answer that has begun, and what of a whole one is read.
//!
//! Law: what is not the JSON the dialect promises is no answer, and never goes on as text. A vendor's own words about an error
//! are screened like an answer, for they echo prompts. Deliberately absent: changing anything.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy_engine::content::Masker;
use policy_engine::content::mask::apply;
use policy_engine::vocabulary::Operation;

use super::decide::Permitted;
use super::repeated::Repeated;
use crate::runtime::Endpoint;
use crate::tape::{Kind as Form, Tape, Value};
use crate::upstream::call::Api;
use crate::upstream::error::{Kind, UpstreamError};
use crate::upstream::events::EventStream;

/// The most of a vendor's own words that is passed on, in characters.
const WORDS: usize = 512;

/// A request that an endpoint began to answer.
pub(crate) struct Answering<'s> {
    /// The request, and its terms.
    pub(crate) permitted: Permitted<'s>,
    /// The answer.
    pub(crate) begun: Begun,
    /// Who answers.
    pub(crate) endpoint: &'s Endpoint,
    /// Fields of the request that it was not told.
    pub(crate) left_out: Vec<Cow<'static, str>>,
    /// What the answer repeats of its request, where it is one of the Responses API.
    pub(crate) repeated: Option<Box<Repeated>>,
}

/// An answer, as far as it has come.
pub(crate) enum Begun {
    /// All of it, and JSON.
    Whole {
        /// The vendor's headers.
        headers: HeaderMap,
        /// The body.
        bytes: Bytes,
        /// The positions of its values.
        tape: Tape,
    },
    /// The first of its events.
    Events {
        /// The vendor's headers.
        headers: HeaderMap,
        /// The first bytes.
        first: Bytes,
        /// The rest.
        events: EventStream,
    },
    /// The first of what is no text.
    Media {
        /// The vendor's headers.
        headers: HeaderMap,
        /// What it says that it is.
        media_type: HeaderValue,
        /// The first bytes.
        first: Bytes,
        /// The rest.
        pieces: EventStream,
    },
}

impl Begun {
    /// The vendor's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        let (Self::Whole { headers, .. } | Self::Events { headers, .. } | Self::Media { headers, .. }) = self;
        headers
    }

    /// The vendor's own id of the request, cut to 128 visible characters.
    pub(crate) fn upstream_request_id(&self) -> Option<Box<str>> {
        static NAMES: [HeaderName; 4] = [
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("request-id"),
            HeaderName::from_static("apim-request-id"),
            HeaderName::from_static("x-amzn-requestid"),
        ];
        let id = NAMES.iter().find_map(|name| self.headers().get(name))?.to_str().ok()?;
        Some(id.chars().filter(char::is_ascii_graphic).take(128).collect::<String>().into())
    }
}

/// What an answer that is no text says that it is: sound, or plain bytes; anything else is none.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<HeaderValue, UpstreamError> {
    let told = headers.get(header::CONTENT_TYPE);
    let fits = |told: &HeaderValue| {
        let told = told.as_bytes().to_ascii_lowercase();
        told.starts_with(b"audio/") || told.starts_with(b"application/octet-stream")
    };
    let told = told.filter(|told| fits(told)).cloned();
    told.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer is no sound"))
}

/// Checks a whole answer: an object with choices, vectors or results, or with what was said, and not an error under a good status.
pub(crate) fn check_whole(
    tape: &mut Tape,
    bytes: &[u8],
    (operation, api): (Operation, Api),
) -> Result<(), UpstreamError> {
    let wrong = |what: &'static str| UpstreamError::caused(Kind::Protocol, what);
    tape.read(bytes).map_err(|malformed| UpstreamError::caused(Kind::Protocol, malformed.fault))?;
    let root = tape.root(bytes).ok_or_else(|| wrong("the answer is empty"))?;
    if root.kind() != Form::Object {
        return Err(wrong("the answer is not an object"));
    }
    if is_error(root) {
        return Err(wrong("the answer is an error under a good status"));
    }
    let holds = |name| root.get(name).is_some_and(|list| list.kind() == Form::Array);
    let heard = matches!(operation, Operation::Transcribe | Operation::Translate);
    let says = || root.get("text").is_some_and(|text| text.kind() == Form::String);
    if api == Api::Responses {
        return if holds("output") { Ok(()) } else { Err(wrong("the answer holds no answer")) };
    }
    match holds("choices") || holds("data") || holds("results") || heard && says() {
        true => Ok(()),
        false => Err(wrong("the answer holds no answer")),
    }
}

/// Whether an answer or a chunk is the dialect's error object.
pub(crate) fn is_error(root: Value<'_>) -> bool {
    root.get("error").is_some_and(|error| error.kind() != Form::Null) && root.get("choices").is_none()
}

/// What a vendor says about a request it refused, screened; `None` where it says nothing that may be passed on.
pub(crate) fn vendor_words(body: &[u8], permitted: &Permitted<'_>) -> Option<String> {
    let mut tape = Tape::default();
    tape.read(body).ok()?;
    let error = tape.root(body)?.get("error")?;
    let message = if error.kind() == Form::String { error } else { error.get("message")? };
    let words: String = message.text().chars().filter(|c| !c.is_control()).take(WORDS).collect();
    let Some(view) = permitted.entitled.entitled.inspect else {
        return Some(words).filter(|w| !w.is_empty());
    };
    let mut findings = Vec::new();
    view.detectors.scan(&words, &mut findings);
    let masked = apply(&words, &findings, &permitted.permit.output, &mut Masker::new()).ok()?;
    Some(masked.into_owned()).filter(|words| !words.is_empty())
}
