//! One call: who makes it, under which id, and how it is answered and logged.
//!
//! Law: an answer carries the request's id and the revision, a refusal too. A write that is refused is logged, by whom, upon
//! what and how, never with its content; one that was only tried is logged where it was not the caller's to make. Whoever may audit
//! is audited: what it reads is logged before it has it. An auditor's token opens what is marked as looking only, and nothing else.

use std::pin::Pin;
use std::sync::OnceLock;

use policy_engine::vocabulary::Action;
use prost::Message;
use prost_reflect::DynamicMessage;
use proto::admin::AuditedExport;
use proto::code::ErrorCode;
use proto::status::{Refusal, WrongField};
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::Admin;
use super::warnings;
use crate::act::{Via, ip};
use crate::actor::{Actor, Scope};
use crate::clock;
use crate::error::ChangeError;
use crate::marked::{looks, rpc};
use crate::publish::{Act, Mode};
use crate::subjects::{SubjectError, says_pseudonym};

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-chancery-request-id";
/// The header that carries the revision an answer is of.
const REVISION: &str = "x-chancery-revision";
/// The header that says what a caller should know beside the answer, once for each thing.
const WARNING: &str = "x-chancery-warning";

/// What an auditor may call though it changes something: to take rights for a while, and to give them back.
const ELEVATING: &str = "chancery.admin.v1.ElevationsService/";

/// The headers that say why, and by which ticket: UTF-8 of so many bytes at most.
const REASON: (&str, usize) = ("x-chancery-reason", 512);
const TICKET: (&str, usize) = ("x-chancery-ticket", 128);

/// Characters of a user agent that are kept: ASCII, as a header has them.
const AGENT: usize = 128;

/// An answer that comes bit by bit.
pub(super) type Answering<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

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
    /// What the caller should know beside the answer.
    warnings: Vec<String>,
    /// The same, of what shows while it is done.
    odd: OnceLock<String>,
    /// What of a log it hands out, as soon as that is known.
    handed: OnceLock<AuditedExport>,
    /// Set where the call only tries.
    tries: OnceLock<()>,
    /// AIP name of what a write is about, as soon as it is known.
    about: OnceLock<String>,
    /// AIP name of what a refusal rests on, and why the call was made, where that is logged.
    basis: OnceLock<(String, String)>,
}

impl Call {
    /// Notes what the call is about, for the log of refusals.
    pub(super) fn concerns(&self, resource: String) {
        let _first_word_stands = self.about.set(resource);
    }

    /// Notes what the refusal of an act rests on, for the log.
    pub(super) fn refused_for(&self, act: &Act, basis: String) {
        let _first_word_stands = self.basis.set((basis, act.reason.clone()));
    }

    /// Refuses who is narrowed to tenants or geos what can't be shown in part: `why`.
    pub(super) fn demand_whole(&self, why: &str) -> Result<(), Refusal> {
        match self.actor.scope().is_none_or(Scope::is_everything) {
            true => Ok(()),
            false => Err(Refusal::new(
                ErrorCode::PermissionDenied,
                format!("{why}: it is shown to nobody who is narrowed to tenants or geos"),
            )),
        }
    }

    /// Notes what the caller should know beside the answer.
    pub(super) fn warns(&self, warning: String) {
        let _first_word_stands = self.odd.set(warning);
    }

    /// Notes whether the call only tries what it asks.
    pub(super) fn is_in(&self, mode: Mode) -> Mode {
        if mode == Mode::Try {
            self.tries.get_or_init(|| ());
        }
        mode
    }

    /// Notes what of a log the answer hands out: that is an event before it is done, whoever asked.
    pub(super) fn hands_out(&self, export: AuditedExport) {
        let _first_word_stands = self.handed.set(export);
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
            elevation: self.actor.elevation().to_owned(),
            via: self.via.clone(),
        }
    }
}

