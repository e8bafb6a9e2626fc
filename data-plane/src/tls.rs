//! The node's certificates: who it is towards the control plane, and the inference port's own TLS.
//!
//! Law: where the node is and what it is called stands in its certificate; no configuration can say otherwise.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use policy_engine::vocabulary::{Geo, Name};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::config::{Control, Listen};
use crate::validity::{End, not_after};

/// The trust domain of node certificates.
const PREFIX: &str = "spiffe://chancery/geo/";

/// Who a node is.
#[derive(Debug, Clone)]
pub(crate) struct NodeIdentity {
    /// Where it runs.
    pub(crate) geo: Geo,
    /// The whole SPIFFE id.
    pub(crate) spiffe_id: String,
    /// When its certificate ends, in seconds since the Unix epoch; `None` where that can't be read.
    pub(crate) end: Option<i64>,
}

/// Reads the node's identity and prepares the way to the control plane.
pub(crate) fn control(config: &Control) -> anyhow::Result<(NodeIdentity, Endpoint)> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("`{}` can't be read", path.display()));
    let (ca, certificate, key) = (read(&config.ca)?, read(&config.certificate)?, read(&config.key)?);
    let leaf = CertificateDer::from_pem_slice(&certificate)
        .with_context(|| format!("`{}` is not a PEM certificate", config.certificate.display()))?;
    let identity = identity(&leaf)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .identity(Identity::from_pem(certificate, key));
    let endpoint = Endpoint::from_shared(config.url.clone())
        .with_context(|| format!("`{}` is not the URL of a sync port", config.url))?
        .tls_config(tls)?
        .connect_timeout(std::time::Duration::from_secs(5))
        .http2_keep_alive_interval(std::time::Duration::from_secs(10))
        .keep_alive_timeout(std::time::Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok((identity, endpoint))
}

fn identity(leaf: &CertificateDer<'_>) -> anyhow::Result<NodeIdentity> {
    let certificate =
        webpki::EndEntityCert::try_from(leaf).context("the node's certificate can't be read")?;
    let mut ids = certificate.valid_uri_names().filter(|uri| uri.starts_with("spiffe:"));
    let (Some(id), None) = (ids.next(), ids.next()) else {
        bail!("the node's certificate has not exactly one SPIFFE id");
    };
    let parts: Vec<&str> = id.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
    match parts.as_slice() {
        [geo, "node", name] if Name::new(name).is_ok() => {
            Ok(NodeIdentity { geo: Name::new(geo)?, spiffe_id: id.to_owned(), end: not_after(leaf) })
        }
        _ => bail!("`{id}` is not of the form `{PREFIX}GEO/node/NAME`"),
    }
}

/// When the certificates of a node end, as far as that can be read: its own, and the inference port's.
pub(crate) fn ends(identity: &NodeIdentity, listen: &Listen) -> Vec<End> {
    let port = listen.tls_certificate.as_ref().and_then(|path| CertificateDer::from_pem_file(path).ok());
    let port = port.and_then(|certificate| not_after(&certificate));
    [("node", identity.end), ("inference", port)]
        .into_iter()
        .filter_map(|(what, end)| Some((what, end?)))
        .collect()
}

/// The inference port's TLS; `None` where none is configured.
pub(crate) fn server(config: &Listen) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else {
        if config.tls_certificate.is_some() || config.tls_key.is_some() {
            bail!("`listen.tls_certificate` and `listen.tls_key` are given together or not at all");
        }
        return Ok(None);
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("`{}` is not a PEM certificate chain", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("`{}` is not a PEM private key", key.display()))?;
    let mut tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(tls)))
}
