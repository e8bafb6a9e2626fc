//! The way to one HTTP vendor: a connection pool of its own, and the rules every exchange on it obeys.
//!
//! Law: redirects are not followed, encodings other than identity are refused, a status other than 2xx is an error, and
//! only allow-listed headers pass. Deliberately absent: paths, which header a credential stands in, and bodies (the vendors').

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    call::{Answer, AnswerBody, Call, KEPT_HEADERS},
    config::{Caps, EndpointConfig, Fault, Timeouts},
    connect::Connector,
    echo::{Echo, Heard},
    error::{Kind, REFUSAL_BODY, Refusal, UpstreamError},
    events::EventStream,
    failure,
    reader::{Reader, timed_out},
    retry_after::retry_after,
    secret::Secret,
    timer::Timer,
    tls,
    way::{Spoken, Way},
};

/// One endpoint's way out.
pub(crate) struct Line {
    way: Way,
    timeouts: Timeouts,
    caps: Caps,
    credential: Option<Arc<Secret>>,
}

/// What the request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Events,
    /// Lines, each a JSON value; whatever media type they are called.
    Lines,
    /// Sound, or whatever else is no text.
    Media,
    /// Frames of an AWS event stream.
    Frames,
}

/// The media type of an AWS event stream.
const FRAMES: &str = "application/vnd.amazon.eventstream";

/// What AWS calls an error, which is the cause of its refusals.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ErrorType(pub(super) String);

/// The header in which it stands.
const ERROR_TYPE: &str = "x-amzn-errortype";
/// The headers in which a request tells our id of it, and its trace.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A credential as a bearer's token (RFC 6750).
pub(super) fn bearer(secret: &Secret) -> (HeaderName, Zeroizing<String>) {
    (header::AUTHORIZATION, Zeroizing::new(format!("Bearer {}", secret.reveal())))
}

