//! Sealing of secrets at rest under the control plane's master key.
//!
//! Law: a secret is sealed for one use, and its use is authenticated with it, so that ciphertext can't be moved to
//! another row. AES-256-GCM with random nonces (NIST SP 800-38D); the nonce comes before the ciphertext.
//! Absent on purpose: any way to print a key or a secret.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// Bytes of the master key.
const KEY_LEN: usize = 32;

/// The environment variable that gives the master key as base64, instead of the file.
pub const MASTER_KEY_VARIABLE: &str = "CHANCERY_MASTER_KEY";

/// Why something can't be sealed or opened. Says nothing of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The master key is not 32 bytes of base64.
    #[error("the master key is not 32 bytes in base64")]
    Key,
    /// The file of the master key can't be read or made.
    #[error("the master key's file can't be used")]
    File(#[from] io::Error),
    /// Sealed under another key, for another use, or changed since.
    #[error("a sealed secret does not open under this master key")]
    Opened,
    /// The system has no randomness or refuses the key.
    #[error("the system's cryptography failed")]
    System,
}

/// What a sealed secret is for; it only opens for the same use.
#[derive(Debug, Clone, Copy)]
pub enum Use<'a> {
    /// The digest of an API key's secret, by public id.
    KeyDigest(&'a str),
    /// A vendor credential, by its id.
    Credential(&'a str),
    /// A scope key, by its id.
    ScopeKey(&'a str),
    /// The key of a signer, by its generation.
    Signer(&'a str),
    /// A key that signs checkpoints of the audit log, by its generation.
    AuditKey(&'a str),
    /// The key and the name of a person, by pseudonym.
    Subject(&'a str),
    /// The private half of a pair to which captured content is sealed, by its id.
    ContentKey(&'a str),
}

impl Use<'_> {
    fn words(self) -> String {
        match self {
            Self::KeyDigest(id) => format!("chancery/seal/v1/key-digest/{id}"),
            Self::Credential(id) => format!("chancery/seal/v1/credential/{id}"),
            Self::ScopeKey(id) => format!("chancery/seal/v1/scope-key/{id}"),
            Self::Signer(generation) => format!("chancery/seal/v1/signer/{generation}"),
            Self::AuditKey(generation) => format!("chancery/seal/v1/audit-key/{generation}"),
            Self::Subject(pseudonym) => format!("chancery/seal/v1/subject/{pseudonym}"),
            Self::ContentKey(id) => format!("chancery/seal/v1/content-key/{id}"),
        }
    }
}

/// Seals and opens under the master key, and signs what callers carry for us.
pub struct Sealer {
    key: RandomizedNonceKey,
    signing: hmac::Key,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer under this key of 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"chancery/signing/v1");
        let signing = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        RandomizedNonceKey::new(&AES_256_GCM, key)
            .map(|key| Self { key, signing })
            .map_err(|_| SealError::Key)
    }

    /// A sealer under the key written as base64.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).map_err(|_| SealError::Key)?);
        Self::new(&bytes)
    }

    /// A sealer under the key in the file, which is made, for its owner alone, where there is none.
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_base64(&Zeroizing::new(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = Zeroizing::new([0; KEY_LEN]);
                rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::System)?;
                write_private(path, Zeroizing::new(BASE64_STANDARD.encode(*bytes)).as_bytes())?;
                Self::new(bytes.as_slice())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Signs what a caller will bring back, such as a page token.
    pub fn sign(&self, text: &[u8]) -> [u8; 32] {
        hmac::sign(&self.signing, text).as_ref().try_into().unwrap_or_default()
    }

    /// Seals a secret for one use.
    pub fn seal(&self, used: Use<'_>, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut text = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(used.words().into_bytes()), &mut text)
            .map_err(|_| SealError::System)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what was sealed for the same use.
    pub fn open(&self, used: Use<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Opened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Opened)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(used.words().into_bytes()), &mut text)
            .map_err(|_| SealError::Opened)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// Random bytes of a fixed length.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, SealError> {
    let mut bytes = Zeroizing::new([0; N]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::System)?;
    Ok(bytes)
}

/// Writes a new file that its owner alone may read, and makes it durable; fails where there is one already.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_use_alone() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let sealed = sealer.seal(Use::Credential("c1"), b"sk-very-secret").unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"very"));
        assert_eq!(sealer.open(Use::Credential("c1"), &sealed).unwrap().as_slice(), b"sk-very-secret");
        assert!(sealer.open(Use::Credential("c2"), &sealed).is_err());
        assert!(sealer.open(Use::KeyDigest("c1"), &sealed).is_err());
        assert!(Sealer::new(&[8; 32]).unwrap().open(Use::Credential("c1"), &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(sealer.open(Use::Credential("c1"), &changed).is_err());
        assert!(sealer.open(Use::Credential("c1"), &[]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_master_key_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let sealed = Sealer::from_file(&path).unwrap().seal(Use::ScopeKey("k"), b"x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            Sealer::from_file(&path).unwrap().open(Use::ScopeKey("k"), &sealed).unwrap().as_slice(),
            b"x"
        );
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(Sealer::from_file(&path), Err(SealError::Key)));
    }
}
