//! Secrets as they are in force: the keys behind API keys' MACs, and vendors' credentials.
//!
//! Law: in memory they are zeroised when dropped and never printed; on disk there is only what was sealed to this node.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use policy_engine::vocabulary::Name;
use prost::Message;
use proto::sync::{SecretBundle, Secrets as Sealed};
use thiserror::Error;
use zeroize::Zeroizing;

use super::identity::{KeyError, NodeKey};
use crate::captured::ContentKey;
use crate::upstream::Secret;

/// The opened secrets.
#[derive(Default)]
pub(crate) struct Secrets {
    /// By the id that `KeyRow::scope_key` names.
    pub(crate) scope_keys: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// By the AIP name of the provider.
    pub(crate) credentials: BTreeMap<String, Secret>,
    /// To whom captured content is sealed, by tenant: no secret, and it comes with them.
    pub(crate) content_keys: HashMap<Name, ContentKey>,
    /// SHA-256 of what was inside: each sealing looks different, even of the same.
    fingerprint: Vec<u8>,
}

/// Why sealed secrets are of no use.
#[derive(Debug, Error)]
pub(crate) enum SecretsError {
    /// They do not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What is inside is not a bundle.
    #[error("the secrets are not a bundle this node understands")]
    Malformed(#[from] prost::DecodeError),
}

impl Secrets {
    /// Opens a sealed message.
    pub(crate) fn open(sealed: &Sealed, key: &NodeKey, spiffe_id: &str) -> Result<Self, SecretsError> {
        let opened =
            Zeroizing::new(key.open_sealed(&sealed.encapsulated_key, &sealed.ciphertext, spiffe_id)?);
        let fingerprint = digest(&SHA256, &opened).as_ref().to_vec();
        let bundle = SecretBundle::decode(opened.as_slice())?;
        let scope_keys =
            bundle.scope_keys.into_iter().map(|k| (k.id, Zeroizing::new(k.key.to_vec()))).collect();
        let credentials =
            bundle.credentials.into_iter().map(|c| (c.provider, Secret::new(c.value))).collect();
        let content_keys = bundle
            .content_keys
            .into_iter()
            .filter_map(|k| Some((k.tenant.parse().ok()?, ContentKey { id: k.id, public: k.public_key })));
        Ok(Self { scope_keys, credentials, content_keys: content_keys.collect(), fingerprint })
    }

    /// Whether the same secrets are inside.
    pub(super) fn are(&self, others: &Self) -> bool {
        self.fingerprint == others.fingerprint
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}
