//! The built-in authority: who a node is, and that this is the control plane, as certificates say it.
//!
//! Law: the authority is made once, whole or not at all, and its key never leaves its directory; a node's certificate has
//! exactly one id, `spiffe://chancery/geo/GEO/node/NAME`, and nothing else in it is believed.
//! Absent on purpose: revocation (`admission` cuts a node off by its name) and public names: no browser is meant to trust this.

mod files;
mod issue;

use std::path::{Path, PathBuf};
use std::time::Duration;

use policy_engine::vocabulary::{Geo, Name};
use rcgen::{Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use webpki::KeyUsage;
use zeroize::Zeroizing;

pub use files::{Paths, write_private};
pub use issue::{Issued, RequestError, Requested};

/// How long the authority's own certificate is good: ten years.
pub const AUTHORITY_VALIDITY: Duration = Duration::from_secs(3650 * DAY);

/// How long a certificate issued by it is good where nothing else is said: ninety days.
pub const LEAF_VALIDITY: Duration = Duration::from_secs(90 * DAY);

const DAY: u64 = 24 * 60 * 60;

/// The file, within the authority's directory, that holds its certificate and private key.
const WHOLE: &str = Authority::FILE;

/// The file, within the authority's directory, that holds its certificate alone: what both sides trust.
const CERTIFICATE: &str = "ca.pem";

/// Why the authority could not be opened, or did not issue.
#[derive(Debug, Error)]
pub enum CaError {
    /// A file could not be read or written.
    #[error("`{}` can't be read or written", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the directory holds is not an authority.
    #[error("`{}` does not hold a certificate and a private key", .0.display())]
    Damaged(PathBuf),
    /// A subject name is not one that a certificate can have.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
    /// Certificates can't be made like this.
    #[error("the certificate can't be made")]
    Certificate(#[from] rcgen::Error),
}

/// The authority over the certificates between the planes.
pub struct Authority {
    dir: PathBuf,
    certificate_pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The file, within the authority's directory, without which it is another.
    pub(crate) const FILE: &'static str = "authority.pem";

    /// Opens the authority in a directory; makes the directory, and in it an authority, where there is none.
    ///
    /// Of several processes that do so at the same time one makes it, and all open the same.
    pub fn open_or_create(dir: &Path) -> Result<Self, CaError> {
        match Self::open(dir) {
            Err(CaError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let (certificate, key) = issue::authority(AUTHORITY_VALIDITY)?;
        let whole = zeroize::Zeroizing::new(format!("{certificate}{}", *key));
        files::create_dir(dir)?;
        files::write_new(&dir.join(WHOLE), whole.as_bytes())?;
        Self::open(dir)
    }

    /// Opens the authority in a directory that has one.
    pub fn open(dir: &Path) -> Result<Self, CaError> {
        let path = dir.join(WHOLE);
        let whole = zeroize::Zeroizing::new(files::read(&path)?);
        let end = "-----END CERTIFICATE-----\n";
        let damaged = || CaError::Damaged(path.clone());
        let at = whole.find(end).map(|at| at.saturating_add(end.len())).ok_or_else(damaged)?;
        let (certificate, key) = whole.split_at_checked(at).ok_or_else(damaged)?;
        let key = KeyPair::from_pem(key).map_err(|_| damaged())?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(|_| damaged())?;
        let public = dir.join(CERTIFICATE);
        if files::read(&public).ok().as_deref() != Some(certificate) {
            files::write_public(&public, certificate.as_bytes())?;
        }
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| damaged())?;
        let certificate_pem = certificate.to_owned();
        Ok(Self { dir: dir.to_owned(), certificate_pem, certificate: der, issuer })
    }

    /// Its certificate, PEM: what both sides trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The same, DER.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The file that holds its certificate alone.
    pub fn certificate_path(&self) -> PathBuf {
        self.dir.join(CERTIFICATE)
    }

    /// A certificate for the sync port under these host names and addresses.
    pub fn issue_server(&self, hosts: &[String], valid: Duration) -> Result<Issued, CaError> {
        issue::server(&self.issuer, hosts, valid)
    }

    /// A certificate and a key for a node of a geo.
    pub fn issue_node(&self, geo: &Geo, node: &Name, valid: Duration) -> Result<Issued, CaError> {
        issue::node(&self.issuer, &spiffe_id(geo, node), valid)
    }

    /// A certificate for a node's own key, that does not begin before an instant, in seconds since the Unix epoch; DER.
    pub fn issue_requested(
        &self,
        (geo, node): (&Geo, &Name),
        key: &Requested,
        (valid, from): (Duration, i64),
    ) -> Result<CertificateDer<'static>, CaError> {
        issue::requested(&self.issuer, (&spiffe_id(geo, node), key), valid, from)
    }

    /// A certificate, DER, for a new key that signs what nodes are told, and the key, PKCS#8. It is good as long as the authority:
    /// which signers are trusted goes by their generation.
    pub fn issue_signer(&self, generation: u64) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CaError> {
        issue::signer(&self.issuer, &format!("spiffe://chancery/signer/{generation}"), AUTHORITY_VALIDITY)
    }

    /// Whether it issued a certificate of a signer.
    pub fn vouches_for(&self, signer: &CertificateDer<'_>) -> bool {
        let vouched = || {
            let own = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).ok()?;
            let anchors = [webpki::anchor_from_trusted_cert(&own).ok()?];
            let signer = webpki::EndEntityCert::try_from(signer).ok()?;
            let (algorithms, usage) = (webpki::ALL_VERIFICATION_ALGS, KeyUsage::required(issue::SIGNING));
            let found =
                signer.verify_for_usage(algorithms, &anchors, &[], UnixTime::now(), usage, None, None);
            found.ok().map(drop)
        };
        vouched().is_some()
    }
}

fn spiffe_id(geo: &Geo, node: &Name) -> String {
    format!("spiffe://chancery/geo/{geo}/node/{node}")
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
