//! The doors: every dialect makes the same request of the pipeline and renders the same reply.
//!
//! Law: nothing is decided here; a door reads a form, calls, and writes a form. What has no opinion (panics)
//! is in `layers`. Deliberately absent: policy.

mod body;
mod catalogue;
mod framing;
mod grpc;
mod headers;
mod layers;
mod openai;
mod standing;
mod untaken;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::node::Node;
use body::DoorBody;
use untaken::{Outgoing, Untaken};

/// How long a body may take to come in, whatever the door.
const INTAKE: Duration = Duration::from_secs(60);

/// Both doors of a port. A request without a place is refused at once, never queued.
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
        let mut response = self.let_in(request).await;
        headers::complete(&self.node, response.headers_mut());
        response.map(|body| match multiplexed {
            true => Outgoing::Watched(self.untaken.watch(body)),
            false => Outgoing::Direct(body),
        })
    }

    async fn let_in(&self, request: Request<Incoming>) -> Response<DoorBody> {
        if let Some(doubt) = framing::doubt(&request) {
            return openai::misframed(doubt);
        }
        let grpc = is_grpc(&request);
        let Some(place) = self.node.place() else {
            return if grpc { grpc::overloaded() } else { openai::overloaded() };
        };
        // Looked at once it has a place: either it is refused here, or the drain waits for it.
        if self.node.drains.stands() && (!grpc || grpc::infers(&request)) {
            return if grpc { grpc::draining() } else { openai::draining() };
        }
        // A request's state is some kilobytes: boxed once here, it is not moved again by every layer that wraps it.
        let response = if grpc {
            layers::contain(Box::pin(self.grpc.answer(request))).await.unwrap_or_else(grpc::failed)
        } else {
            layers::contain(Box::pin(openai::answer(&self.node, request)))
                .await
                .unwrap_or_else(openai::failed)
        };
        response.map(|body| body.holding(place))
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests;
