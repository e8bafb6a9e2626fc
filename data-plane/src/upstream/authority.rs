//! Whoever gives tokens or keys, and how it is asked: one form or document, one small answer.
//!
//! Law: neither what is given nor what is said with a refusal is ever told, not even to the operator: only the word of the standard for why.
//! Absent on purpose: what is asked for, and what answers mean.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;

use super::{
    call::AnswerBody,
    config::{Caps, EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    line::{Form, Line},
    secret::Secret,
    target::Target,
};

/// The most that an answer may weigh, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;
/// The longest word for why nothing is given, in bytes.
const WORD: usize = 64;

/// What AWS STS says with a 400 of what is over in a moment.
const BUSY: [&str; 3] = ["Throttling", "ThrottlingException", "IDPCommunicationError"];

/// How a form is sent.
pub(super) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// How a document is sent, and asked for.
pub(super) const DOCUMENT: HeaderValue = HeaderValue::from_static("application/json");

/// One of them.
pub(super) struct Authority {
    line: Line,
    at: Uri,
}

impl Authority {
    /// The one at a place; what it is shown is looked for in what comes back.
    pub(super) fn build(
        config: &EndpointConfig,
        at: &str,
        shown: Option<Arc<Secret>>,
    ) -> Result<Self, Fault> {
        let at = Target::parse(at, &config.addresses)?.join("")?;
        let caps = Caps { max_answer_bytes: ANSWER_BYTES, ..config.caps };
        let line = Line::build(config, &at, shown)?.capped(caps);
        Ok(Self { line, at })
    }

    /// Its host.
    pub(super) fn host(&self) -> &str {
        self.at.host().unwrap_or_default()
    }

    /// A request to it, by POST. Whoever answers in several forms is to be told which.
    pub(super) fn request(&self, media: HeaderValue, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.at.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, media);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request
    }

    /// What it answers.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Bytes, UpstreamError> {
        let answer = self.line.exchange(request, Form::Whole, None).await.map_err(refusal)?;
        match answer.body {
            AnswerBody::Whole(body) => Ok(body),
            AnswerBody::Events(_) | AnswerBody::Media(_) => Err(UpstreamError::new(Kind::Protocol)),
        }
    }
}

/// What is answered where nothing is given.
#[derive(Deserialize)]
struct Refused {
    error: Why,
}

/// Why not, as OAuth (RFC 6749, 5.2) or Google's APIs have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Why {
    Word(String),
    Status { status: String },
}

/// Why nothing was given: a refusal is our credential's fault, and says nothing of the caller's request.
fn refusal(error: UpstreamError) -> UpstreamError {
    let Kind::Status(refusal) = &error.kind else { return error };
    let why = word(&refusal.body);
    let is_busy = why.as_deref().is_some_and(|why| BUSY.contains(&why));
    match refusal.status.as_u16() {
        408 | 429 | 500.. => UpstreamError::caused(Kind::Connect, "whoever gives tokens has none now"),
        _ if is_busy => UpstreamError::caused(Kind::Connect, "whoever gives tokens has none now"),
        _ => {
            let why = why.unwrap_or_else(|| "no reason".to_owned());
            UpstreamError::caused(Kind::Credential, format!("no token was given: {why}"))
        }
    }
}

/// The word for why: of OAuth, of Google's APIs, or in AWS's XML.
fn word(body: &[u8]) -> Option<String> {
    let told = match serde_json::from_slice(body) {
        Ok(Refused { error: Why::Word(word) | Why::Status { status: word } }) => word,
        Err(_) => {
            let text = std::str::from_utf8(body).ok()?;
            text.split_once("<Code>")?.1.split_once("</Code>")?.0.to_owned()
        }
    };
    let fits = told.len() <= WORD && told.bytes().all(|b| b == b'_' || b.is_ascii_alphabetic());
    (fits && !told.is_empty()).then_some(told)
}

/// An answer that has not what was asked for.
pub(super) fn nothing_given() -> UpstreamError {
    UpstreamError::caused(Kind::Credential, "the answer has no token")
}

/// Seconds of Unix time.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
