//! Who may administer the control plane, and how.

use std::path::PathBuf;

use policy_engine::vocabulary::Name;
use serde::Deserialize;

use super::ConfigError;

/// Under which name the audit log knows the holder of the token that is made at the first start.
pub(crate) const MADE_HERE: &str = "root";

/// Who may administer the control plane, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Platform admin tokens. Default: none. Where none is an administrator's, one is made at the first start and is then in `admin.token` of
    /// the control plane's own directory, for its owner alone.
    pub tokens: Vec<AdminToken>,
    /// PEM file of the admin port's certificate chain. Default: none, and the port speaks plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its private key; given exactly when the certificate is.
    pub tls_key: Option<PathBuf>,
    /// Connections open at the same time, on the admin port and on the ops port each; further ones wait. Default 4096.
    pub connections: usize,
}

/// A platform admin token, by its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminToken {
    /// Under which name the audit log knows its holder.
    pub name: String,
    /// SHA-256 of the token, lower-case hexadecimal. The token itself should be 256 random bits.
    pub sha256: String,
    /// What its holder may do: `admin` everything, `auditor` look. Default `admin`.
    #[serde(default)]
    pub role: AdminRole,
    /// The only tenants an auditor may look at. Default none: every tenant, and what is the platform's own.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The only geos whose nodes and segments an auditor may look at. Default none: every geo where there are no tenants, else none.
    #[serde(default)]
    pub geos: Vec<String>,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminRole {
    /// Everything.
    #[default]
    Admin,
    /// Look, and be seen looking.
    Auditor,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { tokens: Vec::new(), tls_certificate: None, tls_key: None, connections: 4096 }
    }
}

impl AdminConfig {
    /// Refuses what can't be meant.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.connections == 0 {
            return Err(ConfigError::Value("`admin.connections` is 0: it must be at least 1".to_owned()));
        }
        self.tokens.iter().try_for_each(AdminToken::check)?;
        self.tell_apart()
    }
}

impl AdminConfig {
    /// Refuses that one name, or one token, is an administrator's and an auditor's: the log of acts could not tell them apart.
    fn tell_apart(&self) -> Result<(), ConfigError> {
        let of = |role| self.tokens.iter().filter(move |token| token.role == role);
        // Where nobody administers, the token that is made at the first start does.
        let made = of(AdminRole::Admin).next().is_none().then_some(MADE_HERE);
        for auditor in of(AdminRole::Auditor) {
            let twin = |admin: &AdminToken| {
                admin.name == auditor.name || admin.sha256.eq_ignore_ascii_case(&auditor.sha256)
            };
            if made == Some(auditor.name.as_str()) || of(AdminRole::Admin).any(twin) {
                let why = format!(
                    "the admin token `{}` is an administrator's and an auditor's: give each its own name and token",
                    auditor.name
                );
                return Err(ConfigError::Value(why));
            }
        }
        Ok(())
    }
}

impl AdminToken {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |why: String| Err(ConfigError::Value(format!("the admin token `{}` {why}", self.name)));
        let narrowed = !(self.tenants.is_empty() && self.geos.is_empty());
        if self.role == AdminRole::Admin && narrowed {
            return wrong(
                "is narrowed to tenants or geos, which only an auditor's is: add `role = \"auditor\"`"
                    .to_owned(),
            );
        }
        match self.tenants.iter().chain(&self.geos).find(|name| Name::new(name).is_err()) {
            Some(name) => wrong(format!("names `{name}`, which no tenant or geo can be called")),
            None => Ok(()),
        }
    }
}
