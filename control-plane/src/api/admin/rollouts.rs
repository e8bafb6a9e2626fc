//! Rollouts over the admin API: how staged changes reach the nodes, and who steers that.

use policy_engine::vocabulary::Action;
use prost::Message as _;
use proto::admin::rollouts_service_server::RolloutsService;
use proto::admin::{
    AbortRolloutRequest, ApproveRolloutRequest, GetRolloutRequest, ListRolloutsRequest, ListRolloutsResponse,
    PauseRolloutRequest, ResumeRolloutRequest, Rollout,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::revisions::numbered;
use super::{Admin, page};
use crate::actor::missing;
use crate::publish::lines;
use crate::rollout;
use crate::store::{Page, RolloutRow};

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "rollouts";

#[tonic::async_trait]
impl RolloutsService for Admin {
    async fn get_rollout(&self, request: Request<GetRolloutRequest>) -> Result<Response<Rollout>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/GetRollout", request).await?;
        let found = self.rollout(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_rollouts(
        &self,
        request: Request<ListRolloutsRequest>,
    ) -> Result<Response<ListRolloutsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/ListRollouts", request).await?;
        let found = self.rollouts_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn approve_rollout(
        &self,
        request: Request<ApproveRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/ApproveRollout", request).await?;
        let done = self.steer(&call, &asked.name, ("waiting", "progressing")).await;
        self.answer(&call, done).await
    }

    async fn pause_rollout(
        &self,
        request: Request<PauseRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/PauseRollout", request).await?;
        let done = self.steer(&call, &asked.name, ("progressing", "paused")).await;
        self.answer(&call, done).await
    }

    async fn resume_rollout(
        &self,
        request: Request<ResumeRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/ResumeRollout", request).await?;
        let done = self.steer(&call, &asked.name, ("paused", "progressing")).await;
        self.answer(&call, done).await
    }

    async fn abort_rollout(
        &self,
        request: Request<AbortRolloutRequest>,
    ) -> Result<Response<Rollout>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RolloutsService/AbortRollout", request).await?;
        let done = self.take_back(&call, &asked.name).await;
        self.answer(&call, done).await
    }
}

impl Admin {
    async fn rollout(&self, call: &Call, name: &str) -> Result<Rollout, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let kept = self.kept(name).await?;
        if lines::is_over(&kept) {
            return Ok(kept);
        }
        let observed = rollout::observed(&self.publisher, &self.nodes, Some(&kept)).await?;
        Ok(rollout::told(&kept, &observed, &self.rollouts))
    }

    async fn kept(&self, name: &str) -> Result<Rollout, Refusal> {
        let number = numbered(name, LIST)?;
        let page = Page { before: number.checked_add(1), size: 1 };
        let found = self.publisher.store().rollouts(page).await?;
        let row = found.into_iter().find(|row| row.candidate_revision == number);
        read(&row.ok_or_else(|| missing(name))?)
    }

    async fn rollouts_page(
        &self,
        call: &Call,
        asked: &ListRolloutsRequest,
    ) -> Result<ListRolloutsResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let before = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| place.parse().ok());
        let page = Page { before, size: i64::try_from(size).unwrap_or(1) };
        let rows = self.publisher.store().rollouts(page).await?;
        let last = rows.last().map(|row| row.candidate_revision).filter(|_| rows.len() == size);
        let next_page_token =
            last.map(|last| page::token(sealer, LIST, &last.to_string())).unwrap_or_default();
        Ok(ListRolloutsResponse {
            rollouts: rows.iter().map(read).collect::<Result<_, _>>()?,
            next_page_token,
        })
    }

    /// Brings the rollout that is on its way from one state into another.
    async fn steer(&self, call: &Call, name: &str, (from, to): (&str, &str)) -> Result<Rollout, Refusal> {
        let rollout = self.to_be_steered(call, name).await?;
        if rollout.state != from {
            let line = format!("it is {}, not {from}", rollout.state);
            return Err(Refusal::new(ErrorCode::FailedPrecondition, line));
        }
        let act = call.act(name.to_owned());
        let reason = match (to, act.reason.as_str()) {
            ("paused", "") => format!("paused by {}", act.actor),
            ("paused", why) => format!("paused by {}: {why}", act.actor),
            _ => String::new(),
        };
        tracing::info!(
            rollout = name,
            from,
            to,
            actor = act.actor,
            reason = act.reason,
            "a rollout is steered"
        );
        let next = Rollout { state: to.to_owned(), reason, ..rollout };
        let done = self.publisher.steer(act, (from, next)).await?;
        let kept = self.kept(name).await?;
        match done {
            true => Ok(kept),
            // It went on, or somebody else steered it, since it was looked at.
            false => {
                let line = format!("it went on or was steered meanwhile, and is {} now", kept.state);
                Err(Refusal::new(ErrorCode::FailedPrecondition, line))
            }
        }
    }

    async fn take_back(&self, call: &Call, name: &str) -> Result<Rollout, Refusal> {
        self.to_be_steered(call, name).await?;
        let act = call.act(name.to_owned());
        let reason = match act.reason.as_str() {
            "" => format!("aborted by {}", act.actor),
            reason => format!("aborted by {}: {reason}", act.actor),
        };
        self.publisher.take_back(act, name, &reason).await?;
        self.kept(name).await
    }

    /// The rollout, as it is now, for a caller who may steer it.
    async fn to_be_steered(&self, call: &Call, name: &str) -> Result<Rollout, Refusal> {
        call.concerns(name.to_owned());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let active = self.publisher.lines().borrow().rollout.clone();
        match active.filter(|active| active.record.name == name) {
            Some(active) => Ok(active.record.clone()),
            None => {
                let over = self.kept(name).await?;
                let line = format!("it is {}", over.state);
                Err(Refusal::new(ErrorCode::FailedPrecondition, line))
            }
        }
    }
}

fn read(row: &RolloutRow) -> Result<Rollout, Refusal> {
    Rollout::decode(row.body.as_slice())
        .map_err(|_| Refusal::new(ErrorCode::Internal, "what is stored can't be read"))
}
