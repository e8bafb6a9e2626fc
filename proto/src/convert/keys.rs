//! What nodes learn of API keys, in from the wire and out to it.

use policy_engine::facts::{Key, ModelGlob};
use policy_engine::vocabulary::{Instant, Name};
use prost_types::Timestamp;

use super::checks::{Checks, Faults, Problem};
use super::texts;
use crate::sync::KeyFact;

impl TryFrom<&KeyFact> for Key {
    type Error = Faults;

    fn try_from(wire: &KeyFact) -> Result<Self, Faults> {
        let mut c = Checks::default();
        let mac: Option<[u8; 32]> = wire.mac.as_slice().try_into().ok();
        if mac.is_none() {
            c.invalid("mac", "is not 32 bytes");
        }
        if wire.scope_key_id.is_empty() {
            c.fault("scopeKeyId", Problem::Missing);
        }
        let scope_key = c.text("scopeKeyId", &wire.scope_key_id);
        let tenant: Option<Name> = c.required("tenant", &wire.tenant);
        let principal: Option<Name> = c.required("principal", &wire.principal);
        let team: Option<Name> = c.required("team", &wire.team);
        let models = c.list_by("models", &wire.models, ModelGlob::new);
        let geos = c.list("geos", &wire.geos);
        let expires = wire.expires_at.as_ref().and_then(|at| match instant(at) {
            Some(instant) => Some(instant),
            None => {
                c.invalid("expiresAt", "is not an instant");
                None
            }
        });
        let revoked = wire.revoked;
        let known = mac.zip(tenant).zip(principal.zip(team));
        c.finish(known.map(|((mac, tenant), (principal, team))| Self {
            mac,
            scope_key,
            tenant,
            principal,
            team,
            models,
            geos,
            expires,
            revoked,
        }))
    }
}

impl From<(&Name, &Key)> for KeyFact {
    fn from((public_id, fact): (&Name, &Key)) -> Self {
        Self {
            public_id: public_id.to_string(),
            mac: fact.mac.to_vec(),
            scope_key_id: fact.scope_key.clone(),
            tenant: fact.tenant.to_string(),
            principal: fact.principal.to_string(),
            team: fact.team.to_string(),
            models: texts(&fact.models),
            geos: texts(&fact.geos),
            expires_at: fact.expires.map(timestamp),
            revoked: fact.revoked,
        }
    }
}

/// The instant of a timestamp, cut to microseconds; `None` where it is no valid timestamp.
pub fn instant(wire: &Timestamp) -> Option<Instant> {
    let nanos = u32::try_from(wire.nanos).ok().filter(|n| *n < 1_000_000_000)?;
    wire.seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000)).map(Instant)
}

/// The timestamp of an instant.
pub fn timestamp(instant: Instant) -> Timestamp {
    let micros = instant.0.rem_euclid(1_000_000);
    let nanos = i32::try_from(micros.saturating_mul(1000)).unwrap_or_default();
    Timestamp { seconds: instant.0.div_euclid(1_000_000), nanos }
}
