//! Instants in JSON: RFC 3339, or a date where it is a midnight.

use policy_engine::vocabulary::Instant;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(instant: &Instant, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(instant)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
    let text = String::deserialize(from)?;
    Instant::parse(&text).map_err(D::Error::custom)
}
