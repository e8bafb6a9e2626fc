//! What closes a segment: which lines it has, what it follows, and the signature of the node that wrote it.
//!
//! A manifest is two lines of JSON: what is signed, and the signature with the certificate of its key. It is known by the SHA-256 of
//! the first line, without its line feed; signatures of the same line may differ.
//!
//! Law: the certificate is judged as of the time the manifest says it was sealed at, for a node's certificate is long over when an
//! auditor comes. When the control plane anchored it tells whether that time can be true.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_engine::vocabulary::Instant;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use webpki::{EndEntityCert, KeyUsage, aws_lc_rs as algorithms};

use super::{Digest, Fault, Kind, hex, unhex};

/// The form, and what the signed bytes begin with.
pub const DOMAIN: &str = "chancery/decisions/v1";

/// Bytes of a manifest at most: certificates are a few kilobytes.
const MOST: usize = 64 << 10;

/// How a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// It had as many lines, or bytes, as a segment has.
    Full,
    /// It was as old as a segment grows.
    Time,
    /// The process ended, and had written everything.
    Shutdown,
    /// The process was ended; what it left was sealed by the next.
    Recovered,
}

/// What a manifest says of its segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// [`DOMAIN`].
    pub format: String,
    /// The node's name within its geo.
    pub node: String,
    /// Where it runs.
    pub geo: String,
    /// The process that wrote the lines.
    pub boot_id: String,
    /// The number of the first line.
    pub first_seq: u64,
    /// The last number that was given: above that of the last line, where records after it had no place.
    pub last_seq: u64,
    /// Lines.
    pub count: u64,
    /// SHA-256 of the file.
    #[serde(with = "digits")]
    pub sha256: Digest,
    /// The hash of the last line.
    #[serde(with = "digits")]
    pub chain: Digest,
    /// The hash of the manifest before, of whatever process; zeros of the first.
    #[serde(with = "digits")]
    pub previous: Digest,
    /// The lowest revision that judged one of them.
    pub first_revision: i64,
    /// The highest.
    pub last_revision: i64,
    /// When the earliest of the requests was received.
    #[serde(with = "crate::instants")]
    pub from: Instant,
    /// When the latest was.
    #[serde(with = "crate::instants")]
    pub until: Instant,
    /// When it was sealed.
    #[serde(with = "crate::instants")]
    pub sealed: Instant,
    /// How it ended.
    pub ended: Ended,
    /// Bytes of a torn line that were cut off its end.
    pub torn: u64,
}

/// What is on the second line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// How it was signed, by TLS's name of the scheme.
    pub scheme: String,
    /// The signature, base64.
    pub signature: String,
    /// The certificate of the key and those between it and the authority, DER in base64.
    pub certificates: Vec<String>,
}

/// A manifest with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub manifest: Manifest,
    signature: Signature,
    line: Vec<u8>,
}

/// Who vouches for nodes.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Manifest {
    /// The line that is signed, without its line feed.
    pub fn line(&self) -> Vec<u8> {
        // Numbers, digits and plain words: nothing in it fails to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What the node's id is in its certificate.
    pub fn spiffe_id(&self) -> String {
        format!("spiffe://chancery/geo/{}/node/{}", self.geo, self.node)
    }
}

impl Signature {
    /// A signature over [`Signed::message`] of a line.
    pub fn new(scheme: &str, signature: &[u8], certificates: &[CertificateDer<'_>]) -> Self {
        Self {
            scheme: scheme.to_owned(),
            signature: STANDARD.encode(signature),
            certificates: certificates.iter().map(|der| STANDARD.encode(der)).collect(),
        }
    }
}

impl Signed {
    /// The bytes a signature is over.
    pub fn message(line: &[u8]) -> Vec<u8> {
        [DOMAIN.as_bytes(), b"\n", line].concat()
    }

    /// By what a line is known.
    pub fn hash_of(line: &[u8]) -> Digest {
        digest::digest(&digest::SHA256, line).as_ref().try_into().unwrap_or_default()
    }

