//! Who is behind a pseudonym, and erasure, over the admin API.
//!
//! Law: nobody is erased who is still known to a policy, to a proposal that waits, or to a legal hold. The erasure is an event before the
//! name and the key are gone; broken off in between, the next start ends it, and so may whoever asks again. Absent on purpose: what erasing
//! removes (`subjects`).

use std::collections::BTreeMap;

use policy_engine::vocabulary::{Action, Id, Kind};
use proto::admin::subjects_service_server::SubjectsService;
use proto::admin::{
    EraseSubjectRequest, GetSubjectRequest, ListSubjectsRequest, ListSubjectsResponse, Subject,
};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::act::changed_aside;
use crate::actor::missing;
use crate::clock;
use crate::error::ChangeError;
use crate::holds::{self, Held};
use crate::store::StoreError;
use crate::subjects::is_pseudonym;

/// The collection, as permissions name it.
const LIST: &str = "subjects";

#[tonic::async_trait]
impl SubjectsService for Admin {
    async fn get_subject(&self, request: Request<GetSubjectRequest>) -> Result<Response<Subject>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.SubjectsService/GetSubject", request).await?;
        let found = self.subject(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_subjects(
        &self,
        request: Request<ListSubjectsRequest>,
    ) -> Result<Response<ListSubjectsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.SubjectsService/ListSubjects", request).await?;
        let found = self.subjects_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn erase_subject(
        &self,
        request: Request<EraseSubjectRequest>,
    ) -> Result<Response<Subject>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.SubjectsService/EraseSubject", request).await?;
        let erased = self.erase(&call, asked).await;
        self.answer(&call, erased).await
    }
}

impl Admin {
    fn may_know(&self, call: &Call) -> Result<(), Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        // Who is narrowed is told names where it meets them.
        call.demand_whole("a person may be of several tenants")
    }

    async fn subjects_page(
        &self,
        call: &Call,
        asked: &ListSubjectsRequest,
    ) -> Result<ListSubjectsResponse, Refusal> {
        self.may_know(call)?;
        let (size, sealer) = (page::size(asked.page_size)?, self.publisher.vault().sealer());
        let after = page::place(sealer, LIST, &asked.page_token)?.unwrap_or_default();
        let known = self.publisher.subjects().after(&after).into_iter();
        let known = known.map(|(pseudonym, id, at)| {
            let create_time = Some(clock::timestamp(at));
            let name = format!("{LIST}/{pseudonym}");
            (pseudonym, Subject { name, create_time, id, ..Subject::default() })
        });
        let erased = self.publisher.store().erasures(&after).await?.into_iter().map(|(pseudonym, at)| {
            let erase_time = Some(clock::timestamp(at));
            let name = format!("{LIST}/{pseudonym}");
            (pseudonym, Subject { name, erase_time, ..Subject::default() })
        });
        let all: BTreeMap<String, Subject> = known.chain(erased).collect();
        let last = all.keys().nth(size.saturating_sub(1)).filter(|_| all.len() > size);
        let next_page_token = last.map(|place| page::token(sealer, LIST, place)).unwrap_or_default();
        Ok(ListSubjectsResponse { subjects: all.into_values().take(size).collect(), next_page_token })
    }

    async fn subject(&self, call: &Call, name: &str) -> Result<Subject, Refusal> {
        self.may_know(call)?;
        let pseudonym = self.behind(name)?;
        self.shown(&pseudonym, name).await
    }

    async fn erase(&self, call: &Call, asked: EraseSubjectRequest) -> Result<Subject, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let pseudonym = self.behind(&asked.name)?;
        let resource = format!("{LIST}/{pseudonym}");
        call.concerns(resource.clone());
        let act = call.act_because(&asked.reason, resource.clone())?;
        // What is in the way stays out of it until it is done: no hold is placed meanwhile.
        let _alone = self.publisher.subjects().alone().await;
        let subject = self.shown(&pseudonym, &asked.name).await?;
        let in_the_way = |line: String| Refusal::new(ErrorCode::FailedPrecondition, line);
        if let [first, ..] = subject.principals.as_slice() {
            return Err(in_the_way(format!(
                "{} of it in force: delete it first, such as `{first}`",
                match subject.principals.len() {
                    1 => "a principal is".to_owned(),
                    count => format!("{count} principals are"),
                }
            )));
        }
        if let [first, ..] = subject.holds.as_slice() {
            call.refused_for(&act, first.clone());
            return Err(in_the_way(format!("it is under the legal hold `{first}`")));
        }
        let store = self.publisher.store();
        if !subject.id.is_empty()
            && let Some(number) = store.proposal_that_says(&subject.id).await?
        {
            return Err(in_the_way(format!(
                "`proposals/{number}`, which waits, names it: approve or reject that first"
            )));
        }
        if subject.id.is_empty() && subject.erase_time.is_some() {
            return Ok(subject);
        }
        let now = clock::now();
        let event = changed_aside(&act, &resource, (Some(pseudonym.as_bytes()), None), now);
        match store.erase((&pseudonym, &subject.id), now, &event).await {
            Err(StoreError::Decided) => {
                return Err(in_the_way("a policy or a proposal has come to know it meanwhile".to_owned()));
            }
            done => done?,
        }
        self.publisher.subjects().erase(&pseudonym).await.map_err(ChangeError::from)?;
        self.shown(&pseudonym, &asked.name).await
    }

    /// The pseudonym that a name of a subject means.
    fn behind(&self, name: &str) -> Result<String, Refusal> {
        let id = name.strip_prefix("subjects/").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::field("name", "is not of the form `subjects/(id)`"))?;
        match is_pseudonym(id) {
            true => Ok(id.to_owned()),
            false => self.publisher.subjects().pseudonym_of(id).ok_or_else(|| missing(name)),
        }
    }

    async fn shown(&self, pseudonym: &str, name: &str) -> Result<Subject, Refusal> {
        let store = self.publisher.store();
        let known = self.publisher.subjects().name_of(pseudonym);
        let erased = store.erased_at(pseudonym).await?;
        if known.is_none() && erased.is_none() {
            return Err(missing(name));
        }
        let facts = self.publisher.current().facts.clone();
        let own = |id: &&Id| id.name.as_str() == pseudonym;
        let principals = facts.principals.keys().filter(own).map(|id| name::format(Kind::Principal, id));
        let principals = principals.map(|name| self.publisher.subjects().reveal_text(&name).into_owned());
        let tenants = store.tenants_of_principal(pseudonym).await?;
        let over = holds::over(store, Held { subject: pseudonym, tenants: &tenants }).await?;
        Ok(Subject {
            name: format!("{LIST}/{pseudonym}"),
            create_time: known.as_ref().map(|(_, at)| clock::timestamp(*at)),
            id: known.map(|(id, _)| id).unwrap_or_default(),
            principals: principals.collect(),
            holds: over.into_iter().map(|id| format!("holds/{id}")).collect(),
            erase_time: erased.map(clock::timestamp),
        })
    }
}
