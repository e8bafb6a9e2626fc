//! The node's certificates: who it is towards the control plane, and the inference port's own TLS.
//!
//! Law: where the node is and what it is called stands in its certificate; no configuration can say otherwise. The files of a
//! certificate are read again for each connection, so that a new one needs no restart; who the node is never changes by that.

mod theirs;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use parking_lot::Mutex;
use policy_engine::vocabulary::{Geo, Name};
use proto::segment::Signature;
use rustls::crypto::aws_lc_rs::sign;
use rustls::{ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use zeroize::Zeroizing;

use crate::config::Listen;
use crate::freshness::Freshness;
use crate::policy::disk;
use crate::validity::{End, not_after};
use theirs::Theirs;

/// The trust domain of node certificates.
const PREFIX: &str = "spiffe://chancery/geo/";

/// What is told of a peer that is no sync port.
pub(crate) const ELSEWHERE: &str =
    "that is no sync port: `control.url` names the port of `listen.sync`, not that of the admin API";

/// How a handshake fails where the peer answers by something that is no TLS.
const NO_TLS: &str = "InvalidContentType";

/// Why there is no connection, with what to do where the peer speaks no TLS: whoever is a sync port does.
pub(crate) fn hinted(told: String) -> String {
    if told.contains(NO_TLS) { format!("{told} ({ELSEWHERE})") } else { told }
}

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

/// The most of a file that is read, in bytes: far above what certificates and keys take.
const MOST: u64 = 1 << 20;

/// How a node's key may sign segments; see `proto::segment`.
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
];

/// The files by which a node is known, PEM; certificate and key may be one file.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The authorities of the sync port's certificate, and of what is signed.
    pub(crate) ca: PathBuf,
    /// The node's certificate.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// The way to the control plane, by the certificate that is there when it is asked for.
#[derive(Debug)]
pub(crate) struct Way {
    url: String,
    files: Files,
    identity: NodeIdentity,
    last: Mutex<Endpoint>,
    freshness: Arc<Freshness>,
    #[cfg(feature = "simulation")]
    network: Option<crate::network::Network>,
    end: watch::Sender<Option<i64>>,
}

impl Way {
    /// Reads the node's identity and prepares the way to the control plane.
    pub(crate) fn open(url: &str, files: Files, freshness: Arc<Freshness>) -> anyhow::Result<Self> {
        let (identity, endpoint) = known(url, &files, &freshness)?;
        let (end, _) = watch::channel(identity.end);
        Ok(Self {
            url: url.to_owned(),
            files,
            identity,
            last: Mutex::new(endpoint),
            freshness,
            #[cfg(feature = "simulation")]
            network: None,
            end,
        })
    }

    /// The same over a network that is simulated.
    #[cfg(feature = "simulation")]
    pub(crate) fn over(self, network: crate::network::Network) -> Self {
        Self { network: Some(network), ..self }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        let endpoint = self.endpoint();
        #[cfg(feature = "simulation")]
        if let Some(network) = &self.network {
            return endpoint.connect_with_connector(network.clone()).await;
        }
        endpoint.connect().await
    }

    /// Who the node is, for as long as the process lives.
    pub(crate) fn identity(&self) -> &NodeIdentity {
        &self.identity
    }

    /// The sync port.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The authorities, PEM.
    pub(crate) fn authorities(&self) -> anyhow::Result<Vec<u8>> {
        read(&self.files.ca)
    }

    /// Signs with the node's key, as it is now.
    pub(crate) fn sign(&self, message: &[u8]) -> anyhow::Result<Signature> {
        let chain = PemObject::pem_slice_iter(&read(&self.files.certificate)?).collect::<Result<Vec<_>, _>>();
        let chain: Vec<CertificateDer<'static>> = chain.context("the node's certificate can't be read")?;
        let key = PrivateKeyDer::from_pem_slice(&Zeroizing::new(read(&self.files.key)?))
            .context("the node's key can't be read")?;
        let key = sign::any_supported_type(&key)?;
        let signer =
            key.choose_scheme(&SCHEMES).context("the node's key signs by no scheme that is known")?;
        let scheme = signer.scheme();
        let scheme = scheme.as_str().context("the scheme has no name")?;
        Ok(Signature::new(scheme, &signer.sign(message)?, &chain))
    }

    /// Follows when the certificate ends that is shown, in seconds since the Unix epoch.
    pub(crate) fn end(&self) -> watch::Receiver<Option<i64>> {
        self.end.subscribe()
    }

    /// Where to connect, and as whom: by the files as they are now, or as they last were of use.
    pub(crate) fn endpoint(&self) -> Endpoint {
        match known(&self.url, &self.files, &self.freshness) {
            Ok((identity, endpoint)) if identity.spiffe_id == self.identity.spiffe_id => {
                self.end.send_if_modified(|end| std::mem::replace(end, identity.end) != identity.end);
                *self.last.lock() = endpoint;
            }
            Ok((other, _)) => tracing::error!(
                node = self.identity.spiffe_id,
                other = other.spiffe_id,
                "the certificate's file has that of another node, which this is only once it was started again"
            ),
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::error!(reason, "the node's certificate is not read again: the one before is used");
            }
        }
        self.last.lock().clone()
    }
}

fn known(url: &str, files: &Files, freshness: &Arc<Freshness>) -> anyhow::Result<(NodeIdentity, Endpoint)> {
    let (ca, certificate, key) = (read(&files.ca)?, read(&files.certificate)?, read(&files.key)?);
    let leaf = CertificateDer::from_pem_slice(&certificate)
        .with_context(|| format!("`{}` is not a PEM certificate", files.certificate.display()))?;
    let identity = identity(&leaf)?;
    let theirs = Theirs::of(&ca, freshness.clone())
        .with_context(|| format!("`{}` is not of authorities", files.ca.display()))?;
    let tls = ClientTlsConfig::new().identity(Identity::from_pem(certificate, key));
    Ok((identity, endpoint(url)?.tls_config_with_verifier(tls, Arc::new(theirs))?))
}

/// The sync port, without a word on who is trusted there.
pub(crate) fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("`{url}` is not the URL of a sync port"))?
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint)
}

/// What one of the files holds: a file, of a size that such files have.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = disk::read(path, MOST).and_then(|found| found.ok_or(io::ErrorKind::NotFound.into()));
    read.with_context(|| format!("`{}` can't be read", path.display()))
}

/// Who a certificate is of.
pub(crate) fn identity(leaf: &CertificateDer<'_>) -> anyhow::Result<NodeIdentity> {
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

/// When the inference port's certificate ends, as far as that can be read.
pub(crate) fn end(listen: &Listen) -> Option<End> {
    let certificate = CertificateDer::from_pem_file(listen.tls_certificate.as_ref()?).ok()?;
    Some(("inference", not_after(&certificate)?))
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
