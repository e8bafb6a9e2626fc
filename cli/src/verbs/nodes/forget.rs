//! `nodes forget`: a node that is gone is listed no more.

use clap::Args;

use super::super::Shown;
use super::super::because::Because;
use super::super::failure::Failure;
use crate::client::Client;

/// Which node is forgotten.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// Its id, or its whole name such as `nodes/eu-1`.
    node: String,
    #[command(flatten)]
    because: Because,
    #[command(flatten)]
    shown: Shown,
}

impl Forget {
    /// Forgets it.
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let client = &self.because.told_by(client)?;
        let name = super::name(&self.node)?;
        let reply = client.post(&format!("{name}:forget"), &serde_json::json!({})).await?;
        self.shown.print(&reply, || format!("forgot {name}: it is listed again if it comes again\n"));
        Ok(())
    }
}
