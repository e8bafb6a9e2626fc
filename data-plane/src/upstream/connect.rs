//! Opening one connection to a vendor: resolve, check, dial, prove.
//!
//! Law: every address is checked at the moment it is dialled, so a name that changes its mind gains nothing; refused
//! addresses are skipped, and when none is left nothing is dialled. Deliberately absent: proxies, redirects, caching of
//! name answers (each new connection asks again, so that changes are followed).

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Scheme};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::{address::AddressPolicy, link::Link, target::bare_host};

/// Dials one endpoint; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Rules>);

struct Rules {
    policy: AddressPolicy,
    tls: Arc<ClientConfig>,
    within: Duration,
    names: Names,
    /// The addresses dialled, and how many answers running each has been missing from; `None`: nobody asks for them again.
    dialled: Option<Mutex<HashMap<SocketAddr, u32>>>,
}

/// An address in use that was missing from so many answers running has left its name; one answer may be a part only.
const MISSING: u32 = 2;

/// Where addresses come from.
pub(crate) enum Names {
    /// The host's resolver.
    System,
    /// A table that hands out one answer after another.
    #[cfg(test)]
    Table(std::sync::Mutex<std::collections::VecDeque<Vec<SocketAddr>>>),
}

/// Why no connection came about; the request was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconnected {
    /// The name did not resolve.
    #[error("resolving the name failed")]
    Resolve(#[source] io::Error),
    /// Every address is outside the policy; the first of them, for the operator.
    #[error("the address policy refuses {0:?}")]
    Refused(Option<IpAddr>),
    /// Nobody listens, or the network does not lead there.
    #[error("dialling failed")]
    Dial(#[source] io::Error),
    /// The peer did not prove its identity.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// It took too long.
    #[error("connecting took too long")]
    Timeout,
}

impl Connector {
    /// A connector that obeys `policy` and is done or gone `within` a time.
    pub(crate) fn new(policy: AddressPolicy, tls: Arc<ClientConfig>, within: Duration) -> Self {
        Self::with_names(policy, tls, within, Names::System)
    }

    /// The same for whoever keeps no connection, and dials wherever it is told to: it remembers no address.
    pub(crate) fn forgetful(policy: AddressPolicy, tls: Arc<ClientConfig>, within: Duration) -> Self {
        Self(Arc::new(Rules { policy, tls, within, names: Names::System, dialled: None }))
    }

    /// The same with the source of addresses named.
    pub(crate) fn with_names(
        policy: AddressPolicy,
        tls: Arc<ClientConfig>,
        within: Duration,
        names: Names,
    ) -> Self {
        Self(Arc::new(Rules { policy, tls, within, names, dialled: Some(Mutex::default()) }))
    }

    /// Whether the host of `uri` is a name, which may move, and not an address.
    pub(crate) fn needs_resolving(uri: &Uri) -> bool {
        bare_host(uri.host().unwrap_or_default()).parse::<IpAddr>().is_err()
    }

    /// Asks for the host of `uri` again: whether an address that was dialled has left it. What has moved is then
    /// forgotten, so that it is told once. A failing resolver says nothing.
    pub(crate) async fn has_moved(&self, uri: &Uri) -> bool {
        let (host, port) = (bare_host(uri.host().unwrap_or_default()), port(uri));
        let Some(dialled) = &self.0.dialled else { return false };
        let Ok(answer) = self.0.resolve(host, port).await else { return false };
        let mut dialled = dialled.lock();
        for (address, missing) in dialled.iter_mut() {
            *missing = if answer.contains(address) { 0 } else { missing.saturating_add(1) };
        }
        let before = dialled.len();
        dialled.retain(|_, missing| *missing < MISSING);
        dialled.len() < before
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = Unconnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unconnected>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let opened = timeout(rules.within, rules.open(&uri)).await;
            opened.unwrap_or(Err(Unconnected::Timeout)).map(TokioIo::new)
        })
    }
}

impl Rules {
    async fn open(&self, uri: &Uri) -> Result<Link, Unconnected> {
        let host = bare_host(uri.host().unwrap_or_default());
        let secure = uri.scheme() != Some(&Scheme::HTTP);
        let addresses = self.resolve(host, port(uri)).await?;
        let stream = self.dial(&addresses).await?;
        if !secure {
            return Ok(Link::plain(stream));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Unconnected::Resolve(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        tls.map(Link::secure).map_err(Unconnected::Tls)
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unconnected> {
        match &self.names {
            Names::System => Ok(lookup_host((host, port)).await.map_err(Unconnected::Resolve)?.collect()),
            #[cfg(test)]
            Names::Table(table) => Ok(table.lock().unwrap().pop_front().unwrap_or_default()),
        }
    }

    /// Dials the permitted addresses one after another; each gets its share of the time that is left.
    async fn dial(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Unconnected> {
        let end = Instant::now() + self.within;
        let permitted = || addresses.iter().filter(|address| self.policy.permits(address.ip()));
        let mut left = u32::try_from(permitted().count()).unwrap_or(u32::MAX);
        let mut failure = Unconnected::Refused(addresses.first().map(SocketAddr::ip));
        for address in permitted() {
            let now = Instant::now();
            let share = end.saturating_duration_since(now) / left.max(1);
            left = left.saturating_sub(1);
            match timeout_at(now + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(Unconnected::Dial)?;
                    if let Some(dialled) = &self.dialled {
                        dialled.lock().insert(*address, 0);
                    }
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Unconnected::Dial(error),
                Err(_) => failure = Unconnected::Timeout,
            }
        }
        Err(failure)
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 })
}

#[cfg(test)]
mod tests;
