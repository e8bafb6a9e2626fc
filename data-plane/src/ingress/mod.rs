//! The doors: every dialect makes the same request of the pipeline and renders the same reply.
//!
//! Law: nothing is decided here; a door reads a form, calls, and writes a form. What has no opinion (panics)
//! is in `layers`. Deliberately absent: policy.

mod anthropic;
mod body;
mod catalogue;
mod foreign;
mod framing;
mod gemini;
mod grpc;
mod headers;
mod intake;
mod layers;
mod openai;
mod spoken;
mod standing;
mod untaken;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::dialect::foreign::Foreign;
use crate::error::Rejection;
use crate::node::Node;
use body::DoorBody;
use layers::Panicked;
use proto::code::ErrorCode;
use untaken::{Outgoing, Untaken};

/// How long a body may take to come in, whatever the door.
const INTAKE: Duration = Duration::from_secs(60);

/// All doors of a port. A request without a place is refused at once, never queued.
pub(crate) fn service(
    node: Arc<Node>,
    health: &HealthReporter,
) -> impl Service<Request<Incoming>, Response = Response<Outgoing>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ use<> {
    let untaken = Untaken::within(node.bounds.stalled);
    let doors = Arc::new(Doors { grpc: grpc::routes(&node, health), node, untaken });
    tower::service_fn(move |request| {
        let doors = doors.clone();
        async move { Ok(doors.answer(request).await) }
    })
}

struct Doors {
    node: Arc<Node>,
    grpc: grpc::Routes,
    untaken: Arc<Untaken>,
}

impl Doors {
    async fn answer(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let multiplexed = request.version() == Version::HTTP_2;
        let spoken = Spoken::of(&request);
        let mut response = self.let_in(request, spoken).await;
        headers::complete(&self.node, response.headers_mut());
        if spoken == Spoken::Foreign(Foreign::Anthropic) {
            foreign::name(response.headers_mut());
        }
        response.map(|body| match multiplexed {
            true => Outgoing::Watched(self.untaken.watch(body)),
            false => Outgoing::Direct(body),
        })
    }

    async fn let_in(&self, request: Request<Incoming>, spoken: Spoken) -> Response<DoorBody> {
        if let Some(doubt) = framing::doubt(&request) {
            return openai::misframed(doubt);
        }
        let Some(place) = self.node.place() else {
            let line = "this node serves as many requests as it may";
            return spoken.refuse(&Rejection::new(ErrorCode::Overloaded, line));
        };
        // Looked at once it has a place: either it is refused here, or the drain waits for it.
        if self.node.drains.stands() && (spoken != Spoken::Grpc || grpc::infers(&request)) {
            return spoken.refuse(&Rejection::draining());
        }
        // A request's state is some kilobytes: boxed once here, it is not moved again by every layer that wraps it.
        let node = &self.node;
        let answered = match spoken {
            Spoken::Grpc => layers::contain(Box::pin(self.grpc.answer(request))).await,
            Spoken::OpenAi => layers::contain(Box::pin(openai::answer(node, request))).await,
            Spoken::Foreign(Foreign::Anthropic) => {
                layers::contain(Box::pin(anthropic::answer(node, request))).await
            }
            Spoken::Foreign(Foreign::Gemini) => {
                layers::contain(Box::pin(gemini::answer(node, request))).await
            }
        };
        let response = answered.unwrap_or_else(|Panicked| spoken.refuse(&Rejection::defect()));
        response.map(|body| body.holding(place))
    }
}

/// What a request is spoken in, as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Grpc,
    OpenAi,
    Foreign(Foreign),
}

impl Spoken {
    fn of(request: &Request<Incoming>) -> Self {
        let path = request.uri().path();
        if is_grpc(request) {
            Self::Grpc
        } else if anthropic::is_spoken(path, request.headers()) {
            Self::Foreign(Foreign::Anthropic)
        } else if gemini::is_spoken(path, request.headers()) {
            Self::Foreign(Foreign::Gemini)
        } else {
            Self::OpenAi
        }
    }

    /// A refusal before anything was read.
    fn refuse(self, rejection: &Rejection) -> Response<DoorBody> {
        match self {
            Self::Grpc => grpc::refused(rejection),
            Self::OpenAi => openai::plain(rejection),
            Self::Foreign(dialect) => foreign::plain(dialect, rejection),
        }
    }
}

/// A segment of a path, decoded (RFC 3986, 2.1); `None` where that gives no text.
fn percent_decoded(segment: &str) -> Option<String> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(bytes.next())? << 4 | digit(bytes.next())?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests;
