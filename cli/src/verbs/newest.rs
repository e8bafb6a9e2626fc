//! Lists of what happened, the newest first, of which one wants a few.

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::{Shown, field};
use crate::client::Client;

/// How many are listed.
#[derive(Debug, Args)]
pub(crate) struct Newest {
    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    shown: Shown,
}

impl Newest {
    /// Shows the newest of a collection, as `listed` tells its page.
    pub(super) async fn print(
        &self,
        client: &Client,
        collection: &str,
        listed: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        self.print_such(client, (collection, &[]), listed).await
    }

    /// The same of those that are like what a query asks.
    pub(super) async fn print_such(
        &self,
        client: &Client,
        (collection, query): (&str, &[(&str, String)]),
        listed: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        let reply = client.some(collection, (query, usize::from(self.limit)), collection).await?;
        field::unmatched(field::list(&reply.json, collection), query, self.shown);
        self.shown.print(&reply, || listed(&reply.json));
        field::unlisted(&reply.json, (field::list(&reply.json, collection), self.limit), self.shown);
        Ok(())
    }
}
