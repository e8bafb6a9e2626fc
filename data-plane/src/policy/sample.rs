//! Snapshots and secrets as a control plane makes them, for tests of what a node makes of them.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use policy_engine::facts::Facts;
use prost::Message;
use proto::manifest::{Holding, SCHEMA, seal};
use proto::sync::{Envelope, Resource, Scope, ScopeKey, SecretBundle, Secrets, SnapshotContents};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519,
    SanType, SigningKey as _,
};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};

use super::trust::Subject;
use super::verify::Offer;

/// The node of these tests.
pub(crate) const SPIFFE_ID: &str = "spiffe://chancery/geo/eu/node/eu-1";

/// The authority of these tests.
pub(crate) static AUTHORITY: LazyLock<TestAuthority> = LazyLock::new(TestAuthority::new);

/// An authority over certificates between the planes.
pub(crate) struct TestAuthority {
    /// PEM of its certificate.
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A key that signs what nodes are told.
pub(crate) struct TestSigner {
    key: KeyPair,
    /// DER of its certificate.
    pub(crate) certificate: Bytes,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate under one name and its key, PEM.
    pub(crate) fn issue(&self, name: SanType) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A signer of a generation.
    pub(crate) fn signer(&self, generation: u64) -> TestSigner {
        let name = format!("spiffe://chancery/signer/{generation}");
        self.signer_named(&name, vec![ExtendedKeyUsagePurpose::CodeSigning])
    }

    /// A key of this name, for these uses.
    pub(crate) fn signer_named(&self, name: &str, usages: Vec<ExtendedKeyUsagePurpose>) -> TestSigner {
        self.signed(signer_params(name, usages))
    }

    /// A signer of a generation whose certificate begins and ends so long after the Unix epoch.
    pub(crate) fn signer_between(&self, generation: u64, from: Duration, until: Duration) -> TestSigner {
        let name = format!("spiffe://chancery/signer/{generation}");
        let mut params = signer_params(&name, vec![ExtendedKeyUsagePurpose::CodeSigning]);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        (params.not_before, params.not_after) = (epoch + from, epoch + until);
        self.signed(params)
    }

    fn signed(&self, params: CertificateParams) -> TestSigner {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec().into();
        TestSigner { key, certificate }
    }
}

fn signer_params(name: &str, usages: Vec<ExtendedKeyUsagePurpose>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name).unwrap())];
    params.extended_key_usages = usages;
    params
}

impl TestSigner {
    pub(crate) fn sign(&self, subject: Subject, body: &[u8]) -> Bytes {
        self.key.sign(&subject.signed(body)).unwrap().into()
    }
}

static SIGNER: LazyLock<TestSigner> = LazyLock::new(|| AUTHORITY.signer(1));

/// An envelope and the contents it is around.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) envelope: Envelope,
    pub(crate) contents: SnapshotContents,
    /// What the contents change; empty: they are whole.
    pub(crate) base: Vec<u8>,
}

impl Sample {
    /// Facts as a revision for nodes in `eu`.
    pub(crate) fn of(facts: &Facts, revision: i64) -> Self {
        Self::holding(proto::convert::resources(facts), revision)
    }

    /// The same of resources, whatever they are.
    pub(crate) fn holding(mut resources: Vec<Resource>, revision: i64) -> Self {
        resources.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        let scope = Scope { geo: "eu".into(), node_class: String::new() };
        let envelope =
            Envelope { schema: SCHEMA, revision, signer: 1, scope: Some(scope), ..Envelope::default() };
        let contents = SnapshotContents { resources, ..SnapshotContents::default() };
        let mut sample = Self { envelope, contents, base: vec![] };
        sample.seal();
        sample
    }

    /// Facts as a revision, as changes of another.
    pub(crate) fn delta(facts: &Facts, revision: i64, before: &Self) -> Self {
        let whole = Self::of(facts, revision);
        let contents = whole.tree().changes_of(&before.tree());
        Self { contents, base: before.envelope.digest.clone(), ..whole }
    }

    fn tree(&self) -> Holding {
        let scope = self.envelope.scope.clone().unwrap_or_default();
        Holding::whole(scope, self.contents.resources.clone()).unwrap()
    }

    /// Makes every digest right again after an edit of what is whole. Of what is there twice the root is of one.
    pub(crate) fn seal(&mut self) {
        self.contents.resources.iter_mut().for_each(seal);
        let mut tree = Holding::of(self.envelope.scope.clone().unwrap_or_default());
        self.contents.resources.iter().for_each(|resource| drop(tree.put(resource.clone())));
        self.envelope.digest = tree.root().to_vec();
    }

    /// As it travels.
    pub(crate) fn offer(&self) -> Offer {
        self.signed_by(&SIGNER)
    }

    /// The same, by another signer.
    pub(crate) fn signed_by(&self, signer: &TestSigner) -> Offer {
        let envelope = self.envelope.encode_to_vec();
        Offer {
            signature: signer.sign(Subject::Snapshot, &envelope),
            signer: signer.certificate.clone(),
            envelope: envelope.into(),
            base: self.base.clone().into(),
            contents: self.contents.encode_to_vec().into(),
        }
    }
}

/// The secrets of the usual world, under this scope key, sealed to a node's public key.
pub(crate) fn secrets(public_key: &[u8], key: [u8; 32]) -> Secrets {
    secrets_of(public_key, ("k1", key))
}

/// The same under a scope key of this id.
pub(crate) fn secrets_of(public_key: &[u8], (id, key): (&str, [u8; 32])) -> Secrets {
    let scope_keys = vec![ScopeKey { id: id.into(), key: key.to_vec() }];
    let bundle = SecretBundle { scope_keys, credentials: vec![], content_keys: vec![] }.encode_to_vec();
    let to = HpkePublicKey(public_key.to_vec());
    let (encapsulated, ciphertext) =
        SUITE.seal(b"chancery/secrets/v1", SPIFFE_ID.as_bytes(), &bundle, &to).unwrap();
    Secrets { seq: 1, encapsulated_key: encapsulated.0, ciphertext }
}
