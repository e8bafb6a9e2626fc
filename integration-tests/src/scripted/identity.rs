//! Certificates for scripted vendors.
//!
//! Law: made on the spot, trusted by nobody who was not given the root. Deliberately absent: chains; a certificate here
//! signs itself.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};

/// A server's name, certificate and TLS settings.
#[derive(Clone)]
pub struct Identity {
    name: String,
    root: String,
    pub(super) server: Arc<ServerConfig>,
}

impl Identity {
    /// A certificate for `name` (such as `localhost`), shown by a server that offers `alpn`, best first.
    pub fn new(name: &str, alpn: &[&str]) -> Result<Self> {
        Self::made(rcgen::CertificateParams::new([name.to_owned()])?, name, alpn)
    }

    /// The same, but the certificate has expired long ago.
    pub fn expired(name: &str, alpn: &[&str]) -> Result<Self> {
        let mut params = rcgen::CertificateParams::new([name.to_owned()])?;
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        Self::made(params, name, alpn)
    }

    fn made(params: rcgen::CertificateParams, name: &str, alpn: &[&str]) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        server.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Self { name: name.to_owned(), root: certificate.pem(), server: Arc::new(server) })
    }

    /// The name on the certificate.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate as PEM, for a client to trust.
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// The base URL of an endpoint at `address`; under TLS with the name on its certificate.
pub(super) fn base_url(address: SocketAddr, identity: Option<&Identity>) -> String {
    match identity {
        Some(identity) => format!("https://{}:{}/v1", identity.name(), address.port()),
        None => format!("http://{address}/v1"),
    }
}
