//! `decisions`: what nodes wrote down of requests, and whether it is whole.

mod content;
mod gather;
mod kept;
pub(super) mod records;
mod replay;
pub(super) mod scopes;
mod segments;
mod verify;

use std::path::Path;

use clap::Subcommand;
use proto::segment::Gap;

use super::failure::Failure;
use crate::client::Client;

/// See and verify the decision log: the segments in which nodes write down what became of each request.
#[derive(Debug, Subcommand)]
pub(crate) enum Decisions {
    /// List the segments that nodes have sealed, as they told, where each is in the audit log, and what is missing between them.
    Segments(segments::Segments),
    /// Verify segments without asking anybody: lines, chains, signatures, and what is missing between. It needs --ca, the authority
    /// of the nodes.
    Verify(verify::Verify),
    /// Decide again what was decided, by what nodes held then: effect, rules and candidates of each record have to come out the same. The
    /// segments are verified first, which needs --ca; of what nodes held, the control plane is asked.
    Replay(replay::Replay),
    /// Show what a request asked and was answered, where a rule had that kept. It is opened here; the control plane gives its key, for a
    /// reason, to who may `open` captured content of its tenant, and logs that first.
    Content(content::Content),
}

/// Asks the control plane.
pub(super) async fn run(
    client: &Client,
    decisions: &Decisions,
    authorities: Option<&Path>,
) -> Result<(), Failure> {
    match decisions {
        Decisions::Segments(asked) => asked.run(client).await,
        Decisions::Verify(asked) => asked.run(authorities),
        Decisions::Replay(asked) => asked.run(client, authorities).await,
        Decisions::Content(asked) => asked.run(client).await,
    }
}

/// Verifies without a control plane.
pub(super) fn verify(asked: &verify::Verify, authorities: Option<&Path>) -> Result<(), Failure> {
    asked.run(authorities)
}

/// What is missing, as it is told.
fn gap(gap: &Gap) -> String {
    let (geo, node) = &gap.node;
    let seqs = match gap.seqs {
        (Some(first), Some(last)) if first == last => format!("seq {first}"),
        (Some(first), Some(last)) => format!("seq {first} to {last}"),
        (Some(first), None) => format!("seq {first} and after"),
        (None, Some(last)) => format!("up to seq {last}"),
        (None, None) => "what was before".to_owned(),
    };
    format!("{geo}/{node} {} {seqs}: {}", gap.boot_id, gap.why)
}
