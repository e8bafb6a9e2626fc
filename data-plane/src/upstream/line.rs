//! The way to one HTTP vendor: a connection pool of its own, and the rules every exchange on it obeys.
//!
//! Law: redirects are not followed, encodings other than identity are refused, a status other than 2xx is an error, and
//! only allow-listed headers pass. Deliberately absent: paths, credentials' place in a request and bodies (the vendors').

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{
    call::{Answer, AnswerBody, KEPT_HEADERS},
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
    way::Way,
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
}

impl Line {
    /// The pool and the rules for an endpoint at `base`; `credential` is looked for in what comes back.
    pub(crate) fn build(
        config: &EndpointConfig,
        base: &Uri,
        credential: Option<Arc<Secret>>,
    ) -> Result<Self, Fault> {
        let tls = tls::client(config.extra_roots.as_deref())?;
        let connector = Connector::new(config.addresses.clone(), tls, config.timeouts.connect);
        let way = Way::new(connector, base);
        Ok(Self { way, timeouts: config.timeouts, caps: config.caps, credential })
    }

    /// One exchange. Dropping the future, or the events it gives, cancels it.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        form: Form,
        deadline: Option<Instant>,
    ) -> Result<Answer, UpstreamError> {
        let mut timer = Timer::start(&self.timeouts, deadline);
        let response = timer.watch(self.way.pool(timer.started()).request(request)).await;
        let response = response.map_err(timed_out)?.map_err(failure::of_call)?;
        if !response.status().is_success() {
            return Err(self.refusal(response, timer).await);
        }
        self.answer(response, form, timer).await
    }

    async fn answer(
        &self,
        response: Response<Incoming>,
        form: Form,
        timer: Timer,
    ) -> Result<Answer, UpstreamError> {
        let (head, body) = response.into_parts();
        if is_encoded(&head.headers) {
            return Err(UpstreamError::caused(Kind::Protocol, "an encoding nobody asked for"));
        }
        let events = is_event_stream(&head.headers);
        if events && form == Form::Whole {
            return Err(UpstreamError::caused(Kind::Protocol, "events where a document was asked for"));
        }
        let length = usize::try_from(content_length(&head.headers)).unwrap_or(usize::MAX);
        if length > self.caps.max_answer_bytes {
            return Err(UpstreamError::new(Kind::TooLarge));
        }
        let headers = self.kept(&head.headers);
        let reader = Reader::new(body, timer, self.caps.max_answer_bytes, Echo::of(&self.credential));
        let body = if events {
            AnswerBody::Events(EventStream::wire(reader))
        } else {
            AnswerBody::Whole(reader.whole(length).await?)
        };
        Ok(Answer { headers, body, left_out: Vec::new() })
    }

    async fn refusal(&self, response: Response<Incoming>, timer: Timer) -> UpstreamError {
        let (head, body) = response.into_parts();
        let retry_after = retry_after(&head.headers);
        let body = if is_encoded(&head.headers) {
            Bytes::new()
        } else {
            Reader::new(body, timer, REFUSAL_BODY, None).prefix().await
        };
        let body = match Echo::of(&self.credential) {
            Some(echo) => echo.mask(body),
            None => body,
        };
        UpstreamError::new(Kind::Status(Box::new(Refusal { status: head.status, retry_after, body })))
    }

    fn kept(&self, headers: &HeaderMap) -> HeaderMap {
        let mut kept = HeaderMap::with_capacity(KEPT_HEADERS.len());
        for name in &KEPT_HEADERS {
            let Some(value) = headers.get(name) else { continue };
            let heard = Echo::of(&self.credential).map(|mut echo| echo.hear(value.as_bytes()));
            if heard != Some(Heard::Credential) {
                kept.insert(name, value.clone());
            }
        }
        kept
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().get(..EVENTS.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}

/// The announced length in bytes, zero where none is announced; the HTTP library has checked its form.
fn content_length(headers: &HeaderMap) -> u64 {
    let value = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