impl Admin {
    /// Recognises the caller and takes the request out of its envelope.
    pub(super) async fn receive<T: Message + Default>(
        &self,
        action: &'static str,
        request: Request<T>,
    ) -> Result<(Call, T), Status> {
        let (actor, request_id) = self.recognise(request.metadata())?;
        let (actor, until) = match &self.elevations {
            Some(elevations) => elevations.raised(actor),
            None => (actor, None),
        };
        let said = |header| {
            said(request.metadata(), header)
                .map_err(|refusal| Refusal { request_id: Some(request_id.clone()), ..refusal })
        };
        let (reason, ticket) = (said(REASON)?, said(TICKET)?);
        let via = self.publisher.subjects().sealed_via(&actor.name(), via(&actor, &request));
        let audited = looks(action) && self.audits(&actor);
        let asked = self.covered(action, &actor, request.into_inner()).await;
        let asked = asked.map_err(|refusal| Refusal { request_id: Some(request_id.clone()), ..refusal })?;
        let mut warnings = warnings::of(action, (&reason, &ticket), &asked);
        warnings.extend(until.map(|until| {
            format!(
                "this was done by the rights of `{}`, which end at {}",
                actor.elevation(),
                clock::timestamp(until)
            )
        }));
        let (handed, tries) = (OnceLock::new(), OnceLock::new());
        let (about, basis, odd) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let call = Call {
            actor,
            action,
            request_id,
            reason,
            ticket,
            via,
            audited,
            warnings,
            odd,
            handed,
            tries,
            about,
            basis,
        };
        let refused = may_call(&call);
        if audited || refused.is_err() {
            call.concerns(looked_at(action, &asked).unwrap_or_default());
        }
        match refused {
            Ok(()) => Ok((call, asked)),
            Err(refusal) => {
                self.note_refusal(&call, refusal.code).await;
                Err(self.told(&call, refusal))
            }
        }
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
    pub(super) async fn answer<T: Message + Default>(
        &self,
        call: &Call,
        result: Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        let result = match result {
            Ok(message) => self.note_read(call).await.map(|()| message),
            refused => refused,
        };
        match result {
            Ok(message) => Ok(self.headed(call, self.revealed(call.action, message))),
            Err(refusal) => {
                self.note_refusal(call, refusal.code).await;
                Err(self.told(call, refusal))
            }
        }
    }

    /// Answers a call bit by bit; what is logged of it is logged before the first.
    pub(super) async fn answers<T: Message + Default + 'static>(
        &self,
        call: Call,
        result: Result<impl Stream<Item = Result<T, Refusal>> + Send + 'static, Refusal>,
    ) -> Result<Response<Answering<T>>, Status> {
        let result = match result {
            Ok(messages) => self.note_read(&call).await.map(|()| messages),
            refused => refused,
        };
        match result {
            Ok(messages) => {
                let (admin, action) = (self.clone(), call.action);
                let messages = messages.map(move |message| match message {
                    Ok(message) => Ok(admin.revealed(action, message)),
                    Err(refusal) => Err(refusal.into()),
                });
                Ok(self.headed(&call, Box::pin(messages) as Answering<T>))
            }
            Err(refusal) => {
                self.note_refusal(&call, refusal.code).await;
                Err(self.told(&call, refusal))
            }
        }
    }

    /// An answer with the names of people in it.
    fn revealed<T: Message + Default>(&self, action: &str, message: T) -> T {
        match rpc(action) {
            Some(rpc) => self.publisher.subjects().revealed(rpc.output().full_name(), message),
            None => message,
        }
    }

    /// An answer under the head that every answer has.
    fn headed<T>(&self, call: &Call, body: T) -> Response<T> {
        let mut response = Response::new(body);
        let metadata = response.metadata_mut();
        if let Ok(id) = MetadataValue::try_from(&call.request_id) {
            metadata.insert(REQUEST_ID, id);
        }
        metadata.insert(REVISION, MetadataValue::from(self.publisher.current().revision()));
        for warning in call.warnings.iter().chain(call.odd.get()) {
            if let Ok(warning) = MetadataValue::try_from(warning) {
                metadata.append(WARNING, warning);
            }
        }
        response
    }

    fn told(&self, call: &Call, refusal: Refusal) -> Status {
        let revision = Some(self.publisher.current().revision());
        let subjects = self.publisher.subjects();
        let told = |text: String| subjects.reveal_text(&text).into_owned();
        let wrong = |wrong: WrongField| WrongField { message: told(wrong.message), ..wrong };
        let fields = refusal.fields.into_iter().map(wrong).collect();
        let message = told(refusal.message);
        Refusal { request_id: Some(call.request_id.clone()), revision, fields, message, ..refusal }.into()
    }

