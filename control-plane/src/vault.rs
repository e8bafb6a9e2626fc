//! Vendor credentials that were given to us: sealed in memory as in the store, opened only to be sealed for a node.
//!
//! Law: resources name a credential by its id and never hold it; an id is random and says nothing.

use std::collections::HashMap;

use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::registry::hex;
use crate::seal::{SealError, Sealer, Use, random};

/// The sealed credentials, by id.
#[derive(Debug)]
pub struct Vault {
    sealer: std::sync::Arc<Sealer>,
    sealed: RwLock<HashMap<String, Vec<u8>>>,
}

impl Vault {
    /// A vault with what the store holds.
    pub fn new(sealer: std::sync::Arc<Sealer>, sealed: HashMap<String, Vec<u8>>) -> Self {
        Self { sealer, sealed: RwLock::new(sealed) }
    }

    /// Seals a new credential; it is known only once it has been kept.
    pub fn seal(&self, secret: &[u8]) -> Result<(String, Vec<u8>), SealError> {
        let id = format!("cred-{}", hex(random::<12>()?.as_slice()));
        let sealed = self.sealer.seal(Use::Credential(&id), secret)?;
        Ok((id, sealed))
    }

    /// The sealer behind it.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Whether there is a credential of this id.
    pub fn has(&self, id: &str) -> bool {
        self.sealed.read().contains_key(id)
    }

    /// Opens a credential; `None` where there is none of this id.
    pub fn open(&self, id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        let sealed = self.sealed.read().get(id).cloned();
        sealed.map(|sealed| self.sealer.open(Use::Credential(id), &sealed)).transpose()
    }

    /// Makes credentials known that the store has taken.
    pub(crate) fn keep(&self, sealed: &[(String, Vec<u8>)]) {
        self.sealed.write().extend(sealed.iter().cloned());
    }
}
