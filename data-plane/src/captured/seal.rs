//! Sealing to a tenant: a key of its own for each content, and that key to the tenant's public half (RFC 9180, base mode).

use aws_lc_rs::rand;
use policy_engine::vocabulary::Instant;
use proto::captured::{self, DOMAIN, Header, INFO, KEY, bound};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};
use zeroize::Zeroizing;

use super::gather::{Content, Whose};

/// The line of a content; `None` where it can't be sealed.
pub(super) fn line(whose: &Whose, until: Instant, content: &Content) -> Option<Vec<u8>> {
    let mut key = Zeroizing::new([0; KEY]);
    rand::fill(key.as_mut_slice()).ok()?;
    let bound = bound(&whose.request_id, whose.tenant.as_str(), whose.geo.as_str());
    let to = HpkePublicKey(content.key.public.clone());
    let (encapsulated, wrapped) = SUITE.seal(INFO, &bound, key.as_slice(), &to).ok()?;
    let header = Header {
        format: DOMAIN.to_owned(),
        request_id: whose.request_id.clone(),
        tenant: whose.tenant.to_string(),
        geo: whose.geo.to_string(),
        time: whose.received,
        until,
        key: content.key.id.clone(),
        truncated: content.cut.clone(),
        encapsulated: encapsulated.0,
        wrapped,
    };
    captured::seal(&header, &key, (&content.prompt, &content.answer)).ok()
}
