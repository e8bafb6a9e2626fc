//! The keys of `[secrets]`: where credentials are kept that policy names and does not hold.
//!
//! Law: no secret is a key here, only where the node finds what it is known by.

use std::path::PathBuf;

use serde::Deserialize;

/// Where credentials are kept that policy names and does not hold, and what this node is known by there. Their hosts may be anywhere:
/// they are the operator's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// Seconds after which a secret is asked for, or its file read, again, a tenth more or less, 10 to 86400; default 300.
    pub refresh_seconds: u64,
    /// Seconds for which a secret stays in use that its keeper does not confirm, 0 to 604800; default 86400.
    pub keep_seconds: u64,
    /// A Vault server, such as `https://vault.internal:8200`; default none.
    pub vault_address: Option<String>,
    /// Its namespace; default none.
    pub vault_namespace: Option<String>,
    /// A file of PEM certificates that it may be vouched for by, beside the public authorities.
    pub vault_ca: Option<PathBuf>,
    /// A file with a token, read each time it is needed; without this and the two ways below, the token of `VAULT_TOKEN`.
    pub vault_token_file: Option<PathBuf>,
    /// The id of a role, to sign in by AppRole.
    pub vault_role_id: Option<String>,
    /// A file with the secret id of that role.
    pub vault_secret_id_file: Option<PathBuf>,
    /// The name of a role, to sign in by a pod's token.
    pub vault_kubernetes_role: Option<String>,
    /// The file of that token; default where Kubernetes puts it.
    pub vault_kubernetes_token_file: Option<PathBuf>,
    /// Where the way of signing in is mounted; default `approle`, or `kubernetes`.
    pub vault_auth_mount: Option<String>,
    /// The region of AWS Secrets Manager; default that of `AWS_REGION` in the environment.
    pub aws_region: Option<String>,
    /// Its endpoint, as an http or https URL; default Amazon's in the region.
    pub aws_endpoint: Option<String>,
    /// A file of PEM certificates that it may be vouched for by, beside the public authorities.
    pub aws_ca: Option<PathBuf>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            refresh_seconds: 300,
            keep_seconds: 86_400,
            vault_address: None,
            vault_namespace: None,
            vault_ca: None,
            vault_token_file: None,
            vault_role_id: None,
            vault_secret_id_file: None,
            vault_kubernetes_role: None,
            vault_kubernetes_token_file: None,
            vault_auth_mount: None,
            aws_region: None,
            aws_endpoint: None,
            aws_ca: None,
        }
    }
}