    /// The whole manifest, as it is kept.
    pub fn text(line: &[u8], signature: &Signature) -> Vec<u8> {
        let signature = serde_json::to_vec(signature).unwrap_or_default();
        [line, b"\n", &signature, b"\n"].concat()
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not of the form.
    pub fn read(text: &[u8]) -> Result<Self, Fault> {
        let no = |why: String| Fault::new(Kind::Invalid, format!("the manifest does not read as one: {why}"));
        if text.len() > MOST {
            return Err(no("it is too large".to_owned()));
        }
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let mut whole = || lines.next().and_then(|line| line.strip_suffix(b"\n"));
        let (Some(line), Some(signature), None) = (whole(), whole(), whole()) else {
            return Err(no("it is not two lines".to_owned()));
        };
        let manifest: Manifest = serde_json::from_slice(line).map_err(|error| no(error.to_string()))?;
        let signature = serde_json::from_slice(signature).map_err(|error| no(error.to_string()))?;
        if manifest.format != DOMAIN {
            return Err(no("it is of another form".to_owned()));
        }
        Ok(Self { manifest, signature, line: line.to_vec() })
    }

    /// By what it is known.
    pub fn hash(&self) -> Digest {
        Self::hash_of(&self.line)
    }

    /// Whether the node that it names has signed it, as one of the authorities vouches.
    ///
    /// # Errors
    /// It has not, or is not vouched for.
    pub fn verify(&self, authorities: &Authorities) -> Result<(), Fault> {
        let bad = |why: &str| Fault::new(Kind::Signature, format!("the manifest's signature is bad: {why}"));
        let decoded = |text: &String| STANDARD.decode(text).map(CertificateDer::from);
        let chain: Result<Vec<_>, _> = self.signature.certificates.iter().map(decoded).collect();
        let chain = chain.map_err(|_| bad("its certificate is not base64"))?;
        let (leaf, between) = chain.split_first().ok_or_else(|| bad("it has no certificate"))?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| bad("its certificate can't be read"))?;
        let mut ids = leaf.valid_uri_names();
        if ids.next() != Some(self.manifest.spiffe_id().as_str()) {
            return Err(bad("its certificate is of somebody else"));
        }
        let scheme = match self.signature.scheme.as_str() {
            "ECDSA_NISTP256_SHA256" => algorithms::ECDSA_P256_SHA256,
            "ECDSA_NISTP384_SHA384" => algorithms::ECDSA_P384_SHA384,
            "ED25519" => algorithms::ED25519,
            "RSA_PSS_SHA256" => algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            _ => return Err(bad("its scheme is not known")),
        };
        let signature = STANDARD.decode(&self.signature.signature).map_err(|_| bad("it is not base64"))?;
        leaf.verify_signature(scheme, &Self::message(&self.line), &signature)
            .map_err(|_| bad("it is not of these bytes"))?;
        authorities.vouch(&leaf, between, self.manifest.sealed)
    }
}

impl Authorities {
    /// Those of a PEM file.
    ///
    /// # Errors
    /// There is none in it.
    pub fn of_pem(pem: &[u8]) -> Result<Self, Fault> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.ok().filter(|found| !found.is_empty());
        found
            .map(Self)
            .ok_or_else(|| Fault::new(Kind::Unknown, "there is no PEM certificate of an authority"))
    }

    /// Whether one of them vouches for a node's certificate at a time.
    fn vouch(
        &self,
        leaf: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
        at: Instant,
    ) -> Result<(), Fault> {
        let unknown = |error: webpki::Error| {
            Fault::new(Kind::Unknown, format!("no authority vouches for who signed it: {error}"))
        };
        let anchors: Result<Vec<_>, _> =
            self.0.iter().map(|der| webpki::anchor_from_trusted_cert(der)).collect();
        let at = Duration::from_micros(u64::try_from(at.0).unwrap_or_default());
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors.map_err(unknown)?,
            between,
            UnixTime::since_unix_epoch(at),
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map(drop)
        .map_err(unknown)
    }
}

/// Digests as hexadecimal digits.
mod digits {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Digest, hex, unhex};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        unhex(text.as_bytes()).ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }
}
