//! The servers beside the gateway: the mock upstream, and the two proxies that do nothing, which are the limit.
//!
//! Each runs in a process of its own on a runtime of one thread, tells its port in one line, and ends with its parent.

pub(crate) mod grpc_pass_through;
pub(crate) mod mock;
pub(crate) mod pass_through;
mod raw;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// What the line on standard output starts with that tells where a server listens.
pub(crate) const LISTENING: &str = "listening ";

/// Runs a server on one thread until it fails or the parent is gone.
fn run<F: Future<Output = anyhow::Result<()>>>(serve: impl FnOnce(TcpListener) -> F) -> anyhow::Result<()> {
    std::thread::spawn(end_with_parent);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        announce(listener.local_addr()?)?;
        serve(listener).await
    })
}

fn announce(address: SocketAddr) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{LISTENING}{address}")?;
    Ok(out.flush()?)
}

/// The parent holds the other end of standard input and never writes; its end means that the parent has died.
fn end_with_parent() {
    let mut silence = [0_u8; 1];
    while matches!(std::io::stdin().read(&mut silence), Ok(1..)) {}
    std::process::exit(0);
}

/// An HTTP/1.1 accept loop: keep-alive, no Nagle, one task a connection.
async fn http1<S, F, B, E>(listener: TcpListener, service: S) -> anyhow::Result<()>
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // A client that leaves in the middle is the client's business.
            let _gone =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(service)).await;
        });
    }
}

/// The client of both proxies: pooled HTTP/1.1, no Nagle.
fn client<B>() -> Client<HttpConnector, B>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}
