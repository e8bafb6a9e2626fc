//! Whether who answers on the sync port is the control plane.
//!
//! Law: as always (RFC 5280, RFC 6125), by the authorities the node has. A certificate that is not good yet by this machine's clock is
//! looked at once more by the time that is known to have come, for a clock that was set back must not part a node from whoever
//! could tell it the time. When one ends is told by the machine's clock alone: a time written down too late would part it for ever.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::freshness::Freshness;

/// Trusts the control plane of some authorities.
#[derive(Debug)]
pub(super) struct Theirs {
    usual: Arc<WebPkiServerVerifier>,
    freshness: Arc<Freshness>,
}

impl Theirs {
    /// By authorities, PEM.
    pub(super) fn of(authorities: &[u8], freshness: Arc<Freshness>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
        roots.add_parsable_certificates(found?);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { usual, freshness })
    }
}

impl ServerCertVerifier for Theirs {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let at =
            |time| self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, time);
        at(now).or_else(|error| match error {
            Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => at(self.freshness.unix_time()),
            other => Err(other),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::freshness::tests::written;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn case_100_a_clock_that_was_set_back_parts_no_node_from_the_control_plane() {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let wall = Duration::from_secs(UnixTime::now().as_secs());
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        let server = |from: Duration, until: Duration| {
            let mut params = CertificateParams::new(vec!["control.test".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (epoch + from, epoch + until);
            params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()
        };
        let trusted = |freshness: &Arc<Freshness>, certificate: &CertificateDer<'_>| {
            let theirs = Theirs::of(pem.as_bytes(), freshness.clone()).unwrap();
            let name = ServerName::try_from("control.test").unwrap();
            theirs.verify_server_cert(certificate, &[], &name, &[], UnixTime::now()).is_ok()
        };
        let home = tempfile::tempdir().unwrap();
        let right = Arc::new(written(home.path(), wall));
        let back = Arc::new(written(home.path(), wall + 7 * DAY));
        let young = server(wall + 6 * DAY, wall + 9 * DAY);
        assert!(trusted(&back, &young) && !trusted(&right, &young));
        assert!(!trusted(&back, &server(wall + DAY, wall + 5 * DAY)), "over by then");
        assert!(!trusted(&back, &server(wall + 8 * DAY, wall + 9 * DAY)), "not begun by then either");
        assert!(trusted(&back, &server(wall - DAY, wall + DAY)), "what was written may be wrong");
        assert!(!trusted(&back, &server(wall - 2 * DAY, wall - DAY)));
        assert!(Theirs::of(b"", right).is_err());
    }
}
