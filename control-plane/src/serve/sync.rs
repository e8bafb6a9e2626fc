//! The sync port: whose certificates it takes, which it shows, and how much it bears from strangers.
//!
//! Law: it lets in who shows no certificate, because a machine that is to be enrolled has none, and takes none that is wrong;
//! what may be done without one is for the services to say. It shows its authority's certificate with its own, so that a
//! token that names that one is enough to know it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use zeroize::Zeroizing;

use super::peers::{self, Bounds};
use crate::ca::{Authority, LEAF_VALIDITY};
use crate::config::SyncConfig;
use crate::enrolment::{self, Issuer};

/// How long a peer may take to shake hands, and to answer that it is still there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls of one connection at the same time: a node has its stream, and at times a renewal.
const CALLS: u32 = 16;

/// How much strangers get: enough for a rack of machines that are enrolled at once, and time for one to wait its turn.
const BOUNDS: Bounds =
    Bounds { handshake: PATIENCE, handshakes: 4096, strangers: 256, stay: Duration::from_secs(30) };

/// The port's certificates.
pub(super) struct Tls {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// As it is configured, or as the built-in authority issues it.
    pub(super) fn of(config: &SyncConfig, authority: &Authority) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))
        };
        let mut trusted = if config.own_authority { vec![authority.certificate()] } else { Vec::new() };
        if let Some(path) = &config.client_ca {
            trusted.extend(certificates(&read(path)?, path)?);
        }
        let (chain, key) = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => (read(certificate)?, Zeroizing::new(read(key)?)),
            _ => {
                let issued = authority.issue_server(&config.hosts, LEAF_VALIDITY)?;
                (format!("{}{}", issued.certificate_pem, authority.certificate_pem()), issued.key_pem)
            }
        };
        let of = config.tls_certificate.as_deref().unwrap_or(Path::new("sync"));
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .context("`sync.tls_key` does not hold a PEM private key")?;
        Ok(Self { chain: certificates(&chain, of)?, key, trusted })
    }

    /// What nodes are enrolled by.
    pub(super) fn issuer(&self, config: &SyncConfig, authority: &Arc<Authority>, port: u16) -> Issuer {
        let root = self.chain.last().filter(|_| self.chain.len() > 1);
        Issuer {
            authority: authority.clone(),
            certificate: authority.certificate(),
            pin: root.map(|root| enrolment::pin(root)),
            valid: config.node_certificate_valid.0,
            port,
            trusted: config.own_authority,
        }
    }

    /// The port's own certificate.
    pub(super) fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.chain.first().cloned()
    }

    /// The handshake: a certificate is not asked for twice, and a wrong one ends it.
    pub(super) fn config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in &self.trusted {
            roots.add(certificate.clone()).context("an authority of nodes can't be trusted")?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()?;
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .context("the certificate and the key of the sync port do not go together")?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(tls))
    }
}

/// The server, which asks its peers whether they are still there.
pub(super) fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(CALLS)
        .http2_max_header_list_size(16 << 10)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(64))
        .http2_keepalive_interval(Some(PATIENCE))
        .http2_keepalive_timeout(Some(PATIENCE))
}

/// Serves the port until `stop`.
pub(super) async fn serve(
    server: Router,
    (listener, tls): (TcpListener, Arc<ServerConfig>),
    stop: CancellationToken,
) {
    let arriving = peers::arriving(listener, tls, BOUNDS);
    if let Err(error) = server.serve_with_incoming_shutdown(arriving, stop.cancelled_owned()).await {
        tracing::error!(%error, "the sync port ended");
    }
}

/// The certificates of a PEM text, of which there is at least one.
fn certificates(pem: &str, path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.with_context(|| format!("`{}` does not hold PEM certificates", path.display()))?;
    anyhow::ensure!(!all.is_empty(), "`{}` does not hold a PEM certificate", path.display());
    Ok(all)
}
