//! Who connects to the sync port: nodes, for as long as they like, and strangers, a few at a time and not for long.
//!
//! Law: a peer that is slow to shake hands holds up nobody. A stranger is who showed no certificate; however many come, nodes get
//! in. Absent on purpose: what either may ask for, which the services say.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};

use super::accept;

/// How much strangers get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long a handshake may take.
    pub(super) handshake: Duration,
    /// Handshakes at the same time; further connections wait.
    pub(super) handshakes: usize,
    /// Strangers at the same time; further ones are closed.
    pub(super) strangers: usize,
    /// How long a stranger may stay.
    pub(super) stay: Duration,
}

/// A connection after its handshake.
pub(super) struct Peer {
    stream: TlsStream<TcpStream>,
    /// A stranger's place, and the end of its stay.
    stay: Option<(OwnedSemaphorePermit, Pin<Box<Sleep>>)>,
}

/// Every peer that has shaken hands.
pub(super) fn arriving(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    bounds: Bounds,
) -> impl Stream<Item = Result<Peer, Infallible>> {
    let (arrive, arrived) = mpsc::channel(16);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(tls);
        let strangers = Arc::new(Semaphore::new(bounds.strangers));
        let places = Arc::new(Semaphore::new(bounds.handshakes));
        let mut incoming = std::pin::pin!(accept::incoming(listener));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let stream = tokio::select! {
                () = arrive.closed() => return,
                Some(Ok(stream)) = incoming.next() => stream,
                else => return,
            };
            let (acceptor, strangers, arrive) = (acceptor.clone(), strangers.clone(), arrive.clone());
            tokio::spawn(async move {
                let shaken = tokio::time::timeout(bounds.handshake, acceptor.accept(stream)).await;
                drop(place);
                match shaken {
                    Ok(Ok(stream)) => {
                        if let Some(peer) = Peer::of(stream, &strangers, bounds.stay) {
                            let _ = arrive.send(Ok(peer)).await;
                        }
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                    Err(_) => tracing::debug!("a handshake took too long"),
                }
            });
        }
    });
    ReceiverStream::new(arrived)
}

impl Peer {
    /// A node, or a stranger that there is a place for.
    fn of(stream: TlsStream<TcpStream>, strangers: &Arc<Semaphore>, stay: Duration) -> Option<Self> {
        if stream.get_ref().1.peer_certificates().is_some() {
            return Some(Self { stream, stay: None });
        }
        let Ok(place) = strangers.clone().try_acquire_owned() else {
            tracing::warn!("a peer without a certificate is not let in: there are too many of them");
            return None;
        };
        Some(Self { stream, stay: Some((place, Box::pin(tokio::time::sleep(stay)))) })
    }
}

impl Connected for Peer {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Peer {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some((_, end)) = &mut this.stay
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Peer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::AsyncReadExt as _;
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::ca::{Authority, LEAF_VALIDITY};
    use crate::config::SyncConfig;

    struct Port {
        address: std::net::SocketAddr,
        authority: Arc<Authority>,
        arriving: Pin<Box<dyn Stream<Item = Result<Peer, Infallible>> + Send>>,
        _dir: tempfile::TempDir,
    }

    async fn port(bounds: Bounds) -> Port {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::open_or_create(dir.path()).unwrap());
        let tls = super::super::sync::Tls::of(&SyncConfig::default(), &authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arriving = Box::pin(arriving(listener, tls.config().unwrap(), bounds));
        Port { address, authority, arriving, _dir: dir }
    }

    impl Port {
        async fn connect(&self, node: bool) -> tokio_rustls::client::TlsStream<TcpStream> {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.certificate()).unwrap();
            let config = ClientConfig::builder().with_root_certificates(roots);
            let config = if node {
                let (geo, name) = ("eu".parse().unwrap(), "a".parse().unwrap());
                let issued = self.authority.issue_node(&geo, &name, LEAF_VALIDITY).unwrap();
                let leaf = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![leaf], key).unwrap()
            } else {
                config.with_no_client_auth()
            };
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
        }

        async fn arrived(&mut self) -> Peer {
            let next = tokio::time::timeout(Duration::from_secs(20), self.arriving.next());
            next.await.expect("it comes soon").unwrap().unwrap()
        }
    }

    const BOUNDS: Bounds = Bounds {
        handshake: Duration::from_secs(20),
        handshakes: 2,
        strangers: 1,
        stay: Duration::from_secs(20),
    };

    #[tokio::test]
    async fn case_56_strangers_are_few_and_nodes_get_in_beside_them() {
        let mut port = port(BOUNDS).await;
        let _first = port.connect(false).await;
        let stranger = port.arrived().await;
        assert!(stranger.connect_info().peer_certs().is_none());
        let mut second = port.connect(false).await;
        let mut rest = Vec::new();
        // Closed without a word: of TLS it is the end, or a broken connection.
        let closed = tokio::time::timeout(Duration::from_secs(20), second.read_to_end(&mut rest)).await;
        assert_eq!(closed.expect("it is closed").unwrap_or_default(), 0);
        let _node = port.connect(true).await;
        assert_eq!(port.arrived().await.connect_info().peer_certs().unwrap().len(), 1);
        drop(stranger);
        let _third = port.connect(false).await;
        assert!(port.arrived().await.connect_info().peer_certs().is_none());
    }

    #[tokio::test]
    async fn case_56_a_stranger_does_not_stay_and_a_slow_handshake_holds_up_nobody() {
        let short = Duration::from_millis(50);
        let mut port = port(Bounds { stay: short, handshake: short * 20, ..BOUNDS }).await;
        let _silent = [TcpStream::connect(port.address).await, TcpStream::connect(port.address).await];
        let _stranger = port.connect(false).await;
        let mut stranger = port.arrived().await;
        let ended = stranger.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        let _node = port.connect(true).await;
        let mut node = port.arrived().await;
        let waited = tokio::time::timeout(short * 4, node.read(&mut [0; 1])).await;
        assert!(waited.is_err(), "a node stays: {waited:?}");
    }
}
