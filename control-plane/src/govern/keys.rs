//! API keys: `chy_<public id>_<secret>`, made by a call, shown once, and revoked for good.
//!
//! Law: of a secret only its SHA-256 is kept, sealed; the secret itself leaves in one answer and is nowhere else.
//! What is known about a key is a resource like any other, so that history and audit cover it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use policy_engine::facts::{self, Facts, ModelGlob};
use policy_engine::vocabulary::{Id, Name};
use prost_types::Timestamp;
use proto::admin::{Key, KeySpec};
use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};
use zeroize::Zeroizing;

use super::{Noun, envelope};
use crate::registry::{hex, sha256};
use crate::seal::{SealError, random};
use crate::store::Digest;

/// What every API key begins with.
pub const PREFIX: &str = "chy_";

impl Noun for Key {
    envelope!(Key {
        fn learn(&self, id: &Id, facts: &mut Facts) -> Result<(), Faults> {
            let fact = fact(self, id)?;
            facts.keys.insert(id.name.clone(), Arc::new(fact));
            Ok(())
        }

        fn forget(id: &Id, facts: &mut Facts) {
            facts.keys.remove(&id.name);
        }
    });
}

/// A new key's parts. The whole of it is in `secret` and nowhere else.
pub struct Minted {
    /// The public id.
    pub public_id: Name,
    /// SHA-256 of the secret part.
    pub digest: Digest,
    /// The whole key as a caller presents it.
    pub secret: Zeroizing<String>,
}

/// Makes the parts of a new key: a public id of 80 random bits and a secret of 256.
pub fn mint() -> Result<Minted, SealError> {
    let public_id = hex(random::<10>()?.as_slice());
    let bytes = random::<32>()?;
    // `_` parts the key, and base64url has it as a letter: it is spelled `.` here.
    let part = Zeroizing::new(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes)).replace('_', "."));
    let secret = Zeroizing::new(format!("{PREFIX}{public_id}_{}", part.as_str()));
    let digest = sha256(part.as_bytes());
    let public_id = Name::new(&public_id).map_err(|_| SealError::System)?;
    Ok(Minted { public_id, digest, secret })
}

/// The public id and the SHA-256 of the secret of a presented key; `None` where it is not of a key's form.
pub fn presented(key: &str) -> Option<(Name, Digest)> {
    let (public_id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    Some((Name::new(public_id).ok()?, sha256(secret.as_bytes())))
}

/// A key as it is stored when it is made.
pub(crate) fn new(spec: KeySpec, labels: BTreeMap<String, String>) -> Key {
    Key { labels, spec: Some(spec), ..Key::default() }
}

/// A key that is revoked from `now` on; one that was already stays as it is.
pub(crate) fn revoked(mut key: Key, now: Timestamp) -> Key {
    key.revoke_time.get_or_insert(now);
    key
}

fn fact(key: &Key, id: &Id) -> Result<facts::Key, Faults> {
    let spec = key.spec.clone().unwrap_or_default();
    let mut faults = Vec::new();
    let mut name = |field: &'static str, text: &str| match Name::new(text) {
        Ok(name) => Some(name),
        Err(_) if text.is_empty() => note(&mut faults, field, Problem::Missing),
        Err(error) => note(&mut faults, field, Problem::Invalid(error.to_string())),
    };
    let principal = name("principal", &spec.principal);
    let team = name("team", &spec.team);
    let geos = spec.geos.iter().filter_map(|geo| name("geos", geo)).collect();
    let mut models = Vec::new();
    for model in &spec.models {
        match ModelGlob::new(model) {
            Ok(glob) => models.push(glob),
            Err(error) => drop(note::<()>(&mut faults, "models", Problem::Invalid(error.to_string()))),
        }
    }
    let expires = spec.expire_time.as_ref().and_then(|time| match proto::convert::instant(time) {
        Some(instant) => Some(instant),
        None => note(&mut faults, "expireTime", Problem::Invalid("is not an instant".to_owned())),
    });
    if id.tenant.as_ref().map_or("", Name::as_str) != spec.tenant {
        let _none: Option<()> =
            note(&mut faults, "tenant", Problem::Invalid("is not the tenant of its name".to_owned()));
    }
    match (id.tenant.clone(), principal, team) {
        (Some(tenant), Some(principal), Some(team)) if faults.is_empty() => Ok(facts::Key {
            mac: [0; 32],
            scope_key: String::new(),
            tenant,
            principal,
            team,
            models,
            geos,
            expires,
            revoked: key.revoke_time.is_some(),
        }),
        _ if faults.is_empty() => Err(Faults::of("tenant", Problem::Missing)),
        _ => Err(Faults(faults)),
    }
}

fn note<T>(faults: &mut Vec<FieldFault>, field: &'static str, problem: Problem) -> Option<T> {
    faults.push(FieldFault { field: FieldPath(vec![Step::Field("spec"), Step::Field(field)]), problem });
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_is_recognised_by_its_digest_alone() {
        let minted = mint().unwrap();
        assert!(minted.secret.starts_with("chy_"));
        assert_eq!(minted.secret.matches('_').count(), 2, "the secret part has no underscore");
        assert_eq!(presented(&minted.secret), Some((minted.public_id, minted.digest)));
        for bad in ["", "chy_", "chy_abc", "sk-abc_def", "chy_../x_y"] {
            assert_eq!(presented(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_says_everything_that_is_wrong_with_it() {
        let spec = KeySpec { tenant: "acme".into(), models: vec!["a/b".into()], ..KeySpec::default() };
        let id = Id::of("acme".parse().unwrap(), "k1".parse().unwrap());
        let faults = fact(&new(spec, BTreeMap::new()), &id).unwrap_err().to_string();
        for field in ["spec.principal", "spec.team", "spec.models"] {
            assert!(faults.contains(field), "{faults}");
        }
    }
}
