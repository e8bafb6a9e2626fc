//! What is known of API keys' secrets: the SHA-256 of each, and from it the MACs each geo is given.
//!
//! Law: digests live sealed in the store and open in this process's memory alone; a geo's MACs are under a key of its
//! own, so that what is stolen in one geo is worth nothing in another.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use parking_lot::RwLock;
use policy_engine::facts::Key;
use policy_engine::vocabulary::{Geo, Name};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::clock;
use crate::content_keys::ContentKeys;
use crate::error::ChangeError;
use crate::registry::hex;
use crate::seal::{SealError, Sealer, Use, random};
use crate::store::{Digest, ScopeKeyRow, Store, StoreError};

/// A geo's key, to be sealed for its nodes.
#[derive(Clone)]
pub struct ScopeKey {
    /// Its id, which every key fact it made names.
    pub id: String,
    /// The key: 32 bytes.
    pub secret: Zeroizing<Vec<u8>>,
    hmac: hmac::Key,
}

impl ScopeKey {
    fn new(id: String, secret: Zeroizing<Vec<u8>>) -> Self {
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Self { id, secret, hmac }
    }
}

impl fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeKey({})", self.id)
    }
}

/// Why the ring can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The digests of all keys, each geo's key, and each tenant's to which its content is sealed.
pub struct KeyRing {
    sealer: Arc<Sealer>,
    content: ContentKeys,
    digests: RwLock<HashMap<Name, Digest>>,
    scopes: RwLock<HashMap<Geo, ScopeKey>>,
    /// Held while a geo's key is made.
    making: tokio::sync::Mutex<()>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.digests.read().len())
    }
}

impl KeyRing {
    /// Opens what the store holds.
    pub(crate) async fn open(store: &Store, sealer: Arc<Sealer>) -> Result<Self, RingError> {
        let mut digests = HashMap::new();
        for (public_id, sealed) in store.key_digests().await? {
            let opened = sealer.open(Use::KeyDigest(&public_id), &sealed)?;
            let digest: Digest = opened.as_slice().try_into().map_err(|_| SealError::Opened)?;
            let name = Name::new(&public_id).map_err(|_| SealError::Opened)?;
            digests.insert(name, digest);
        }
        let mut scopes = HashMap::new();
        for ScopeKeyRow { id, geo, sealed } in store.scope_keys().await? {
            let secret = sealer.open(Use::ScopeKey(&id), &sealed)?;
            let geo = Name::new(&geo).map_err(|_| SealError::Opened)?;
            scopes.insert(geo, ScopeKey::new(id, secret));
        }
        let making = tokio::sync::Mutex::default();
        let content = ContentKeys::open(store, sealer.clone()).await?;
        Ok(Self { sealer, content, digests: RwLock::new(digests), scopes: RwLock::new(scopes), making })
    }

    /// The pairs to which captured content is sealed.
    pub fn content(&self) -> &ContentKeys {
        &self.content
    }

    /// Whether this is the digest of the secret of this key; in constant time, and an unknown id costs the same.
    pub fn verifies(&self, public_id: &Name, digest: &Digest) -> bool {
        let known = self.digests.read().get(public_id).copied();
        let same = known.unwrap_or_default().ct_eq(digest);
        known.is_some() && same.into()
    }

    /// Digests of new keys, sealed for the store.
    pub(crate) fn seal(&self, keys: &[(Name, Digest)]) -> Result<Vec<(String, Vec<u8>)>, ChangeError> {
        let sealed = keys
            .iter()
            .map(|(id, digest)| Ok((id.to_string(), self.sealer.seal(Use::KeyDigest(id.as_str()), digest)?)));
        sealed.collect()
    }

    /// Makes digests known that the store has taken.
    pub(crate) fn keep(&self, keys: Vec<(Name, Digest)>) {
        self.digests.write().extend(keys);
    }

    /// The key of a geo; it is made, and kept, when it is first asked for.
    pub async fn scope_key(&self, store: &Store, geo: &Geo) -> Result<ScopeKey, RingError> {
        if let Some(key) = self.known(geo) {
            return Ok(key);
        }
        // Two that ask at first would make two: one for this process, the other for the next start, which reads the latest.
        let _making = self.making.lock().await;
        if let Some(key) = self.known(geo) {
            return Ok(key);
        }
        let id = format!("k-{}", hex(random::<8>()?.as_slice()));
        let secret = Zeroizing::new(random::<32>()?.to_vec());
        let sealed = self.sealer.seal(Use::ScopeKey(&id), &secret)?;
        store
            .keep_scope_key(&ScopeKeyRow { id: id.clone(), geo: geo.to_string(), sealed }, clock::now())
            .await?;
        let key = ScopeKey::new(id, secret);
        self.scopes.write().insert(geo.clone(), key.clone());
        Ok(key)
    }

    fn known(&self, geo: &Geo) -> Option<ScopeKey> {
        self.scopes.read().get(geo).cloned()
    }

    /// A key fact with the MAC of its secret for a geo; `None` where no secret of it is known.
    pub fn scoped(&self, public_id: &Name, fact: &Key, scope: &ScopeKey) -> Option<Key> {
        let digest = self.digests.read().get(public_id).copied()?;
        let mac = hmac::sign(&scope.hmac, &digest).as_ref().try_into().unwrap_or_default();
        Some(Key { mac, scope_key: scope.id.clone(), ..fact.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_geo_has_one_key_whoever_asks_first_and_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("store.db")).await.unwrap();
        let sealer = Arc::new(Sealer::new(&[7; 32]).unwrap());
        let geo = Geo::new("eu").unwrap();
        let ring = KeyRing::open(&store, sealer.clone()).await.unwrap();
        let asked = futures_util::future::join_all((0..16).map(|_| ring.scope_key(&store, &geo))).await;
        let ids: Vec<String> = asked.into_iter().map(|key| key.unwrap().id).collect();
        let again = KeyRing::open(&store, sealer).await.unwrap();
        let after = again.scope_key(&store, &geo).await.unwrap().id;
        assert!(ids.iter().all(|id| *id == after), "{after} after a restart, before it {ids:?}");
    }
}
