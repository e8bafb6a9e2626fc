//! One call: who makes it, under which id, and how it is answered and logged.
//!
//! Law: an answer carries the request's id and the revision, a refusal too; a write that is forbidden is logged.

use prost::Message;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::Admin;
use crate::actor::Actor;
use crate::publish::Act;

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-chancery-request-id";
/// The header that carries the revision an answer is of.
const REVISION: &str = "x-chancery-revision";

/// One call of an authenticated actor.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) actor: Actor,
    /// The call's full name, such as `chancery.admin.v1.TeamsService/CreateTeam`.
    action: &'static str,
    request_id: String,
}

impl Call {
    /// The act of this call on a resource.
    pub(super) fn act(&self, resource: String) -> Act {
        Act {
            actor: self.actor.name(),
            key_id: self.actor.key_id(),
            action: self.action.to_owned(),
            resource,
            request_id: self.request_id.clone(),
        }
    }
}

impl Admin {
    /// Recognises the caller and takes the request out of its envelope.
    pub(super) fn receive<T>(&self, action: &'static str, request: Request<T>) -> Result<(Call, T), Status> {
        let request_id = request_id(request.metadata());
        let actor = self
            .authenticator
            .actor(request.metadata())
            .map_err(|refusal| Status::from(Refusal { request_id: Some(request_id.clone()), ..refusal }))?;
        Ok((Call { actor, action, request_id }, request.into_inner()))
    }

    /// Answers a call.
    pub(super) async fn answer<T: Message>(
        &self,
        call: &Call,
        result: Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        let revision = self.publisher.current().revision();
        match result {
            Ok(message) => {
                let mut response = Response::new(message);
                let metadata = response.metadata_mut();
                if let Ok(id) = MetadataValue::try_from(&call.request_id) {
                    metadata.insert(REQUEST_ID, id);
                }
                metadata.insert(REVISION, MetadataValue::from(revision));
                Ok(response)
            }
            Err(refusal) => {
                if refusal.code == ErrorCode::PermissionDenied {
                    let logged =
                        self.publisher.log_refusal(&call.act(String::new()), refusal.code.as_str()).await;
                    if let Err(error) = logged {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "a refusal could not be logged"
                        );
                    }
                }
                let request_id = Some(call.request_id.clone());
                Err(Refusal { request_id, revision: Some(revision), ..refusal }.into())
            }
        }
    }
}

/// The id a caller gave, where it is one that may stand in a log; else a new one.
fn request_id(metadata: &MetadataMap) -> String {
    let given = metadata.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    given.filter(fits).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}
