//! What two principals change together, as a publication sees it: what needs an approval, what is approved, and what becomes of that.
//!
//! Law: what was shown is what is approved. Where something in a proposal was changed since it was judged, it is superseded.

use std::collections::HashMap;

use prost::Message as _;
use proto::admin::Proposal;
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;

use super::plan::{Approved, Effect, Effects, Plan};
use super::{Mode, Published, Shared, audit};
use crate::act::Act;
use crate::clock;
use crate::error::ChangeError;
use crate::registry::Stored;
use crate::store::{ProposalRow, ProposalState, RolloutRow, Settled};

impl Approved {
    /// Why it is not any more what was proposed; `None` where it is.
    pub(super) fn overtaken(&self, base: &Published, effects: &Effects) -> Option<String> {
        let now: HashMap<String, (Effect, Option<&Stored>)> = effects
            .iter()
            .map(|(kind, id, effect)| {
                let stored = base.registry.get(*kind, id).map(AsRef::as_ref);
                (name::format(*kind, id), (*effect, stored))
            })
            .collect();
        let moved = |name: &str, then: &str| {
            // A resource that is to be deleted and is not there is unchanged under another word.
            let then = if then == "absent" { "unchanged" } else { then };
            now.get(name).is_none_or(|(effect, stored)| {
                let newer = stored.is_some_and(|stored| stored.revision > self.record.base_revision);
                newer || effect.as_str() != then
            })
        };
        let found = self.record.changes.iter().find(|change| moved(&change.name, &change.change))?;
        let line = format!(
            "`{}` was changed after it was proposed at revision {}: propose it again",
            found.name, self.record.base_revision
        );
        Some(line)
    }

    /// The act that approves it, with why and by which ticket it was proposed where whoever approves said neither.
    pub(super) fn told(&self, act: &Act) -> Act {
        let given = |own: &str, proposed: &str| if own.is_empty() { proposed } else { own }.to_owned();
        Act {
            reason: given(&act.reason, &self.record.reason),
            ticket: given(&act.ticket, &self.record.ticket),
            approvals: vec![self.record.proposer.clone(), act.actor.clone()],
            ..act.clone()
        }
    }

    /// It, superseded for a reason.
    pub(super) fn superseded(&self, reason: &str, now: i64) -> Settled {
        let record = Proposal { decision_reason: reason.to_owned(), ..self.record.clone() };
        settled(self.number, record, (ProposalState::Superseded, now))
    }

    /// It, become a revision, and a rollout where one begins with that.
    pub(super) fn published(
        &self,
        act: &Act,
        (revision, rollout): (i64, Option<&RolloutRow>),
        now: i64,
    ) -> Settled {
        let rollout = rollout.map(|row| format!("rollouts/{}", row.candidate_revision)).unwrap_or_default();
        let record = Proposal {
            approver: act.actor.clone(),
            decision_reason: act.reason.clone(),
            revision,
            rollout,
            ..self.record.clone()
        };
        settled(self.number, record, (ProposalState::Published, now))
    }
}

impl Shared {
    /// Refuses what one principal may not change alone, and the approval of what is not any more what was proposed.
    pub(super) async fn together(
        &self,
        mode: Mode,
        (base, plan): (&Published, &Plan),
        effects: &Effects,
    ) -> Result<(), ChangeError> {
        let Some(proposal) = &plan.approves else {
            if mode == Mode::Try || plan.ends.is_some() {
                return Ok(());
            }
            let mut changed = effects.iter().filter(|(_, _, effect)| *effect != Effect::Unchanged);
            return Ok(changed.try_for_each(|(kind, id, _)| self.approval.refuse_alone(*kind, id))?);
        };
        let Some(line) = proposal.overtaken(base, effects) else { return Ok(()) };
        let now = clock::now();
        let act = Act {
            resource: proposal.record.name.clone(),
            reason: line.clone(),
            ..Act::of_system("chancery.admin.v1.ProposalsService/ApproveProposal")
        };
        self.store.settle_proposal(&proposal.superseded(&line, now), &audit::noted(&act, now)).await?;
        Err(Refusal::new(ErrorCode::FailedPrecondition, line).into())
    }
}

/// A proposal as it is kept once it is decided.
pub(crate) fn settled(number: i64, record: Proposal, (state, now): (ProposalState, i64)) -> Settled {
    let record = Proposal {
        state: state.as_str().to_owned(),
        decide_time: Some(clock::timestamp(now)),
        files: Vec::new(),
        ..record
    };
    Settled { row: ProposalRow { number, body: record.encode_to_vec() }, state }
}
