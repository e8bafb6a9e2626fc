//! Who may take the platform's rights for a while, and for how long.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Length;

/// The longest that can be configured.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Who may take the platform's rights for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakGlassConfig {
    /// Who may, by the names the audit log knows them by, such as `["platform/eve", "tenants/acme/principals/ops"]`. Default nobody.
    #[serde(deserialize_with = "names")]
    pub who: Vec<String>,
    /// For how long at most; `24h` at most. Default `1h`.
    #[serde(deserialize_with = "most")]
    pub max: Length,
}

impl Default for BreakGlassConfig {
    fn default() -> Self {
        Self { who: Vec::new(), max: Length(Duration::from_secs(60 * 60)) }
    }
}

fn names<'de, D: Deserializer<'de>>(read: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(read)?;
    let is_named = |name: &&String| match name.split('/').collect::<Vec<_>>().as_slice() {
        ["platform", name] => !name.is_empty(),
        ["tenants", tenant, "principals", principal] => !tenant.is_empty() && !principal.is_empty(),
        _ => false,
    };
    match names.iter().find(|name| !is_named(name)) {
        Some(name) => Err(D::Error::custom(format!(
            "`{name}` is neither `platform/(name of a token)` nor `tenants/(tenant)/principals/(principal)`"
        ))),
        None => Ok(names),
    }
}

fn most<'de, D: Deserializer<'de>>(read: D) -> Result<Length, D::Error> {
    let length = Length::deserialize(read)?;
    match !length.0.is_zero() && length.0 <= LONGEST {
        true => Ok(length),
        false => Err(D::Error::custom("rights are taken for longer than nothing and for `24h` at most")),
    }
}
