//! Trust in one control plane, by what a token says of it.
//!
//! Law: of what is presented one certificate is the authority that the token names, and everything else is verified against it as
//! always (RFC 5280, RFC 6125): chain, time, use and host name. Nothing is trusted on first sight.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::token::Token;

/// Trusts the authority that a pin names.
#[derive(Debug)]
pub(super) struct Pinned {
    pin: String,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Seen>>,
}

/// What was made of the other side.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// It is the control plane; this is its authority.
    Authority(CertificateDer<'static>),
    /// It is not, or not by this name, or not at this time.
    Stranger(String),
}

impl Pinned {
    /// Trusts the authority that a token names.
    pub(super) fn by(token: &Token) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Self { pin: token.pin.clone(), provider, seen: Mutex::new(None) }
    }

    /// What was made of the other side; `None` where it showed nothing.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen.lock().clone()
    }

    fn verified(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        (name, now): (&ServerName<'_>, UnixTime),
    ) -> Result<CertificateDer<'static>, Error> {
        let named = intermediates.iter().find(|certificate| Token::names(&self.pin, certificate));
        let authority = named.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
        let verifier = verifier.build().map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, name, &[], now)?;
        Ok(authority.clone().into_owned())
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verified(end_entity, intermediates, (server_name, now));
        *self.seen.lock() = Some(match &verified {
            Ok(authority) => Seen::Authority(authority.clone()),
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                Seen::Stranger("it is not the control plane that the token is of".to_owned())
            }
            Err(error) => Seen::Stranger(error.to_string()),
        });
        verified.map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    struct Authority {
        certificate: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    fn server(authority: &Authority, host: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.signed_by(&key, &authority.issuer).unwrap().der().clone()
    }

    fn pinned(certificate: &CertificateDer<'_>) -> Pinned {
        let whole = aws_lc_rs_hex(certificate);
        Pinned::by(&Token::read(&format!("chyn_0a_s_{}", &whole[..32])).unwrap())
    }

    fn aws_lc_rs_hex(bytes: &[u8]) -> String {
        let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn verify(
        pinned: &Pinned,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        at: UnixTime,
    ) -> bool {
        let name = ServerName::try_from("control.test").unwrap();
        pinned.verify_server_cert(leaf, chain, &name, &[], at).is_ok()
    }

    #[test]
    fn only_the_authority_of_the_token_is_trusted_and_for_its_own_servers_of_that_name() {
        let (ours, other) = (authority(), authority());
        let (leaf, ca) = (server(&ours, "control.test"), ours.certificate.clone());
        let pin = pinned(&ca);
        let now = UnixTime::now();
        assert!(pin.seen().is_none());
        assert!(verify(&pin, &leaf, &[other.certificate.clone(), ca.clone()], now));
        assert!(matches!(pin.seen(), Some(Seen::Authority(seen)) if seen == ca));
        let foreign = server(&other, "control.test");
        for (why, leaf, chain) in [
            ("the authority is not shown", &leaf, vec![]),
            ("another authority's, with its own", &foreign, vec![other.certificate.clone()]),
            ("another authority's, behind ours", &foreign, vec![other.certificate.clone(), ca.clone()]),
            ("another host", &server(&ours, "elsewhere.test"), vec![ca.clone()]),
            ("the authority's as its own server's", &ca, vec![]),
        ] {
            assert!(!verify(&pin, leaf, &chain, now), "{why}");
            assert!(matches!(pin.seen(), Some(Seen::Stranger(_))), "{why}");
        }
        let late = UnixTime::since_unix_epoch(std::time::Duration::from_secs(100_000_000_000));
        assert!(!verify(&pin, &leaf, &[ca], late));
    }
}
