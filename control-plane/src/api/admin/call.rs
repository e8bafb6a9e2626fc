//! One call: who makes it, under which id, and how it is answered and logged.
//!
//! Law: an answer carries the request's id and the revision, a refusal too. A write that is refused is logged, by whom, upon
//! what and how, never with its content; one that was only tried is logged where it was not the caller's to make. Whoever may audit
//! is audited: what it reads is logged before it has it.

use std::sync::OnceLock;

use policy_engine::vocabulary::Action;
use prost::Message;
use prost_reflect::DynamicMessage;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::Admin;
use crate::act::{Via, ip};
use crate::actor::Actor;
use crate::descriptors::pool;
use crate::publish::{Act, Mode};

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-chancery-request-id";
/// The header that carries the revision an answer is of.
const REVISION: &str = "x-chancery-revision";

/// The headers that say why, and by which ticket: UTF-8 of so many bytes at most.
const REASON: (&str, usize) = ("x-chancery-reason", 512);
const TICKET: (&str, usize) = ("x-chancery-ticket", 128);

/// Characters of a user agent that are kept: ASCII, as a header has them.
const AGENT: usize = 128;

/// Says that a call came by REST, which the services could not tell.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct ByRest;

/// One call of an authenticated actor.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) actor: Actor,
    /// The call's full name, such as `chancery.admin.v1.TeamsService/CreateTeam`.
    action: &'static str,
    request_id: String,
    reason: String,
    ticket: String,
    via: Via,
    /// Whether what it reads is logged.
    audited: bool,
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

    fn writes(&self) -> bool {
        writes(self.action)
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
            approvals: Vec::new(),
            via: self.via.clone(),
        }
    }
}

impl Admin {
    /// Recognises the caller and takes the request out of its envelope.
    pub(super) fn receive<T: Message>(
        &self,
        action: &'static str,
        request: Request<T>,
    ) -> Result<(Call, T), Status> {
        let (actor, request_id) = self.recognise(request.metadata())?;
        let said = |header| {
            said(request.metadata(), header)
                .map_err(|refusal| Refusal { request_id: Some(request_id.clone()), ..refusal })
        };
        let (reason, ticket) = (said(REASON)?, said(TICKET)?);
        let (tries, about) = (OnceLock::new(), OnceLock::new());
        let via = via(&actor, &request);
        let audited = !writes(action) && self.audits(&actor);
        let call = Call { actor, action, request_id, reason, ticket, via, audited, tries, about };
        let asked = request.into_inner();
        if audited {
            call.concerns(looked_at(action, &asked).unwrap_or_default());
        }
        Ok((call, asked))
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
        let result = match result {
            Ok(message) => self.note_read(call).await.map(|()| message),
            refused => refused,
        };
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
    /// Whether the actor may read the log of acts, of the platform or of its tenant, by a grant and not by the platform's own token.
    fn audits(&self, actor: &Actor) -> bool {
        let Actor::Principal { tenant, .. } = actor else { return false };
        let (published, log) = (self.publisher.current(), "auditEvents");
        [None, Some(tenant)].into_iter().any(|of| published.permits_plural(actor, Action::Audit, log, of))
    }

    /// Logs what an auditor reads; what can't be logged is not read.
    async fn note_read(&self, call: &Call) -> Result<(), Refusal> {
        if !call.audited {
            return Ok(());
        }
        let act = call.act(call.about.get().cloned().unwrap_or_default());
        Ok(self.publisher.log_read(&act).await?)
    }

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

/// Whether a call would change something: whatever is not known to look only.
fn writes(action: &str) -> bool {
    let method = action.rsplit('/').next().unwrap_or_default();
    let looks = ["Get", "List", "Explain", "Export", "Prove", "Sign", "Diff", "Blame", "Simulate"];
    !looks.iter().any(|verb| method.starts_with(verb))
}

/// What a call that looks is about: the resource it names, or whose collection, as far as it says.
fn looked_at<T: Message>(action: &str, asked: &T) -> Option<String> {
    let (service, method) = action.split_once('/')?;
    let service = pool().get_service_by_name(service)?;
    let rpc = service.methods().find(|rpc| rpc.name() == method)?;
    let asked = DynamicMessage::decode(rpc.input(), asked.encode_to_vec().as_slice()).ok()?;
    let field = |name: &str| Some(asked.get_field_by_name(name)?.as_str()?.to_owned());
    ["name", "parent"].into_iter().filter_map(field).find(|name| !name.is_empty())
}

/// How a call came here.
fn via<T>(actor: &Actor, request: &Request<T>) -> Via {
    let method = match actor {
        Actor::Platform(_) => "admin_token",
        Actor::Principal { .. } => "api_key",
    };
    let source = if request.extensions().get::<ByRest>().is_some() { "rest" } else { "grpc" };
    let client = request.metadata().get("user-agent").and_then(|agent| agent.to_str().ok());
    let client = client.map(|agent| agent.chars().take(AGENT).collect()).unwrap_or_default();
    Via { address: ip(request.remote_addr()), method, source, client }
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
