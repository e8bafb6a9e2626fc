//! How vendors prove who they are: TLS 1.2 or 1.3, public roots, and what an endpoint trusts beside them.
//!
//! Law: certificates are always verified; there is no switch that turns it off. Deliberately absent: the host's own
//! trust store, client certificates, older protocol versions.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::config::Fault;

/// Mozilla's roots, shared by every endpoint that adds none.
static PUBLIC_ROOTS: LazyLock<Arc<RootCertStore>> =
    LazyLock::new(|| Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }));

/// A client configuration that trusts the public roots and the PEM certificates of `extra`.
pub(crate) fn client(extra: Option<&str>) -> Result<Arc<ClientConfig>, Fault> {
    offering(extra, vec![b"h2".to_vec(), b"http/1.1".to_vec()])
}

/// The same for servers that must speak HTTP/2.
pub(super) fn http2(extra: Option<&str>) -> Result<Arc<ClientConfig>, Fault> {
    offering(extra, vec![b"h2".to_vec()])
}

fn offering(extra: Option<&str>, protocols: Vec<Vec<u8>>) -> Result<Arc<ClientConfig>, Fault> {
    let roots = match extra {
        None => Arc::clone(&PUBLIC_ROOTS),
        Some(pem) => Arc::new(with_extra(pem)?),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols;
    Ok(Arc::new(config))
}

fn with_extra(pem: &str) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::clone(&PUBLIC_ROOTS);
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| Fault::Roots("not PEM"))?;
        roots.add(certificate).map_err(|_| Fault::Roots("not a usable certificate"))?;
    }
    if roots.len() == before {
        return Err(Fault::Roots("no certificate in it"));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_must_be_certificates() {
        assert!(client(None).is_ok());
        for (pem, reason) in [
            ("", "no certificate in it"),
            ("hello", "no certificate in it"),
            (
                "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
                "not a usable certificate",
            ),
        ] {
            assert_eq!(client(Some(pem)).unwrap_err(), Fault::Roots(reason));
        }
    }
}
