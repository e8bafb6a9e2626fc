//! Proposals: changes that one principal wants and another is to approve.
//!
//! Law: a proposal is kept only where it could have been published when it was made, with its files as they were given, of which none
//! may hold a secret. It is decided once, before its time is over; that it is over is worked out when it is asked for. Absent on purpose: who may (`api::admin::proposals`), and the publication that an approval is
//! (`publish`).

use policy_engine::vocabulary::{Duration, Id, Kind};
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

/// The word for one that nobody decided in time. It is stored as pending: nothing happens at its end but that it ends.
const EXPIRED: &str = "expired";

/// Bytes of a proposal's files at most, so that whoever reads one gets it in one message of common clients.
const MAX_FILES: usize = 3 << 20;

/// Keeps a proposal that was judged and is good for so long, and gives its name; none where nothing would change.
pub(crate) async fn propose(
    store: &Store,
    (act, valid): (Act, Duration),
    wanted: Proposal,
) -> Result<String, Refusal> {
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
    let now = clock::now();
    if store.pending_proposals(now).await? >= MOST {
        let line = format!("{MOST} proposals are pending already: approve or reject some");
        return Err(Refusal::new(ErrorCode::FailedPrecondition, line));
    }
    let expires_at = now.saturating_add(valid.0);
    let files = Proposal { files: wanted.files, ..Proposal::default() }.encode_to_vec();
    let wanted = Proposal {
        state: ProposalState::Pending.as_str().to_owned(),
        proposer: act.actor.clone(),
        create_time: Some(clock::timestamp(now)),
        expire_time: Some(clock::timestamp(expires_at)),
        reason: act.reason.clone(),
        ticket: act.ticket.clone(),
        files: Vec::new(),
        ..wanted
    };
    let made = |number| Proposal { name: named(number), ..wanted.clone() }.encode_to_vec();
    let event = |row: &ProposalRow| changed_aside(&act, &named(row.number), (None, Some(&row.body)), now);
    Ok(named(store.propose((&files, expires_at), made, event).await?.number))
}

/// Ends a proposal, for the reason of the act.
pub(crate) async fn reject(store: &Store, act: &Act, proposal: Approved) -> Result<(), Refusal> {
    let now = clock::now();
    let Approved { number, record } = proposal;
    let record = Proposal { rejecter: act.actor.clone(), decision_reason: act.reason.clone(), ..record };
    let rejected = settled(number, record, (ProposalState::Rejected, now));
    Ok(store.settle_proposal(&rejected, &noted(act, now)).await?)
}

/// A proposal as it stands now, without its files.
pub(crate) fn read(row: &ProposalRow) -> Result<Proposal, Refusal> {
    let mut proposal = Proposal::decode(row.body.as_slice()).map_err(|_| unreadable())?;
    let over = proposal.expire_time.as_ref().is_some_and(|end| clock::micros(end) <= clock::now());
    if over && proposal.state == ProposalState::Pending.as_str() {
        proposal.state = EXPIRED.to_owned();
    }
    Ok(proposal)
}

/// Refuses to decide what is decided already, or can't be any more.
pub(crate) fn pending(proposal: &Proposal) -> Result<(), Refusal> {
    let line = match proposal.state.as_str() {
        state if state == ProposalState::Pending.as_str() => return Ok(()),
        EXPIRED => "it has expired: propose it again".to_owned(),
        state => format!("it is {state}, not pending"),
    };
    Err(Refusal::new(ErrorCode::FailedPrecondition, line))
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
