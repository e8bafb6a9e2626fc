//! The accept loop of the admin and ops ports: HTTP/1.1 and HTTP/2 on one port, with TLS where it is configured.
//!
//! Law: a connection that can't be accepted ends no port. A peer that is slow to shake hands or to send its headers holds up nobody; on stopping, what runs may end.

mod failures;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::Stream;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::{Connected as _, TcpConnectInfo};
use tower::ServiceExt as _;

use super::opening::Opening;
use failures::Failures;

/// How long a TLS handshake, or a request's headers, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A port to be served.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) router: Router,
    pub(super) stop: CancellationToken,
    /// Connections open at the same time; further ones wait to be accepted.
    pub(super) connections: usize,
}

/// Serves a port until it is told to stop; then waits for what runs.
pub(super) async fn serve(port: Port) {
    let Port { listener, tls, router, stop, connections: most } = port;
    let places = Arc::new(Semaphore::new(most));
    let connections = TaskTracker::new();
    let acceptor = tls.map(TlsAcceptor::from);
    let mut failures = Failures::default();
    loop {
        let (stream, place) = tokio::select! {
            () = stop.cancelled() => break,
            Some(accepted) = placed(&places, &listener, &mut failures) => accepted,
            else => break,
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            match acceptor {
                None => {
                    let peer = stream.connect_info();
                    connection(stream, peer, router, stop).await;
                }
                Some(acceptor) => encrypted(stream, &acceptor, router, stop).await,
            }
            drop(place);
        });
    }
    connections.close();
    connections.wait().await;
}

/// Every connection of a port, for a server that has an accept loop of its own and would end at the first failure.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = Result<TcpStream, Infallible>> {
    futures_util::stream::unfold((listener, Failures::default()), async |(listener, mut failures)| {
        let stream = next(&listener, &mut failures).await;
        Some((Ok(stream), (listener, failures)))
    })
}

/// The next connection that there is a place for, with the place.
async fn placed(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
    failures: &mut Failures,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    Some((next(listener, failures).await, place))
}

/// The next connection, however many can't be accepted before.
async fn next(listener: &TcpListener, failures: &mut Failures) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => failures.note(&error).await,
        }
    }
}

async fn encrypted(stream: TcpStream, acceptor: &TlsAcceptor, router: Router, stop: CancellationToken) {
    let peer = stream.connect_info();
    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, router, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn connection<S>(stream: S, peer: TcpConnectInfo, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 << 10)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(PATIENCE);
    let stream = TokioIo::new(Opening::within(PATIENCE, stream));
    let known = router.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request
    });
    let serving = builder.serve_connection(stream, TowerToHyperService::new(known));
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}
