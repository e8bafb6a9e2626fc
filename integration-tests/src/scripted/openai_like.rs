//! A friendly vendor: OpenAI's API on HTTP/1.1 and, under TLS, HTTP/2.
//!
//! Law: it echoes the last user text unless the story has put answers in its queue; every request and every answer that
//! was given up half-way is told. Deliberately absent: authentication; it records the credential it was sent.

use std::{collections::VecDeque, convert::Infallible, io, net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    canned::{Asked, Canned, Piece},
    echoed,
    identity::{Identity, base_url},
    patience::patiently,
};

/// A running vendor.
pub struct OpenAiLike {
    address: SocketAddr,
    identity: Option<Identity>,
    desk: Arc<Desk>,
    asked: Mutex<mpsc::UnboundedReceiver<Asked>>,
    given_up: Mutex<mpsc::UnboundedReceiver<()>>,
    accepting: JoinHandle<()>,
}

impl OpenAiLike {
    /// On plain HTTP, a free port. Errors if none can be had.
    pub async fn start() -> Result<Self> {
        Self::listen(None).await
    }

    /// Under TLS; with `h2` in the identity's protocols, also HTTP/2.
    pub async fn start_tls(identity: Identity) -> Result<Self> {
        Self::listen(Some(identity)).await
    }

    async fn listen(identity: Option<Identity>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (asks, asked) = mpsc::unbounded_channel();
        let (gives_up, given_up) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk { queue: Mutex::default(), asks, gives_up });
        let acceptor = identity.as_ref().map(|identity| TlsAcceptor::from(Arc::clone(&identity.server)));
        let serving = Arc::clone(&desk);
        let accepting = tokio::spawn(async move {
            // They end with it: who is dropped answers nobody any more.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, acceptor.clone(), Arc::clone(&serving)));
                while connections.try_join_next().is_some() {}
            }
        });
        let (asked, given_up) = (Mutex::new(asked), Mutex::new(given_up));
        Ok(Self { address, identity, desk, asked, given_up, accepting })
    }

    /// The base URL of an endpoint of it.
    pub fn base_url(&self) -> String {
        base_url(self.address, self.identity.as_ref())
    }

    /// The PEM certificate a client must trust, if it speaks TLS.
    pub fn roots(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::root)
    }

    /// Puts an answer at the end of the queue; when the queue is empty, requests are echoed.
    pub async fn answer_next(&self, answer: Canned) {
        self.desk.queue.lock().await.push_back(answer);
    }

    /// The next request it got, in order. Errors when none comes in time.
    pub async fn request(&self) -> Result<Asked> {
        patiently("a request", self.asked.lock().await.recv()).await?.context("the upstream is gone")
    }

    /// Whether it got a request that [`Self::request`] has not given yet.
    pub async fn was_asked(&self) -> bool {
        !self.asked.lock().await.is_empty()
    }

    /// Waits until a client gave up an answer before its end. Errors if that does not happen in time.
    pub async fn given_up(&self) -> Result<()> {
        patiently("a cancellation", self.given_up.lock().await.recv()).await?.context("the upstream is gone")
    }
}

impl Drop for OpenAiLike {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Desk {
    queue: Mutex<VecDeque<Canned>>,
    asks: mpsc::UnboundedSender<Asked>,
    gives_up: mpsc::UnboundedSender<()>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, desk: Arc<Desk>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    // How a connection ended is the client's business; the story asks for what it needs.
    let ended = match acceptor {
        None => builder.serve_connection(TokioIo::new(stream), service).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => return,
        },
    };
    ended.ok();
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let asked = Asked { method: head.method, path, version: head.version, headers: head.headers, body };
        let queued = self.queue.lock().await.pop_front();
        let canned = queued.unwrap_or_else(|| echoed::answer(&asked));
        self.asks.send(asked).ok();
        self.give(canned)
    }

    fn give(&self, canned: Canned) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(play(canned.pieces, sender, self.gives_up.clone()));
        let body = StreamBody::new(ReceiverStream::new(receiver));
        let mut response = Response::new(UnsyncBoxBody::new(body));
        *response.status_mut() = canned.status;
        *response.headers_mut() = canned.headers;
        response
    }
}

async fn play(
    pieces: Vec<Piece>,
    sender: mpsc::Sender<io::Result<Frame<Bytes>>>,
    gives_up: mpsc::UnboundedSender<()>,
) {
    for piece in pieces {
        let frame = match piece {
            Piece::Bytes(bytes) => Ok(Frame::data(bytes)),
            Piece::Break => Err(io::ErrorKind::ConnectionReset.into()),
            Piece::Wait(gate) => {
                tokio::select! {
                    () = gate.pass() => continue,
                    () = sender.closed() => {
                        gives_up.send(()).ok();
                        return;
                    }
                }
            }
        };
        let broken = frame.is_err();
        if sender.send(frame).await.is_err() {
            gives_up.send(()).ok();
            return;
        }
        if broken {
            return;
        }
    }
}
