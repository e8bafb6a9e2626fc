//! How what is recorded goes that a retention keeps no longer.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Length;

/// How what is recorded goes that a retention keeps no longer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// How long after it was set a retention takes effect, so that others see it, and may place a hold or delete it, before anything
    /// goes. Default `24h`.
    pub grace: Length,
    /// How often it is looked what is over; also as soon as a retention or a hold changes. Default `10m`.
    #[serde(deserialize_with = "some")]
    pub every: Length,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let minutes = |n: u64| Length(Duration::from_secs(n * 60));
        Self { grace: minutes(24 * 60), every: minutes(10) }
    }
}

fn some<'de, D: Deserializer<'de>>(read: D) -> Result<Length, D::Error> {
    let length = Length::deserialize(read)?;
    match length.0.is_zero() {
        true => Err(D::Error::custom("what is over is looked for at some distance")),
        false => Ok(length),
    }
}
