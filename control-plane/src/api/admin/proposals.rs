//! Proposals over the admin API: seen, approved by another principal, rejected.
//!
//! Law: who approves may write each resource in the proposal, and is not who proposed it. Both are told by their AIP names, whatever key
//! they use. What a caller may not read all of is not there for it.

use policy_engine::vocabulary::{Action, Id, Kind};
use proto::admin::proposals_service_server::ProposalsService;
use proto::admin::{
    ApproveProposalRequest, ApproveProposalResponse, Fault, GetProposalRequest, ListProposalsRequest,
    ListProposalsResponse, Proposal, RejectProposalRequest,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::revisions::numbered;
use super::{Admin, page};
use crate::actor::{missing, owner};
use crate::manifest::{self, Declared};
use crate::proposals;
use crate::publish::{Approved, Mode};
use crate::rollback::{self, Done, Wanted};
use crate::store::Page;

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "proposals";

#[tonic::async_trait]
impl ProposalsService for Admin {
    async fn get_proposal(&self, request: Request<GetProposalRequest>) -> Result<Response<Proposal>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.ProposalsService/GetProposal", request).await?;
        let found = self.proposal(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_proposals(
        &self,
        request: Request<ListProposalsRequest>,
    ) -> Result<Response<ListProposalsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.ProposalsService/ListProposals", request).await?;
        let found = self.proposals_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn approve_proposal(
        &self,
        request: Request<ApproveProposalRequest>,
    ) -> Result<Response<ApproveProposalResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.ProposalsService/ApproveProposal", request).await?;
        let approved = self.approve(&call, &asked.name).await;
        if approved.as_ref().is_ok_and(|approved| !approved.faults.is_empty()) {
            self.note_refusal(&call, ErrorCode::InvalidRequest).await;
        }
        self.answer(&call, approved).await
    }

    async fn reject_proposal(
        &self,
        request: Request<RejectProposalRequest>,
    ) -> Result<Response<Proposal>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.ProposalsService/RejectProposal", request).await?;
        let rejected = self.reject(&call, &asked.name).await;
        self.answer(&call, rejected).await
    }
}

impl Admin {
    async fn proposal(&self, call: &Call, name: &str) -> Result<Proposal, Refusal> {
        let number = numbered(name, LIST)?;
        match self.kept_proposal(number).await? {
            Some(found) if self.may_read(call, &found)? => Ok(found),
            _ => {
                self.demand_list(call)?;
                Err(missing(name))
            }
        }
    }

