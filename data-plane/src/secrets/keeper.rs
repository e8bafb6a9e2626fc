//! The keepers of secrets that a node knows, and which of them is asked.
//!
//! Law: what is fetched is a text with something in it, without the white space around it, as of a credential's file.

use policy_engine::facts::Credential;
use zeroize::Zeroizing;

use super::asker::{NotFetched, Unfit};
use super::aws::Aws;
use super::file;
use super::vault::Vault;
use crate::config;

/// The keepers that this node knows.
#[derive(Default)]
pub(super) struct Keepers {
    pub(super) vault: Option<Vault>,
    pub(super) aws: Option<Aws>,
}

impl Keepers {
    /// Those that a configuration names.
    pub(super) fn of(config: &config::Secrets) -> Result<Self, Unfit> {
        let vault = config.vault_address.as_ref().map(|address| Vault::of(address, config)).transpose()?;
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self { vault, aws: Aws::of(config, environment)? })
    }

    /// Asks for one secret.
    pub(super) async fn fetch(&self, reference: &Credential) -> Result<Zeroizing<String>, NotFetched> {
        let found = match reference {
            Credential::Vault(place) => {
                self.vault.as_ref().ok_or(NotFetched::NoKeeper("secrets.vault_address"))?.fetch(place).await
            }
            Credential::Aws(place) => {
                self.aws.as_ref().ok_or(NotFetched::NoKeeper("secrets.aws_region"))?.fetch(place).await
            }
            Credential::File(path) => file::fetch(path).await,
            Credential::Env(_) | Credential::Sealed => Err(NotFetched::Gone("it is not kept elsewhere")),
        }?;
        let trimmed = found.trim();
        match trimmed.len() {
            0 => Err(NotFetched::Gone("it is empty")),
            length if length == found.len() => Ok(found),
            _ => Ok(Zeroizing::new(trimmed.to_owned())),
        }
    }
}
