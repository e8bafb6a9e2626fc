//! One call: who makes it, under which id, and how it is answered and logged.
//!
//! Law: an answer carries the request's id and the revision, a refusal too. A write that is refused is logged, by whom, upon
//! what and how, never with its content; one that was only tried is logged where it was not the caller's to make.

use std::sync::OnceLock;

use prost::Message;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::Admin;
use crate::actor::Actor;
use crate::publish::{Act, Mode};

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-chancery-request-id";
/// The header that carries the revision an answer is of.
const REVISION: &str = "x-chancery-revision";

/// The headers that say why, and by which ticket: UTF-8 of so many bytes at most.
const REASON: (&str, usize) = ("x-chancery-reason", 512);
const TICKET: (&str, usize) = ("x-chancery-ticket", 128);

/// One call of an authenticated actor.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) actor: Actor,
    /// The call's full name, such as `chancery.admin.v1.TeamsService/CreateTeam`.
    action: &'static str,
    request_id: String,
    reason: String,
    ticket: String,
    /// Set where the call only tries.
    tries: OnceLock<()>,
    /// AIP name of what a write is about, as soon as it is known.
    about: OnceLock<String>,
}

impl Call {
    /// Notes what the call is about, for the log of refusals.
    pub(super) fn concerns(&self, resource: String) {
        let _first_word_stands = self.about.set(resource);
    }

    /// Notes whether the call only tries what it asks.
    pub(super) fn is_in(&self, mode: Mode) -> Mode {
        if mode == Mode::Try {
            self.tries.get_or_init(|| ());
        }
        mode
    }

    /// Whether the call would change something.
    fn writes(&self) -> bool {
        let method = self.action.rsplit('/').next().unwrap_or_default();
        let verbs = [
            "Create", "Update", "Delete", "Enrol", "Revoke", "Apply", "Approve", "Reject", "Bump", "Drain",
            "Undrain",
        ];
        verbs.iter().any(|verb| method.starts_with(verb))
    }

    /// The act of this call on a resource, of a call that must say why: its field `reason`, or else the header, does.
    pub(super) fn act_because(&self, reason: &str, resource: String) -> Result<Act, Refusal> {
        let wrong = |message: String| Refusal::field("reason", message);
        let (reason, most) = (reason.trim(), REASON.1);
        if reason.len() > most || reason.chars().any(char::is_control) {
            return Err(wrong(format!("is not a text of at most {most} bytes without control characters")));
        }
        let act = self.act(resource);
        match (reason, act.reason.as_str()) {
            ("", "") => Err(wrong("is missing: say why".to_owned())),
            ("", _) => Ok(act),
            (reason, _) => Ok(Act { reason: reason.to_owned(), ..act }),
        }
    }

    /// The act of this call on a resource.
    pub(super) fn act(&self, resource: String) -> Act {
        Act {
            actor: self.actor.name(),
            key_id: self.actor.key_id(),
            action: self.action.to_owned(),
            resource,
            request_id: self.request_id.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
        }
    }
}

impl Admin {
    /// Recognises the caller and takes the request out of its envelope.
    pub(super) fn receive<T>(&self, action: &'static str, request: Request<T>) -> Result<(Call, T), Status> {
        let (actor, request_id) = self.recognise(request.metadata())?;
        let said = |header| {
            said(request.metadata(), header)
                .map_err(|refusal| Refusal { request_id: Some(request_id.clone()), ..refusal })
        };
        let (reason, ticket) = (said(REASON)?, said(TICKET)?);
        let (tries, about) = (OnceLock::new(), OnceLock::new());
        Ok((Call { actor, action, request_id, reason, ticket, tries, about }, request.into_inner()))
    }

    /// Who calls, and under which id; a stranger is refused.
    pub(super) fn recognise(&self, metadata: &MetadataMap) -> Result<(Actor, String), Status> {
        let request_id = request_id(metadata);
        match self.authenticator.actor(metadata) {
            Ok(actor) => Ok((actor, request_id)),
            Err(refusal) => Err(Refusal { request_id: Some(request_id), ..refusal }.into()),
        }
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
                self.note_refusal(call, refusal.code).await;
                let request_id = Some(call.request_id.clone());
                Err(Refusal { request_id, revision: Some(revision), ..refusal }.into())
            }
        }
    }
}

impl Admin {
    /// Logs that a write was refused. What failed here, and not by the caller's doing, is the operator's log's.
    pub(super) async fn note_refusal(&self, call: &Call, code: ErrorCode) {
        let hidden = matches!(code, ErrorCode::PermissionDenied | ErrorCode::NotFound);
        let wrong = call.tries.get().is_none() && code.row().http.is_client_error();
        if !call.writes() || !(hidden || wrong) {
            return;
        }
        let act = call.act(call.about.get().cloned().unwrap_or_default());
        if let Err(error) = self.publisher.log_refusal(&act, code.as_str()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "a refusal could not be logged");
        }
    }
}

/// What a caller says of its call in a header; empty where it says nothing.
fn said(metadata: &MetadataMap, (header, most): (&'static str, usize)) -> Result<String, Refusal> {
    let given = metadata.get(header).map(|value| String::from_utf8(value.as_encoded_bytes().to_vec()));
    match given {
        None => Ok(String::new()),
        Some(Ok(text)) if text.len() <= most && !text.chars().any(char::is_control) => {
            Ok(text.trim().to_owned())
        }
        Some(_) => Err(Refusal::field(header, format!("is not a text of at most {most} bytes in UTF-8"))),
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
