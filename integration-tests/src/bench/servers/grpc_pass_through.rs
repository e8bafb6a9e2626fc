//! The limit of the gRPC door: tonic in front, the same pooled HTTP/1.1 client behind, and nothing in between.
//!
//! A message is never decoded: its bytes go to the mock as a body, and the mock's answer comes back as a message. The gateway
//! calls the same mock over the same wire, so what differs is the governing and the translation.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::raw::Raw;

type Later<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Serves until the parent ends. `upstream` is the `host:port` of the mock.
///
/// # Errors
/// The port cannot be bound, or `upstream` is no authority.
pub(crate) fn main(upstream: &str) -> anyhow::Result<()> {
    let upstream: Uri = format!("http://{upstream}/v1/chat/completions").parse()?;
    super::run(|listener| async move {
        let door = Door { client: super::client(), upstream };
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Ok(Server::builder().add_service(door).serve_with_incoming(incoming).await?)
    })
}

#[derive(Clone)]
struct Door {
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: Uri,
}

impl NamedService for Door {
    const NAME: &'static str = "chancery.inference.v1.Inference";
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Later<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = Method(self.clone());
        Box::pin(async move { Ok(Grpc::new(Raw).unary(method, request).await) })
    }
}

struct Method(Door);

impl UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = Later<tonic::Response<Bytes>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let Door { client, upstream } = self.0.clone();
        Box::pin(async move {
            let mut onward = Request::new(Full::new(request.into_inner()));
            *onward.method_mut() = http::Method::POST;
            *onward.uri_mut() = upstream;
            let answer =
                client.request(onward).await.map_err(|error| Status::unavailable(error.to_string()))?;
            let body =
                answer.into_body().collect().await.map_err(|error| Status::unavailable(error.to_string()))?;
            Ok(tonic::Response::new(body.to_bytes()))
        })
    }
}
