//! The key that signs what nodes are told, and its certificate.
//!
//! Law: each kind of statement is signed for itself; a key is of one generation, vouched for by the authority, and sealed in the
//! store, so that every replica signs alike. Nodes trust the newest generation they met and the one before: rotating once
//! replaces a key, rotating twice retires it for good. A signer whose authority is another is replaced by one of a later generation, when
//! an operator says so, and never otherwise: no node would believe it.
//! Absent on purpose: what is signed.

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::ca::{Authority, CaError};
use crate::clock;
use crate::seal::{SealError, Sealer, Use};
use crate::store::{SignerRow, Store, StoreError};

/// What is signed, by the words its signature begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An envelope.
    Snapshot,
    /// A set of revocations.
    Revocations,
    /// A set of kills.
    Kills,
}

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its key does not open, or is none.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The authority did not issue its certificate.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// It is of another authority, and of no lower generation than is wanted.
    #[error("the signer of generation {0} is of another authority")]
    Foreign(u64),
}

/// A key that signs what nodes are told.
pub struct Signer {
    generation: u64,
    key: Ed25519KeyPair,
    certificate: Bytes,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.generation)
    }
}

/// The newest signer, for everything that signs. Clones share it.
#[derive(Debug, Clone)]
pub struct Signers {
    current: Arc<Signer>,
}

impl Signers {
    /// The signer of a store, of a generation at least: where the newest is lower, one of that generation takes its place. The first is
    /// made here.
    pub async fn open(
        store: &Store,
        sealer: &Sealer,
        (authority, least): (&Authority, u64),
    ) -> Result<Self, SignerError> {
        let signer = match store.newest_signer().await? {
            Some(row) if row.generation < least => {
                let signer = Signer::make(store, sealer, (authority, least)).await?;
                tracing::info!(generation = signer.generation(), "the signer was replaced");
                signer
            }
            Some(row) if !vouched(&row, authority) => return Err(SignerError::Foreign(row.generation)),
            Some(row) => Signer::of(row, sealer)?,
            None => Signer::make(store, sealer, (authority, least.max(1))).await?,
        };
        Ok(Self { current: Arc::new(signer) })
    }

    /// The signer that signs now.
    pub fn current(&self) -> Arc<Signer> {
        self.current.clone()
    }
}

/// Whether an authority issued a signer.
pub(crate) fn vouched(row: &SignerRow, authority: &Authority) -> bool {
    authority.vouches_for(&CertificateDer::from(row.certificate.as_slice()))
}

impl Subject {
    fn words(self) -> &'static [u8] {
        match self {
            Self::Snapshot => b"chancery/snapshot/v2\n",
            Self::Revocations => b"chancery/revocations/v1\n",
            Self::Kills => b"chancery/kills/v1\n",
        }
    }
}

impl Signer {
    /// Makes the signer of a generation and keeps it. Where another replica was first, its signer is the one.
    pub(crate) async fn make(
        store: &Store,
        sealer: &Sealer,
        (authority, generation): (&Authority, u64),
    ) -> Result<Self, SignerError> {
        let (certificate, key) = authority.issue_signer(generation)?;
        let sealed_key = sealer.seal(Use::Signer(&generation.to_string()), &key)?;
        let row = SignerRow { generation, certificate, sealed_key };
        store.keep_signer(&row, clock::now()).await?;
        match store.newest_signer().await? {
            Some(newest) => Self::of(newest, sealer),
            None => Self::of(row, sealer),
        }
    }

    fn of(row: SignerRow, sealer: &Sealer) -> Result<Self, SignerError> {
        let opened: Zeroizing<Vec<u8>> =
            sealer.open(Use::Signer(&row.generation.to_string()), &row.sealed_key)?;
        let key = Ed25519KeyPair::from_pkcs8(&opened).map_err(|_| SealError::Opened)?;
        Ok(Self { generation: row.generation, key, certificate: row.certificate.into() })
    }

    /// Its generation; the first is 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// DER of its certificate.
    pub fn certificate(&self) -> &Bytes {
        &self.certificate
    }

    /// Signs a statement: Ed25519 (RFC 8032) over the words of its subject and its bytes; 64 bytes.
    pub fn sign(&self, subject: Subject, body: &[u8]) -> Vec<u8> {
        self.key.sign(&[subject.words(), body].concat()).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store(dir: &std::path::Path) -> Store {
        Store::open(&dir.join("store.db")).await.unwrap()
    }

    #[tokio::test]
    async fn a_signer_outlives_a_restart_and_not_its_authority() {
        let dir = tempfile::tempdir().unwrap();
        let (store, sealer) = (store(dir.path()).await, Sealer::new(&[7; 32]).unwrap());
        let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
        let open = async |authority: &Authority, least| {
            Signers::open(&store, &sealer, (authority, least)).await.map(|signers| signers.current())
        };
        let first = open(&authority, 1).await.unwrap();
        let again = open(&authority, 0).await.unwrap();
        assert_eq!((first.generation(), again.generation()), (1, 1));
        assert_eq!(first.certificate(), again.certificate());
        assert_eq!(first.sign(Subject::Kills, b"x"), again.sign(Subject::Kills, b"x"));
        assert_ne!(first.sign(Subject::Kills, b"x"), first.sign(Subject::Revocations, b"x"));

        // Another authority's signer takes its place when an operator says so, and not by itself.
        let other = Authority::open_or_create(&dir.path().join("other")).unwrap();
        assert!(matches!(open(&other, 1).await, Err(SignerError::Foreign(1))));
        assert_eq!(
            open(&authority, 1).await.unwrap().certificate(),
            first.certificate(),
            "nothing was replaced"
        );
        assert_eq!(open(&other, 3).await.unwrap().generation(), 3);
        assert_eq!(open(&other, 5).await.unwrap().generation(), 5);
        assert_eq!(open(&other, 0).await.unwrap().generation(), 5, "none comes back");
        // Two replicas that replace it at once make one signer.
        let again = Signer::make(&store, &sealer, (&other, 6)).await.unwrap();
        let raced = Signer::make(&store, &sealer, (&other, 6)).await.unwrap();
        assert_eq!(raced.certificate(), again.certificate());
    }
}
