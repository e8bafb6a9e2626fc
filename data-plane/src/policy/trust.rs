//! Whose word is policy: signatures by a key of the control plane, which its authority vouches for.
//!
//! Law: nothing is believed that is not signed, and each kind of statement is signed for itself. A signer is a certificate of
//! the authority that this node trusts, with one name, `spiffe://chancery/signer/(generation)`, made for signing. Two generations
//! are trusted at a time, the newest that was met and the one before; the newest is remembered over restarts, so that a key
//! that was retired stays so. A certificate is good or not by the later of the wall clock and what is known to have come, so that a
//! clock that was set back makes nobody's word void.
//! Absent on purpose: what is signed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, aws_lc_rs};

use super::disk;
use crate::freshness::Freshness;

/// The trust domain of signers.
const PREFIX: &str = "spiffe://chancery/signer/";

/// The extended key usage of a signer, id-kp-codeSigning (RFC 5280, 4.2.1.12), so that no node's or server's certificate is one.
const SIGNING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 3];

/// The most of the file of the newest signer that is read, in bytes.
const MOST: u64 = 1 << 10;

/// What is signed, by the words its signature begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An envelope.
    Snapshot,
    /// A set of revocations.
    Revocations,
    /// A set of kills.
    Kills,
}

/// Why a statement is not believed.
#[derive(Debug, Error)]
pub(crate) enum Untrusted {
    /// No signature, or no signer.
    #[error("it is not signed")]
    Unsigned,
    /// The certificate is not one of a signer.
    #[error("its signer's certificate is not one of a signer of this authority: {0}")]
    Signer(String),
    /// The key was replaced, and the one that replaced it as well.
    #[error("its key is of generation {signer} and was retired: generation {newest} is in use")]
    Retired {
        /// The generation of the signer.
        signer: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The bytes are not what was signed.
    #[error("its signature is not of these bytes")]
    Signature,
}

/// The authority, and the newest signer that was met.
#[derive(Debug)]
pub(crate) struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    path: PathBuf,
    newest: Mutex<u64>,
    freshness: Arc<Freshness>,
}

impl Subject {
    fn words(self) -> &'static [u8] {
        match self {
            Self::Snapshot => b"chancery/snapshot/v2\n",
            Self::Revocations => b"chancery/revocations/v1\n",
            Self::Kills => b"chancery/kills/v1\n",
        }
    }

    /// The bytes a signature is over.
    pub(crate) fn signed(self, body: &[u8]) -> Vec<u8> {
        [self.words(), body].concat()
    }
}

impl Trust {
    /// Trusts the authorities of a PEM file, and remembers beside the policy, in `directory`, which signer is the newest. Where that
    /// can't be read it is told, and begins anew: the authority has vouched for a retired signer too.
    pub(crate) fn open(directory: &Path, authorities: &[u8], freshness: Arc<Freshness>) -> io::Result<Self> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
        let authorities = found.map_err(|error| io::Error::other(error.to_string()))?;
        let path = directory.join("signer");
        let newest = match disk::read_text(&path, MOST) {
            Ok(Some(text)) => text.trim().parse().ok(),
            Ok(None) => Some(0),
            Err(_) => None,
        };
        let newest = newest.unwrap_or_else(|| {
            tracing::error!(path = %path.display(), "which signer is the newest can't be known: one that was retired may pass");
            0
        });
        Ok(Self { authorities, path, newest: Mutex::new(newest), freshness })
    }

    /// Believes a statement, or says why not; gives the signer's generation.
    pub(crate) fn verify(
        &self,
        subject: Subject,
        body: &[u8],
        (signature, certificate): (&[u8], &[u8]),
    ) -> Result<u64, Untrusted> {
        if signature.is_empty() || certificate.is_empty() {
            return Err(Untrusted::Unsigned);
        }
        let der = CertificateDer::from(certificate);
        let unreadable = |error: webpki::Error| Untrusted::Signer(error.to_string());
        let signer = EndEntityCert::try_from(&der).map_err(unreadable)?;
        self.vouched(&signer).map_err(unreadable)?;
        let generation = generation(&signer)
            .ok_or_else(|| Untrusted::Signer(format!("its name is not {PREFIX}(generation)")))?;
        signer
            .verify_signature(aws_lc_rs::ED25519, &subject.signed(body), signature)
            .map_err(|_| Untrusted::Signature)?;
        self.meet(generation)?;
        Ok(generation)
    }

    /// Whether an authority of ours issued a certificate, for signing, and it is good now.
    fn vouched(&self, signer: &EndEntityCert<'_>) -> Result<(), webpki::Error> {
        let anchors: Result<Vec<_>, _> =
            self.authorities.iter().map(|der| webpki::anchor_from_trusted_cert(der)).collect();
        signer
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors?,
                &[],
                self.freshness.unix_time(),
                KeyUsage::required(SIGNING),
                None,
                None,
            )
            .map(drop)
    }

    /// Notes a signer; refuses one that was retired.
    fn meet(&self, signer: u64) -> Result<(), Untrusted> {
        let mut newest = self.newest.lock();
        if signer.saturating_add(1) < *newest {
            return Err(Untrusted::Retired { signer, newest: *newest });
        }
        if signer > *newest {
            *newest = signer;
            if let Err(error) = disk::replace(&self.path, &[signer.to_string().as_bytes()]) {
                tracing::error!(path = %self.path.display(), %error, "the newest signer can't be remembered over a restart");
            }
        }
        Ok(())
    }
}

/// The generation in a signer's one name.
fn generation(signer: &EndEntityCert<'_>) -> Option<u64> {
    let mut names = signer.valid_uri_names();
    let (Some(name), None) = (names.next(), names.next()) else { return None };
    name.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests;
