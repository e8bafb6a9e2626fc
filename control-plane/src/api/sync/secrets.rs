//! Secrets on their way to one node: sealed to its key, under its name.

use proto::sync::Secrets;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};

use super::line::Bundle;
use super::peer::NodeId;

/// What secrets are sealed for; changes only together with the protocol.
const INFO: &[u8] = b"chancery/secrets/v1";

/// Seals a bundle so that only this node opens it (RFC 9180, base mode; the node's SPIFFE id is the associated data).
pub(super) fn seal(
    bundle: &Bundle,
    seq: u64,
    node: &NodeId,
    public_key: &[u8],
) -> Result<Secrets, rustls::Error> {
    let to = HpkePublicKey(public_key.to_vec());
    let (encapsulated, ciphertext) = SUITE.seal(INFO, node.spiffe_id().as_bytes(), &bundle.encoded, &to)?;
    Ok(Secrets { seq, encapsulated_key: encapsulated.0, ciphertext })
}
