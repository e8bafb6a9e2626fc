//! Tokens by which machines become nodes, over the admin API: seen, and taken back.
//!
//! Law: what may be done with them is what may be done with nodes; of a token's secret nothing is told, for nothing is kept.
//! Absent on purpose: how a token is made (`nodes`), and what makes one good (`enrolment`).

use policy_engine::vocabulary::Action;
use proto::admin::enrolment_tokens_service_server::EnrolmentTokensService;
use proto::admin::{
    EnrolmentToken, ListEnrolmentTokensRequest, ListEnrolmentTokensResponse, WithdrawEnrolmentTokenRequest,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::actor::missing;
use crate::clock;
use crate::publish::noted;
use crate::store::EnrolmentRow;

/// The list, as names and page tokens know it.
const LIST: &str = "enrolmentTokens";

/// What permissions name.
const OF: &str = "nodes";

#[tonic::async_trait]
impl EnrolmentTokensService for Admin {
    async fn list_enrolment_tokens(
        &self,
        request: Request<ListEnrolmentTokensRequest>,
    ) -> Result<Response<ListEnrolmentTokensResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.EnrolmentTokensService/ListEnrolmentTokens", request).await?;
        let found = self.tokens_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn withdraw_enrolment_token(
        &self,
        request: Request<WithdrawEnrolmentTokenRequest>,
    ) -> Result<Response<EnrolmentToken>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.EnrolmentTokensService/WithdrawEnrolmentToken", request).await?;
        let withdrawn = self.withdraw_token(&call, &asked.name).await;
        self.answer(&call, withdrawn).await
    }
}

impl Admin {
    async fn tokens_page(
        &self,
        call: &Call,
        asked: &ListEnrolmentTokensRequest,
    ) -> Result<ListEnrolmentTokensResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, OF, None)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let place = page::place(sealer, LIST, &asked.page_token)?;
        let place = place.as_deref().and_then(|place| place.split_once('/'));
        let place = place.and_then(|(time, id)| Some((time.parse().ok()?, id))).unwrap_or((i64::MAX, ""));
        let mut rows = self
            .publisher
            .store()
            .enrolments(place, i64::try_from(size).unwrap_or(1).saturating_add(1))
            .await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more).map(|row| format!("{}/{}", row.created_at, row.id));
        let next_page_token = last.map(|place| page::token(sealer, LIST, &place)).unwrap_or_default();
        let now = clock::now();
        rows.retain(|row| call.actor.scope().is_none_or(|scope| scope.has_geo(&row.geo)));
        let enrolment_tokens = rows.into_iter().map(|row| shown(row, now)).collect();
        Ok(ListEnrolmentTokensResponse { enrolment_tokens, next_page_token })
    }

    async fn withdraw_token(&self, call: &Call, name: &str) -> Result<EnrolmentToken, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Write, OF, None)?;
        let id =
            name.strip_prefix("enrolmentTokens/").filter(|id| !id.is_empty() && !id.contains(['/', '_']));
        let id = id.ok_or_else(|| Refusal::field("name", "is not of the form `enrolmentTokens/(id)`"))?;
        call.concerns(name.to_owned());
        let (store, now) = (self.publisher.store(), clock::now());
        let act = call.act(name.to_owned());
        let taken = store.withdraw_enrolment(id, now, &noted(&act, now)).await?;
        let row = store.enrolment(id).await?.ok_or_else(|| missing(name))?;
        match (taken, row.withdrawn_at, row.used_at) {
            (true, ..) | (_, Some(_), _) => Ok(shown(row, now)),
            (.., Some(_)) => {
                let line = format!(
                    "it was used: what ends its node is revoking `geos/{}/nodes/{}`",
                    row.geo, row.node
                );
                Err(Refusal::new(ErrorCode::FailedPrecondition, line))
            }
            _ => Err(Refusal::new(ErrorCode::FailedPrecondition, "its node was revoked, and it with it")),
        }
    }
}

fn shown(row: EnrolmentRow, now: i64) -> EnrolmentToken {
    let state = match &row {
        row if row.withdrawn_at.is_some() => "withdrawn",
        row if row.revoked => "revoked",
        row if row.used_at.is_some() => "used",
        row if row.expires_at <= now => "expired",
        _ => "unused",
    };
    EnrolmentToken {
        name: format!("enrolmentTokens/{}", row.id),
        node: format!("geos/{}/nodes/{}", row.geo, row.node),
        creator: row.made_by,
        create_time: Some(clock::timestamp(row.created_at)),
        expire_time: Some(clock::timestamp(row.expires_at)),
        state: state.to_owned(),
        use_time: row.used_at.map(clock::timestamp),
        withdraw_time: row.withdrawn_at.map(clock::timestamp),
    }
}
