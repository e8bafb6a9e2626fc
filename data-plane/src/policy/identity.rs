//! The node's own key pair, to which secrets are sealed (RFC 9180).
//!
//! Law: the private half is made on the node and never leaves it; on disk it is readable by the owner alone.

use std::io;
use std::path::Path;

use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey};
use thiserror::Error;

use super::disk;
use crate::private;

/// What secrets are sealed for; changes only together with the protocol.
const INFO: &[u8] = b"chancery/secrets/v1";

/// Bytes of either half of an X25519 key.
const HALF: usize = 32;

/// The most of the key's file that is read, in bytes.
const MOST: u64 = 1 << 10;

/// The node's X25519 key pair.
pub(crate) struct NodeKey {
    private: HpkePrivateKey,
    public: Vec<u8>,
}

/// Why there is no key, or a message does not open.
#[derive(Debug, Error)]
pub(crate) enum KeyError {
    /// The key's file can't be read or written.
    #[error("the node key `{path}` can't be kept")]
    Disk {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{0}` is not a node key; remove it to make a new one")]
    Malformed(String),
    /// No key could be made.
    #[error("no node key can be made")]
    Make(#[source] rustls::Error),
    /// Sealed to another key, for another node, or changed on the way.
    #[error("the secrets do not open with this node's key")]
    Sealed(#[source] rustls::Error),
}

impl NodeKey {
    /// Reads the key, or makes one at the first start.
    pub(crate) fn open(path: &Path) -> Result<Self, KeyError> {
        let shown = || path.display().to_string();
        private::close_file(path);
        match disk::read(path, MOST) {
            Ok(Some(bytes)) => match bytes.split_at_checked(HALF) {
                Some((private, public)) if public.len() == HALF => {
                    Ok(Self { private: HpkePrivateKey::from(private.to_vec()), public: public.to_vec() })
                }
                _ => Err(KeyError::Malformed(shown())),
            },
            Ok(None) => Self::make(path),
            Err(source) => Err(KeyError::Disk { path: shown(), source }),
        }
    }

    fn make(path: &Path) -> Result<Self, KeyError> {
        let (public, private) = SUITE.generate_key_pair().map_err(KeyError::Make)?;
        disk::replace(path, &[private.secret_bytes(), &public.0])
            .map_err(|source| KeyError::Disk { path: path.display().to_string(), source })?;
        Ok(Self { private, public: public.0 })
    }

    /// The public half, 32 bytes.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Opens what was sealed to this node under its SPIFFE id.
    pub(crate) fn open_sealed(
        &self,
        encapsulated: &[u8],
        ciphertext: &[u8],
        spiffe_id: &str,
    ) -> Result<Vec<u8>, KeyError> {
        let encapsulated = EncapsulatedSecret(encapsulated.to_vec());
        SUITE
            .open(&encapsulated, INFO, spiffe_id.as_bytes(), ciphertext, &self.private)
            .map_err(KeyError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::hpke::HpkePublicKey;

    #[test]
    fn what_is_sealed_to_a_node_opens_there_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let key = NodeKey::open(&home.path().join("a.key")).unwrap();
        let again = NodeKey::open(&home.path().join("a.key")).unwrap();
        let other = NodeKey::open(&home.path().join("b.key")).unwrap();
        let to = HpkePublicKey(key.public().to_vec());
        let (sealed, text) = SUITE.seal(INFO, b"spiffe://chancery/geo/eu/node/a", b"secret", &to).unwrap();
        let open = |k: &NodeKey, id: &str| k.open_sealed(&sealed.0, &text, id);
        assert_eq!(open(&again, "spiffe://chancery/geo/eu/node/a").unwrap(), b"secret");
        assert!(open(&other, "spiffe://chancery/geo/eu/node/a").is_err());
        assert!(open(&key, "spiffe://chancery/geo/us/node/a").is_err());
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("node.key");
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(NodeKey::open(&path), Err(KeyError::Malformed(_))));
    }
}
