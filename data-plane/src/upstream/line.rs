//! The way to one HTTP vendor: a connection pool of its own, and the rules every exchange on it obeys.
//!
//! Law: redirects are not followed, encodings other than identity are refused, a status other than 2xx is an error, and
//! only allow-listed headers pass. Deliberately absent: paths, credentials' place in a request and bodies (the vendors').

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
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
};

/// Idle connections are closed before vendors' own 60 s limits do it under our hands.
const POOL_IDLE: Duration = Duration::from_secs(55);
/// Idle connections kept for one endpoint.
const POOL_SIZE: usize = 256;
/// HTTP/2 receive windows: what one stream, and one connection, may send ahead of its reader.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// HTTP/2: a connection on which a ping stays unanswered this long is dead.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The most a response head may weigh, in bytes (HTTP/1.1: with the read buffer behind it).
const HEAD_BYTES: usize = 64 * 1024;

/// One endpoint's way out.
pub(crate) struct Line {
    client: Client<Connector, Full<Bytes>>,
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
    /// The pool and the rules for an endpoint; `credential` is looked for in what comes back.
    pub(crate) fn build(config: &EndpointConfig, credential: Option<Arc<Secret>>) -> Result<Self, Fault> {
        let tls = tls::client(config.extra_roots.as_deref())?;
        let connector = Connector::new(config.addresses.clone(), tls, config.timeouts.connect);
        Ok(Self::with_connector(connector, config, credential))
    }

    fn with_connector(
        connector: Connector,
        config: &EndpointConfig,
        credential: Option<Arc<Secret>>,
    ) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .http1_max_buf_size(HEAD_BYTES)
            .http2_initial_stream_window_size(H2_STREAM_WINDOW)
            .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
            .http2_max_send_buf_size(HEAD_BYTES)
            .http2_max_header_list_size(16 * 1024)
            .http2_keep_alive_interval(H2_PING_EVERY)
            .http2_keep_alive_timeout(H2_PING_TIMEOUT)
            .build(connector);
        Self { client, timeouts: config.timeouts, caps: config.caps, credential }
    }

    /// One exchange. Dropping the future, or the events it gives, cancels it.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        form: Form,
        deadline: Option<Instant>,
    ) -> Result<Answer, UpstreamError> {
        let mut timer = Timer::start(&self.timeouts, deadline);
        let response = timer.watch(self.client.request(request)).await;
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
        Ok(Answer { status: head.status, headers, body })
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
