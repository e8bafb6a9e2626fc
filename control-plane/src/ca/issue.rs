//! Certificates made: the authority's own, the sync port's, a node's.
//!
//! Law: every key that is made here is new, ECDSA over P-256, and never used for two certificates. A certificate begins an hour
//! before it is made, so that a peer whose clock is slow takes it; a short-lived one a tenth of its life. Of a request nothing
//! is read but the key, of which its sender must have the private half.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKey,
    PublicKeyData as _, SanType,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use thiserror::Error;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use super::CaError;
use super::files::{self, Paths};

/// How far in the past a certificate begins at most.
const SKEW: Duration = Duration::from_secs(60 * 60);

/// A certificate and its private key.
pub struct Issued {
    /// PEM of the certificate.
    pub certificate_pem: String,
    /// PEM of its private key (PKCS#8); wiped from memory when dropped.
    pub key_pem: Zeroizing<String>,
}

impl Issued {
    /// Writes both into a directory as `(stem).pem` and `(stem).key`, each whole or not at all, readable by the owner alone.
    pub fn write(&self, dir: &Path, stem: &str) -> Result<Paths, CaError> {
        files::create_dir(dir)?;
        let paths =
            Paths { certificate: dir.join(format!("{stem}.pem")), key: dir.join(format!("{stem}.key")) };
        files::write_private(&paths.key, self.key_pem.as_bytes())?;
        files::write_private(&paths.certificate, self.certificate_pem.as_bytes())?;
        Ok(paths)
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

/// A node's own public key, of a request that its private half signed.
#[derive(Debug, Clone)]
pub struct Requested(PublicKey);

/// Why a request for a certificate is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// It is not a request, or is not signed by the key it names.
    #[error("the certificate request is not one of PKCS#10 that its own key signed")]
    Malformed,
    /// The key is of another kind.
    #[error("the key of a certificate request is ECDSA over P-256")]
    Key,
}

impl Requested {
    /// Reads the key of a request (PKCS#10, DER) and nothing else, and proves that its sender has the private half.
    pub fn read(der: &[u8]) -> Result<Self, RequestError> {
        let read = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der));
        let key = read.map_err(|_| RequestError::Malformed)?.public_key;
        // What rcgen tells is how the request was signed; that says nothing of the curve.
        if *key.algorithm() != PKCS_ECDSA_P256_SHA256 || !is_over_p256(der) {
            return Err(RequestError::Key);
        }
        Ok(Self(key))
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        self.0.der_bytes()
    }
}

/// Whether the key of a request is ECDSA over P-256 (RFC 5480, 2.1).
fn is_over_p256(der: &[u8]) -> bool {
    let Ok((_, request)) = X509CertificationRequest::from_der(der) else { return false };
    let key = request.certification_request_info.subject_pki.algorithm;
    let curve = key.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    key.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve.is_some_and(|curve| curve == OID_EC_P256)
}

/// A new authority: its certificate and its key, PEM.
pub(super) fn authority(valid: Duration) -> Result<(String, Zeroizing<String>), CaError> {
    let mut params = named("chancery authority", valid)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
}

/// A server certificate under host names and addresses.
pub(super) fn server(
    issuer: &Issuer<'static, KeyPair>,
    hosts: &[String],
    valid: Duration,
) -> Result<Issued, CaError> {
    let mut params = named("chancery control plane", valid)?;
    params.subject_alt_names = hosts.iter().map(|host| san(host)).collect::<Result<_, _>>()?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(issuer, params)
}

/// A client certificate with a SPIFFE id as its one name.
pub(super) fn node(
    issuer: &Issuer<'static, KeyPair>,
    spiffe_id: &str,
    valid: Duration,
) -> Result<Issued, CaError> {
    sign(issuer, of_node(spiffe_id, valid)?)
}

/// The same for a key that is not ours, from an instant on, in seconds since the Unix epoch.
pub(super) fn requested(
    issuer: &Issuer<'static, KeyPair>,
    (spiffe_id, key): (&str, &Requested),
    valid: Duration,
    from: i64,
) -> Result<CertificateDer<'static>, CaError> {
    let mut params = of_node(spiffe_id, valid)?;
    let from = Duration::from_secs(u64::try_from(from).unwrap_or_default());
    params.not_before = params.not_before.max(rcgen::date_time_ymd(1970, 1, 1) + from);
    Ok(as_leaf(params).signed_by(&key.0, issuer)?.der().clone())
}

fn of_node(spiffe_id: &str, valid: Duration) -> Result<CertificateParams, CaError> {
    let mut params = named("chancery node", valid)?;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(spiffe_id)?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// The extended key usage of a signer, id-kp-codeSigning (RFC 5280, 4.2.1.12), so that no node's or server's certificate is one.
pub(super) const SIGNING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 3];

/// A certificate for a new Ed25519 key that signs, DER, and the key, PKCS#8.
pub(super) fn signer(
    issuer: &Issuer<'static, KeyPair>,
    spiffe_id: &str,
    valid: Duration,
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CaError> {
    let mut params = named("chancery signer", valid)?;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(spiffe_id)?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = as_leaf(params).signed_by(&key, issuer)?;
    Ok((certificate.der().to_vec(), Zeroizing::new(key.serialize_der())))
}

fn as_leaf(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn sign(issuer: &Issuer<'static, KeyPair>, params: CertificateParams) -> Result<Issued, CaError> {
    let params = as_leaf(params);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Issued { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
}

fn named(common_name: &str, valid: Duration) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(SKEW.min(valid / 10));
    params.not_after = epoch + now.saturating_add(valid);
    Ok(params)
}

fn san(host: &str) -> Result<SanType, CaError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    rustls_pki_types::DnsName::try_from(host)
        .map_err(|_| CaError::Host(host.escape_default().to_string()))?;
    Ok(SanType::DnsName(Ia5String::try_from(host)?))
}
