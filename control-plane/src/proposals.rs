//! Proposals: changes that one principal wants and another is to approve.
//!
//! Law: a proposal is kept only where it could have been published when it was made, with its files as they were given, of which none
//! may hold a secret. It is decided once. Absent on purpose: who may (`api::admin::proposals`), and the publication that an approval is
//! (`publish`).

use policy_engine::vocabulary::{Id, Kind};
use prost::Message as _;
use proto::admin::{Proposal, ResourceChange};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;

use crate::act::{Act, changed_aside};
use crate::clock;
use crate::publish::{Approved, noted, settled};
use crate::store::{ProposalRow, ProposalState, Store};

/// Proposals that may be pending: each is kept whole, and looked at by people.
const MOST: i64 = 1_000;

/// Bytes of a proposal's files at most, so that whoever reads one gets it in one message of common clients.
const MAX_FILES: usize = 3 << 20;

/// Keeps a proposal that was judged, and gives its name; none where nothing would change.
pub(crate) async fn propose(store: &Store, act: Act, wanted: Proposal) -> Result<String, Refusal> {
    let idle = |change: &ResourceChange| matches!(change.change.as_str(), "unchanged" | "absent");
    if wanted.changes.iter().all(idle) {
        return Ok(String::new());
    }
    let size = |total: usize, part: usize| total.saturating_add(part);
    if wanted.files.iter().map(|file| file.path.len().saturating_add(file.text.len())).fold(0, size)
        > MAX_FILES
    {
        let line = format!("are more than {MAX_FILES} bytes: propose them in parts");
        return Err(Refusal::field("files", line));
    }
    if store.pending_proposals().await? >= MOST {
        let line = format!("{MOST} proposals are pending already: approve or reject some");
        return Err(Refusal::new(ErrorCode::FailedPrecondition, line));
    }
    let now = clock::now();
    let files = Proposal { files: wanted.files, ..Proposal::default() }.encode_to_vec();
    let wanted = Proposal {
        state: ProposalState::Pending.as_str().to_owned(),
        proposer: act.actor.clone(),
        create_time: Some(clock::timestamp(now)),
        reason: act.reason.clone(),
        ticket: act.ticket.clone(),
        files: Vec::new(),
        ..wanted
    };
    let made = |number| Proposal { name: named(number), ..wanted.clone() }.encode_to_vec();
    let event = |row: &ProposalRow| changed_aside(&act, &named(row.number), (None, Some(&row.body)), now);
    Ok(named(store.propose(&files, made, event).await?.number))
}

/// Ends a proposal, for the reason of the act.
pub(crate) async fn reject(store: &Store, act: &Act, proposal: Approved) -> Result<(), Refusal> {
    let now = clock::now();
    let Approved { number, record } = proposal;
    let record = Proposal { rejecter: act.actor.clone(), decision_reason: act.reason.clone(), ..record };
    let rejected = settled(number, record, (ProposalState::Rejected, now));
    Ok(store.settle_proposal(&rejected, &noted(act, now)).await?)
}

/// A proposal as stored, without its files.
pub(crate) fn read(row: &ProposalRow) -> Result<Proposal, Refusal> {
    Proposal::decode(row.body.as_slice()).map_err(|_| unreadable())
}

/// The same with its files.
pub(crate) fn read_whole(row: &ProposalRow, files: &[u8]) -> Result<Proposal, Refusal> {
    let mut proposal = read(row)?;
    proposal.merge(files).map_err(|_| unreadable())?;
    Ok(proposal)
}

/// What a proposal would change, but for keys that go with something.
pub(crate) fn resources(proposal: &Proposal) -> Result<Vec<(Kind, Id)>, Refusal> {
    let read = |change: &ResourceChange| {
        let kind: Kind = change.kind.parse().map_err(|_| unreadable())?;
        Ok((kind, name::parse_as(kind, &change.name).map_err(|_| unreadable())?))
    };
    let all = proposal.changes.iter().map(read).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(all.into_iter().filter(|(kind, _)| *kind != Kind::Key).collect())
}

fn named(number: i64) -> String {
    format!("proposals/{number}")
}

fn unreadable() -> Refusal {
    Refusal::new(ErrorCode::Internal, "what is stored can't be read")
}