    /// What is asked, with pseudonyms in the place of names, all of them kept.
    async fn covered<T: Message + Default>(
        &self,
        action: &str,
        actor: &Actor,
        asked: T,
    ) -> Result<T, Refusal> {
        let subjects = self.publisher.subjects();
        let Some(rpc) = rpc(action).filter(|_| subjects.are_kept()) else { return Ok(asked) };
        // Whoever could name others by what stands for them would learn who they are.
        if matches!(actor, Actor::Principal { .. }) && says_pseudonym(&asked.encode_to_vec()) {
            let why = "people are asked for by their names, not by pseudonyms";
            return Err(Refusal::new(ErrorCode::InvalidRequest, why));
        }
        let covered = subjects.covered(rpc.input().full_name(), asked);
        let covered = covered.map_err(|error| ChangeError::from(SubjectError::from(error)))?;
        subjects.keep().await.map_err(ChangeError::from)?;
        Ok(covered)
    }
}

impl Admin {
    /// Whether what the actor reads is logged: of whoever may read the log of acts, of the platform or of its tenant, by anything but the
    /// token of an administrator.
    fn audits(&self, actor: &Actor) -> bool {
        let tenant = match actor {
            Actor::Platform(_) => return false,
            Actor::Auditor { .. } | Actor::Elevated { .. } => return true,
            Actor::Principal { tenant, .. } => tenant,
        };
        let (published, log) = (self.publisher.current(), "auditEvents");
        [None, Some(tenant)].into_iter().any(|of| published.permits_plural(actor, Action::Audit, log, of))
    }

    /// Logs what of a log is handed out, and what an auditor reads; what can't be logged is not read.
    async fn note_read(&self, call: &Call) -> Result<(), Refusal> {
        let about = call.about.get().cloned().unwrap_or_default();
        match call.handed.get() {
            Some(export) => {
                let act = call.act(export.log.clone());
                Ok(self.publisher.log_export(&act, export).await?)
            }
            None if call.audited => Ok(self.publisher.log_read(&call.act(about)).await?),
            None => Ok(()),
        }
    }

    /// Logs that a write was refused. What failed here, and not by the caller's doing, is the operator's log's.
    pub(super) async fn note_refusal(&self, call: &Call, code: ErrorCode) {
        let hidden = matches!(code, ErrorCode::PermissionDenied | ErrorCode::NotFound);
        let wrong = call.tries.get().is_none() && code.row().http.is_client_error();
        if looks(call.action) || !(hidden || wrong) {
            return;
        }
        let about = call.about.get().cloned().unwrap_or_default();
        let act = match call.basis.get().cloned() {
            Some((basis, reason)) => Act { approvals: vec![basis], reason, ..call.act(about) },
            None => call.act(about),
        };
        if let Err(error) = self.publisher.log_refusal(&act, code.as_str()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "a refusal could not be logged");
        }
    }
}

/// Refuses an auditor what is not marked as looking only: that nobody thought of a call opens nothing.
fn may_call(call: &Call) -> Result<(), Refusal> {
    let looking = looks(call.action) || call.action.starts_with(ELEVATING);
    match &call.actor {
        Actor::Auditor { .. } if !looking => Err(Refusal::new(
            ErrorCode::PermissionDenied,
            "an auditor's token changes nothing: ask an administrator, or, where the configuration allows it, take rights for a while \
             (`chancery break-glass`)",
        )),
        _ => Ok(()),
    }
}

/// What a call is about: the resource it names, or whose collection, as far as it says.
fn looked_at<T: Message>(action: &str, asked: &T) -> Option<String> {
    let rpc = rpc(action)?;
    let asked = DynamicMessage::decode(rpc.input(), asked.encode_to_vec().as_slice()).ok()?;
    let field = |name: &str| Some(asked.get_field_by_name(name)?.as_str()?.to_owned());
    ["name", "parent"].into_iter().filter_map(field).find(|name| !name.is_empty())
}

/// By what credential an actor is known.
fn method(actor: &Actor) -> &'static str {
    match actor {
        Actor::Elevated { holder, .. } => method(holder),
        Actor::Platform(_) | Actor::Auditor { .. } => "admin_token",
        Actor::Principal { .. } => "api_key",
    }
}

/// How a call came here.
fn via<T>(actor: &Actor, request: &Request<T>) -> Via {
    let method = method(actor);
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
