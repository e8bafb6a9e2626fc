//! `--reason` and `--ticket`: why a verb changes something, for the log of acts.

use clap::Args;

use super::failure::Failure;
use crate::client::Client;

/// Why something is changed.
#[derive(Debug, Clone, Args)]
pub(super) struct Because {
    /// Why, for the log of acts. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The change request or incident behind it, for the log of acts.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
}

impl Because {
    /// Why, of a verb that must be told.
    pub(super) fn of(reason: &str, ticket: Option<&str>) -> Self {
        Self { reason: Some(reason.to_owned()), ticket: ticket.map(str::to_owned) }
    }

    /// A client that tells it with every call.
    pub(super) fn told_by(&self, client: &Client) -> Result<Client, Failure> {
        let said = [("x-chancery-reason", &self.reason), ("x-chancery-ticket", &self.ticket)];
        said.into_iter().try_fold(client.clone(), |client, (header, text)| match text {
            Some(text) => Ok(client.telling(header, text)?),
            None => Ok(client),
        })
    }
}
