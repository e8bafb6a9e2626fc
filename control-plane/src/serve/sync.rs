//! The sync port: whose certificates it takes, which it shows, and how much it bears from strangers.
//!
//! Law: it lets in who shows no certificate, because a machine that is to be enrolled has none, and takes none that is wrong;
//! what may be done without one is for the services to say. It shows its authority's certificate with its own, so that a
//! token that names that one is enough to know it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use zeroize::Zeroizing;

use super::accept;
use crate::ca::{Authority, LEAF_VALIDITY};
use crate::config::SyncConfig;
use crate::enrolment::{self, Issuer};

/// How long a peer may take to shake hands, and to answer that it is still there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls of one connection at the same time: a node has its stream, and at times a renewal.
const CALLS: u32 = 16;

/// The port's certificates.
pub(super) struct Tls {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key_pem: Zeroizing<String>,
    trusted_pem: String,
}

impl Tls {
    /// As it is configured, or as the built-in authority issues it.
    pub(super) fn of(config: &SyncConfig, authority: &Authority) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))
        };
        let mut trusted_pem =
            if config.own_authority { authority.certificate_pem().to_owned() } else { String::new() };
        if let Some(path) = &config.client_ca {
            let others = read(path)?;
            certificates(&others, path)?;
            trusted_pem.push_str(&others);
        }
        let (chain_pem, key_pem) = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => (read(certificate)?, Zeroizing::new(read(key)?)),
            _ => {
                let issued = authority.issue_server(&config.hosts, LEAF_VALIDITY)?;
                (format!("{}{}", issued.certificate_pem, authority.certificate_pem()), issued.key_pem)
            }
        };
        let shown = config.tls_certificate.as_deref().unwrap_or(Path::new("sync"));
        Ok(Self { chain: certificates(&chain_pem, shown)?, chain_pem, key_pem, trusted_pem })
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

    /// The server, which asks its peers whether they are still there.
    pub(super) fn server(&self) -> anyhow::Result<Server> {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.chain_pem, self.key_pem.as_bytes()))
            .client_ca_root(Certificate::from_pem(&self.trusted_pem))
            .client_auth_optional(true)
            .timeout(PATIENCE);
        Ok(Server::builder()
            .tls_config(tls)?
            .max_concurrent_streams(CALLS)
            .http2_max_header_list_size(16 << 10)
            .http2_max_pending_accept_reset_streams(Some(20))
            .http2_max_local_error_reset_streams(Some(64))
            .http2_keepalive_interval(Some(PATIENCE))
            .http2_keepalive_timeout(Some(PATIENCE)))
    }
}

/// Serves the port until `stop`.
pub(super) async fn serve(server: Router, listener: TcpListener, stop: CancellationToken) {
    let incoming = accept::incoming(listener);
    if let Err(error) = server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await {
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
