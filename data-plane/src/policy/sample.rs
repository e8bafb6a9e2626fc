//! Snapshots and secrets as a control plane makes them, for tests of what a node makes of them.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use policy_engine::facts::Facts;
use prost::Message;
use proto::sync::{Envelope, Resource, Scope, ScopeKey, SecretBundle, Secrets, SnapshotContents};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};

/// The node of these tests.
pub(crate) const SPIFFE_ID: &str = "spiffe://chancery/geo/eu/node/eu-1";

/// An envelope and the contents it is around.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) envelope: Envelope,
    pub(crate) contents: SnapshotContents,
}

impl Sample {
    /// Facts as a revision for nodes in `eu`.
    pub(crate) fn of(facts: &Facts, revision: i64) -> Self {
        Self::holding(proto::convert::resources(facts), revision)
    }

    /// The same of resources, whatever they are.
    pub(crate) fn holding(resources: Vec<Resource>, revision: i64) -> Self {
        let scope = Scope { geo: "eu".into(), node_class: String::new() };
        let envelope = Envelope { schema: 1, revision, scope: Some(scope), ..Envelope::default() };
        let mut sample =
            Self { envelope, contents: SnapshotContents { resources, ..SnapshotContents::default() } };
        sample.seal();
        sample
    }

    /// Makes every digest right again after an edit.
    pub(crate) fn seal(&mut self) {
        for resource in &mut self.contents.resources {
            resource.digest = digest(&SHA256, &resource.body).as_ref().to_vec();
        }
        let scope = self.envelope.scope.clone().unwrap_or_default();
        let manifest = proto::manifest::canonical(&scope, &self.contents.resources);
        self.envelope.digest = digest(&SHA256, &manifest).as_ref().to_vec();
    }

    /// As it travels.
    pub(crate) fn encoded(&self) -> (Bytes, Bytes) {
        (self.envelope.encode_to_vec().into(), self.contents.encode_to_vec().into())
    }
}

/// The secrets of the usual world, under this scope key, sealed to a node's public key.
pub(crate) fn secrets(public_key: &[u8], key: [u8; 32]) -> Secrets {
    let scope_keys = vec![ScopeKey { id: "k1".into(), key: key.to_vec() }];
    let bundle = SecretBundle { scope_keys, credentials: vec![] }.encode_to_vec();
    let to = HpkePublicKey(public_key.to_vec());
    let (encapsulated, ciphertext) =
        SUITE.seal(b"chancery/secrets/v1", SPIFFE_ID.as_bytes(), &bundle, &to).unwrap();
    Secrets { seq: 1, encapsulated_key: encapsulated.0, ciphertext }
}
