//! A network that a simulation holds, in the place of sockets. No build that serves has it.

use std::io;
use std::pin::Pin;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// A connection of a simulated network.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

/// Opens connections of a simulated network.
pub type Network = BoxCloneSyncService<Uri, TokioIo<Pin<Box<dyn Connection>>>, io::Error>;

/// A network that opens connections so.
pub fn network<F, C>(open: impl Fn(Uri) -> F + Clone + Send + Sync + 'static) -> Network
where
    F: Future<Output = io::Result<C>> + Send + 'static,
    C: Connection + 'static,
{
    let opened = tower::service_fn(open);
    let boxed = |connection: C| TokioIo::new(Box::pin(connection) as Pin<Box<dyn Connection>>);
    BoxCloneSyncService::new(opened.map_response(boxed))
}