/// The headers of every request to an endpoint, the credential among them, by the header in which its vendor looks for that.
pub(super) fn headers(credential: Option<(HeaderName, Zeroizing<String>)>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("chancery/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some((name, secret)) = credential {
        let mut value = HeaderValue::from_str(&secret).map_err(|_| Fault::Credential)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The request of a call: its body, to a place, with what every request there tells.
pub(super) fn post(call: Call, (to, form): (Uri, Form), headers: &HeaderMap) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(call.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = to;
    let mut headers = headers.clone();
    let accept = match form {
        Form::Events => "text/event-stream",
        Form::Whole => "application/json",
        Form::Lines => "application/x-ndjson",
        Form::Media => "*/*",
        Form::Frames => FRAMES,
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(REQUEST_ID, call.request_id);
    if let Some(traceparent) = call.traceparent {
        headers.insert(TRACEPARENT, traceparent);
    }
    *request.headers_mut() = headers;
    request
}

impl Line {
    /// The pool and the rules for an endpoint at `base`; `credential` is looked for in what comes back.
    pub(crate) fn build(
        config: &EndpointConfig,
        base: &Uri,
        credential: Option<Arc<Secret>>,
    ) -> Result<Self, Fault> {
        Self::speaking(config, (base, Spoken::Any), credential)
    }

    /// The same, where it matters which HTTP is spoken.
    pub(super) fn speaking(
        config: &EndpointConfig,
        (base, spoken): (&Uri, Spoken),
        credential: Option<Arc<Secret>>,
    ) -> Result<Self, Fault> {
        let tls = match spoken {
            Spoken::Any => tls::client(config.extra_roots.as_deref())?,
            Spoken::Http2 => tls::http2(config.extra_roots.as_deref())?,
        };
        let connector = Connector::new(config.addresses.clone(), tls, config.timeouts.connect);
        let way = Way::new(connector, base, spoken);
        Ok(Self { way, timeouts: config.timeouts, caps: config.caps, credential })
    }

    /// The same line with other caps.
    pub(crate) fn capped(self, caps: Caps) -> Self {
        Self { caps, ..self }
    }

    /// One exchange. Dropping the future, or the events it gives, cancels it.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        form: Form,
        deadline: Option<Instant>,
    ) -> Result<Answer, UpstreamError> {
        self.exchange_watching(request, (form, deadline), &self.credential).await
    }

    /// The same, with what this request alone shows looked for in what comes back.
    pub(crate) async fn exchange_watching(
        &self,
        request: Request<Full<Bytes>>,
        (form, deadline): (Form, Option<Instant>),
        watched: &Option<Arc<Secret>>,
    ) -> Result<Answer, UpstreamError> {
        let (response, timer) = self.response(request, deadline, watched).await?;
        self.answer(response, (form, timer), watched).await
    }

    /// A call whose answer is read by who asks: its head, and its body under the clock and the cap of every other.
    pub(super) async fn open(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Option<Instant>,
        watched: &Option<Arc<Secret>>,
    ) -> Result<Response<Reader>, UpstreamError> {
        let (response, timer) = self.response(request, deadline, watched).await?;
        let cap = self.caps.max_answer_bytes;
        Ok(response.map(|body| Reader::new(body, timer, cap, Echo::of(watched))))
    }

    async fn response(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Option<Instant>,
        watched: &Option<Arc<Secret>>,
    ) -> Result<(Response<Incoming>, Timer), UpstreamError> {
        let mut timer = Timer::start(&self.timeouts, deadline);
        let response = timer.watch(self.way.pool(timer.started()).request(request)).await;
        let response = response.map_err(timed_out)?.map_err(failure::of_call)?;
        if !response.status().is_success() {
            return Err(refusal(response, timer, watched).await);
        }
        Ok((response, timer))
    }

    async fn answer(
        &self,
        response: Response<Incoming>,
        (form, timer): (Form, Timer),
        watched: &Option<Arc<Secret>>,
    ) -> Result<Answer, UpstreamError> {
        let (head, body) = response.into_parts();
        if is_encoded(&head.headers) {
            return Err(UpstreamError::caused(Kind::Protocol, "an encoding nobody asked for"));
        }
        let events = match form {
            Form::Frames => is_of(&head.headers, FRAMES),
            Form::Lines => true,
            Form::Whole | Form::Events | Form::Media => is_of(&head.headers, "text/event-stream"),
        };
        if events && !matches!(form, Form::Events | Form::Lines | Form::Frames) {
            return Err(UpstreamError::caused(Kind::Protocol, "events that nobody asked for"));
        }
        let length = usize::try_from(content_length(&head.headers)).unwrap_or(usize::MAX);
        if length > self.caps.max_answer_bytes {
            return Err(UpstreamError::new(Kind::TooLarge));
        }
        let headers = kept(&head.headers, watched);
        let reader = Reader::new(body, timer, self.caps.max_answer_bytes, Echo::of(watched));
        let body = if events {
            AnswerBody::Events(EventStream::wire(reader))
        } else if form == Form::Media {
            AnswerBody::Media(EventStream::wire(reader))
        } else {
            AnswerBody::Whole(reader.whole(length).await?)
        };
        Ok(Answer { headers, body, left_out: Vec::new() })
    }
}

async fn refusal(response: Response<Incoming>, timer: Timer, watched: &Option<Arc<Secret>>) -> UpstreamError {
    let (head, body) = response.into_parts();
    let retry_after = retry_after(&head.headers);
    let body = if is_encoded(&head.headers) {
        Bytes::new()
    } else {
        Reader::new(body, timer, REFUSAL_BODY, None).prefix().await
    };
    let body = match Echo::of(watched) {
        Some(echo) => echo.mask(body),
        None => body,
    };
    let kind = Kind::Status(Box::new(Refusal { status: head.status, retry_after, body }));
    match error_type(&head.headers, watched) {
        Some(cause) => UpstreamError::caused(kind, cause),
        None => UpstreamError::new(kind),
    }
}

/// The name of an error of AWS's, without what may stand around it (`com.amazon#NAME:http://...`).
fn error_type(headers: &HeaderMap, watched: &Option<Arc<Secret>>) -> Option<ErrorType> {
    let value = headers.get(ERROR_TYPE)?;
    let heard = Echo::of(watched).map(|mut echo| echo.hear(value.as_bytes()));
    let name = value.to_str().ok()?.split(':').next()?.rsplit('#').next()?.trim();
    let is_name = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && heard != Some(Heard::Credential)).then(|| ErrorType(name.to_owned()))
}

/// Those of an answer's headers that reach the pipeline.
pub(super) fn kept(headers: &HeaderMap, watched: &Option<Arc<Secret>>) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(4);
    // Vendors send few headers, so that it is cheaper to look at each than for each of ours; of several alike, the first is kept.
    for (name, value) in headers {
        if !KEPT_HEADERS.contains(name) || kept.contains_key(name) {
            continue;
        }
        let heard = Echo::of(watched).map(|mut echo| echo.hear(value.as_bytes()));
        if heard != Some(Heard::Credential) {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

/// Whether an answer is written in another encoding than its own.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Whether an answer is of a media type, whatever its parameters.
pub(super) fn is_of(headers: &HeaderMap, media: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().get(..media.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(media.as_bytes()))
}

/// The announced length in bytes, zero where none is announced; the HTTP library has checked its form.
fn content_length(headers: &HeaderMap) -> u64 {
    let value = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
