//! On which terms many resources are changed at once: tried, proposed, by stages, or simply so; and how that ends.

use clap::Args;
use serde_json::{Map, Value};

use super::changes::Mood;
use super::failure::Failure;
use super::field::{self, text};
use super::wait::Wait;
use super::{Shown, callable, priced};
use crate::client::{Client, Reply};
use crate::output;

/// The terms, as the flags of a verb.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Terms {
    /// Check and tell what would change, and what that would have decided otherwise of the last 24 hours' requests; change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Take it to the nodes stage by stage, the canary of the first geo first; users, teams, keys and limits come and go at all at once.
    #[arg(long)]
    pub(super) staged: bool,
    /// Let each stage wait for `chancery rollouts approve`.
    #[arg(long, requires = "staged")]
    pub(super) manual: bool,
    /// The policy may hold much less than before: without it, nothing is done that would leave no keys, models, grants or rules, or less
    /// than half of everything.
    #[arg(long)]
    pub(super) allow_shrink: bool,
    /// Judge it and keep it as a proposal, for another principal to approve by `chancery proposals approve`; change nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "wait"])]
    pub(super) propose: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
}

impl Terms {
    /// What is only tried or proposed, or neither.
    pub(super) fn of(dry_run: bool, propose: bool) -> Self {
        Self { dry_run, staged: false, manual: false, allow_shrink: false, propose, wait: Wait::default() }
    }

    /// What becomes of resources by these terms.
    pub(super) fn mood(self) -> Mood {
        match (self.dry_run, self.propose) {
            (true, _) => Mood::Tried,
            (_, true) => Mood::Proposed,
            _ => Mood::Done,
        }
    }

    /// The same as fields of a call; what is not meant is not said, so that a control plane that does not know the word yet still answers.
    pub(super) fn fields(self) -> Map<String, Value> {
        let all = [
            ("dryRun", self.dry_run),
            ("staged", self.staged),
            ("manual", self.manual),
            ("allowShrink", self.allow_shrink),
            ("propose", self.propose),
        ];
        all.into_iter().filter(|(_, meant)| *meant).map(|(name, _)| (name.to_owned(), true.into())).collect()
    }

    /// After an answer without faults: says what waits for somebody, or waits for the nodes, and tells what callers may stumble over.
    pub(super) async fn end(self, client: &Client, reply: &Reply, shown: Shown) -> Result<(), Failure> {
        field::warned(&reply.json, shown);
        let (rollout, proposal) = (text(&reply.json, "rollout"), text(&reply.json, "proposal"));
        match self.mood() {
            Mood::Tried => return Ok(()),
            Mood::Proposed => {
                // What would change nothing is no proposal.
                if !proposal.is_empty() {
                    output::complain(&format!(
                        "{proposal} waits for another principal: chancery proposals approve {proposal}"
                    ));
                }
                return Ok(());
            }
            Mood::Done => {}
        }
        let waited = match rollout.is_empty() {
            false => self.wait.rolled_out(client, &rollout, shown).await,
            // Where nothing changed, the revision that was there is the one to wait for.
            true => self.wait.enforced(client, reply.revision, shown).await,
        };
        // It is published, whether or not nodes follow.
        callable::warn(client, &reply.json).await;
        priced::warn(client, &reply.json).await;
        waited
    }
}