    async fn proposals_page(
        &self,
        call: &Call,
        asked: &ListProposalsRequest,
    ) -> Result<ListProposalsResponse, Refusal> {
        self.demand_list(call)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let before = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| place.parse().ok());
        let page = Page { before, size: i64::try_from(size).unwrap_or(1) };
        let rows = self.publisher.store().proposals(page).await?;
        let last = rows.last().map(|row| row.number).filter(|last| *last > 1 && rows.len() == size);
        let next_page_token =
            last.map(|last| page::token(sealer, LIST, &last.to_string())).unwrap_or_default();
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let proposal = proposals::read(row)?;
            if self.may_read(call, &proposal)? {
                found.push(proposal);
            }
        }
        Ok(ListProposalsResponse { proposals: found, next_page_token })
    }

    async fn approve(&self, call: &Call, name: &str) -> Result<ApproveProposalResponse, Refusal> {
        let (number, proposal) = self.to_be_decided(call, name).await?;
        self.demand_writes(call, &proposal)?;
        proposals::pending(&proposal)?;
        if proposal.proposer == call.actor.name() {
            let line = format!("`{}` proposed it: another principal is to approve it", proposal.proposer);
            return Err(Refusal::new(ErrorCode::PermissionDenied, line));
        }
        let faults = self.publish_proposal(call, number, proposal).await?;
        let proposal = self.kept_proposal(number).await?;
        Ok(ApproveProposalResponse { proposal, faults })
    }

    /// Publishes what a proposal says, or gives every fault that it has now.
    async fn publish_proposal(
        &self,
        call: &Call,
        number: i64,
        mut proposal: Proposal,
    ) -> Result<Vec<Fault>, Refusal> {
        let staging = self.staging(call, (proposal.staged, proposal.manual)).await?;
        let how = (call.act(proposal.name.clone()), Mode::Commit);
        if proposal.verb == "rollback" {
            let wanted = self.proposed_back(&proposal).await?;
            let approves = Some(Approved { number, record: proposal });
            let wanted = Wanted { staging, approves, ..wanted };
            let (done, _) = rollback::rollback(&self.publisher, &call.actor, how, wanted).await?;
            let Done::Faulty(faults) = done else { return Ok(Vec::new()) };
            return Ok(manifest::faulty(
                faults.into_iter().map(|fault| manifest::place(fault, None)).collect(),
            ));
        }
        let deletes = proposal.verb == "delete";
        let declared = Declared {
            files: std::mem::take(&mut proposal.files),
            staging,
            may_shrink: proposal.allow_shrink,
            kept: false,
            prune: std::mem::take(&mut proposal.prune_labels).into_iter().collect(),
            approves: Some(Approved { number, record: proposal }),
            nodes_in: self.nodes.geos(),
        };
        Ok(match deletes {
            true => manifest::delete(&self.publisher, &call.actor, how, declared).await?.faults,
            false => manifest::apply(&self.publisher, &call.actor, how, declared).await?.faults,
        })
    }

    async fn reject(&self, call: &Call, name: &str) -> Result<Proposal, Refusal> {
        let (number, record) = self.to_be_decided(call, name).await?;
        if record.proposer != call.actor.name() {
            self.demand_writes(call, &record)?;
        }
        proposals::pending(&record)?;
        let act = call.act(name.to_owned());
        proposals::reject(self.publisher.store(), &act, Approved { number, record }).await?;
        self.kept_proposal(number).await?.ok_or_else(|| missing(name))
    }

    /// A proposal, for a caller who wants to decide it; whether it is there is not everybody's to know.
    async fn to_be_decided(&self, call: &Call, name: &str) -> Result<(i64, Proposal), Refusal> {
        call.concerns(name.to_owned());
        let number = numbered(name, LIST)?;
        match self.kept_proposal(number).await? {
            Some(found) => Ok((number, found)),
            None => {
                self.demand_list(call)?;
                Err(missing(name))
            }
        }
    }

    async fn kept_proposal(&self, number: i64) -> Result<Option<Proposal>, Refusal> {
        let found = self.publisher.store().proposal(number).await?;
        found.map(|(row, files)| proposals::read_whole(&row, &files)).transpose()
    }

    /// Refuses who may read proposals neither of the platform nor of its own tenant.
    fn demand_list(&self, call: &Call) -> Result<(), Refusal> {
        let published = self.publisher.current();
        let own = call.actor.own_tenant();
        if published.permits_plural(&call.actor, Action::Read, LIST, own) {
            return Ok(());
        }
        published.demand_plural(&call.actor, Action::Read, LIST, None)
    }

    /// Whether the caller may read a proposal: its own, and, who may read proposals, those of what it may read.
    fn may_read(&self, call: &Call, proposal: &Proposal) -> Result<bool, Refusal> {
        if proposal.proposer == call.actor.name() {
            return Ok(true);
        }
        let published = self.publisher.current();
        let may =
            |(kind, id): &(Kind, Id)| published.permits(&call.actor, Action::Read, *kind, owner(*kind, id));
        Ok(self.demand_list(call).is_ok() && proposals::resources(proposal)?.iter().all(may))
    }

    fn demand_writes(&self, call: &Call, proposal: &Proposal) -> Result<(), Refusal> {
        let published = self.publisher.current();
        let mut all = proposals::resources(proposal)?.into_iter();
        all.try_for_each(|(kind, id)| published.demand_write(&call.actor, kind, &id))
    }
}
