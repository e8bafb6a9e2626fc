//! The upstream of everybody: an OpenAI-like server whose answers are prepared bytes.
//!
//! The name of the model chooses how a stream is written, so that it survives any proxy. It counts what it serves and what it
//! charged for, which is one half of the evidence. It judges nothing and delays nothing but the paced stream.

mod answers;
mod events;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;

use answers::Answers;
pub(crate) use answers::{EVENTS, MODELS, USAGE, Writing};
use events::Events;

/// Where the mock tells how many chat requests it has served, as a bare number.
pub(crate) const SERVED: &str = "/served";

type Answer = Response<Either<Full<Bytes>, Events>>;

struct Mock {
    answers: Answers,
    served: AtomicU64,
}

/// Serves until the parent ends.
///
/// # Errors
/// The port cannot be bound.
pub(crate) fn main() -> anyhow::Result<()> {
    super::run(|listener| async move {
        let mock = Arc::new(Mock { answers: Answers::prepare(), served: AtomicU64::new(0) });
        super::http1(listener, move |request| {
            let mock = Arc::clone(&mock);
            async move { Ok::<_, Infallible>(mock.answer(request).await) }
        })
        .await
    })
}

impl Mock {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/v1/models" => whole("application/json", self.answers.models.clone()),
            SERVED => whole("text/plain", Bytes::from(self.served.load(Ordering::Relaxed).to_string())),
            _ => match request.into_body().collect().await {
                Ok(body) => {
                    self.served.fetch_add(1, Ordering::Relaxed);
                    self.chat(&body.to_bytes())
                }
                Err(_) => whole("text/plain", Bytes::from_static(b"the body was cut")),
            },
        }
    }

    fn chat(&self, body: &[u8]) -> Answer {
        match Writing::asked_by(body) {
            None => whole("application/json", self.answers.unary.clone()),
            Some(writing) => {
                let body = Events::new(self.answers.stream(writing), writing);
                typed("text/event-stream", Either::Right(body))
            }
        }
    }
}

fn whole(content_type: &'static str, body: Bytes) -> Answer {
    typed(content_type, Either::Left(Full::new(body)))
}

fn typed(content_type: &'static str, body: Either<Full<Bytes>, Events>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
