//! Captured content over the admin API: the key of one piece of it.
//!
//! Law: who may is who may `open` captured content of its tenant, which no auditor may; a reason is demanded; and whose content it is,
//! which request, why and by whom is an event of the log before the key is given. Absent on purpose: content, which stays in its geo.

use policy_engine::vocabulary::{Action, Name};
use proto::admin::captured_content_service_server::CapturedContentService;
use proto::admin::{OpenCapturedContentRequest, OpenCapturedContentResponse};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::Admin;
use super::call::Call;
use crate::actor::absent;
use crate::clock;
use crate::content_keys::Wrapped;
use crate::publish::noted;

/// The collection, as names and permissions have it.
const CONTENT: &str = "capturedContent";

/// Bytes of a request's id at most.
const ID: usize = 64;

#[tonic::async_trait]
impl CapturedContentService for Admin {
    async fn open(
        &self,
        request: Request<OpenCapturedContentRequest>,
    ) -> Result<Response<OpenCapturedContentResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.CapturedContentService/Open", request).await?;
        let opened = self.open_content(&call, &asked).await;
        self.answer(&call, opened).await
    }
}

impl Admin {
    async fn open_content(
        &self,
        call: &Call,
        asked: &OpenCapturedContentRequest,
    ) -> Result<OpenCapturedContentResponse, Refusal> {
        let tenant = match asked.tenant.as_str() {
            "" => None,
            tenant => Some(Name::new(tenant).map_err(|_| absent())?),
        };
        if let Some(tenant) = &tenant {
            call.concerns(format!("tenants/{tenant}/{CONTENT}"));
        }
        self.publisher.current().demand_plural(&call.actor, Action::Open, CONTENT, tenant.as_ref())?;
        let tenant = tenant.ok_or_else(|| Refusal::field("tenant", "is missing".to_owned()))?;
        let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if asked.request_id.is_empty() || asked.request_id.len() > ID || !is_id(&asked.request_id) {
            return Err(Refusal::field("requestId", "is not the id of a request".to_owned()));
        }
        let geo = Name::new(&asked.geo).map_err(|error| Refusal::field("geo", error.to_string()))?;
        let act =
            call.act_because(&asked.reason, format!("tenants/{tenant}/{CONTENT}/{}", asked.request_id))?;
        let wrapped = Wrapped {
            tenant: &tenant,
            request_id: &asked.request_id,
            geo: geo.as_str(),
            key_id: &asked.key_id,
            encapsulated: &asked.encapsulated_key,
            wrapped: &asked.wrapped_key,
        };
        let store = self.publisher.store();
        let opened = self.publisher.ring().content().unwrap(store, &wrapped).await?;
        let Some(key) = opened else {
            return Err(Refusal::new(
                ErrorCode::FailedPrecondition,
                "it does not open: it was changed, is of another request, tenant or geo, or its key was destroyed",
            ));
        };
        store.log(&noted(&act, clock::now())).await?;
        Ok(OpenCapturedContentResponse { content_key: key.to_vec() })
    }
}
