//! Ports: connections in, HTTP/1.1 and HTTP/2 alike, within bounds; drained when told to end.
//!
//! Law: a connection that sends nothing, or ends nothing, costs a bounded amount for a bounded time. A drain lets requests
//! in flight end and takes no new ones on the connections it has.
//! Absent on purpose: any opinion on what a request says.

mod failures;
mod opening;
mod stalled;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::drain::Cuts;
use failures::Failures;
use opening::Opening;
use stalled::Stalled;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A port to serve.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Connections open at the same time; further ones wait to be accepted.
    pub(crate) connections: usize,
    /// How long a connection may take to send a request's headers.
    pub(crate) headers: Duration,
    /// How long a connection may take nothing of what is written to it.
    pub(crate) stalled: Duration,
    /// Ends the accepting, and asks connections to end.
    pub(crate) drain: CancellationToken,
    /// Cuts the connections that have not.
    pub(crate) cut: Arc<Cuts>,
    /// Knows the connections.
    pub(crate) open: TaskTracker,
}

/// How long a peer is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    opening: Duration,
    stalled: Duration,
}

/// Binds a port; the address says which where 0 was asked for.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves a port until its drain.
pub(crate) async fn serve<S, B>(port: Port, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let places = Arc::new(Semaphore::new(port.connections));
    let builder = Arc::new(protocol(port.headers));
    let patience = Patience { opening: port.headers, stalled: port.stalled };
    let tls = port.tls.map(TlsAcceptor::from);
    let mut failures = Failures::default();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((port.listener.accept().await?.0, place))
        };
        let accepted = tokio::select! {
            () = port.drain.cancelled() => return,
            accepted = accepted => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                failures.note(&error).await;
                continue;
            }
        };
        let (builder, service, tls) = (builder.clone(), service.clone(), tls.clone());
        let (drain, cut) = (port.drain.clone(), port.cut.current());
        port.open.spawn(async move {
            // What a cut drops, ends as if its caller had gone: with a record and a settlement.
            let served = connection((stream, tls, patience), &builder, service, drain);
            cut.run_until_cancelled(served).await;
            drop(place);
        });
    }
}

async fn connection<S, B>(
    (stream, tls, patience): (TcpStream, Option<TlsAcceptor>, Patience),
    builder: &Builder<TokioExecutor>,
    service: S,
    drain: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _ = stream.set_nodelay(true);
    let stream = Stalled::within(patience.stalled, stream);
    match tls {
        None => converse(Opening::within(patience.opening, stream), builder, service, drain).await,
        Some(acceptor) => {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
                return;
            };
            converse(Opening::within(patience.opening, stream), builder, service, drain).await;
        }
    }
}

async fn converse<T, S, B>(stream: T, builder: &Builder<TokioExecutor>, service: S, drain: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = hyper_util::service::TowerToHyperService::new(service);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = drain.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// Every bound of both protocols, set on purpose (RFC 9113; CVE-2023-44487 and its kin).
fn protocol(headers: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_send_buf_size(64 * 1024)
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024);
    builder
}

#[cfg(test)]
mod tests;
