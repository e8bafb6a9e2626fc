//! Whether this caller may use this model for this at all.
//!
//! Law: decided by `policy_engine::entitle` alone, before any content is looked at; the body is understood here because it
//! names the model. Deliberately absent: opinions.

use std::sync::Arc;

use bytes::Bytes;
use policy_engine::request::{Caller, Request};
use policy_engine::vocabulary::{Instant, Operation};

use super::Exchange;
use super::authenticate::Identified;
use super::estimate::is_pictured;
use super::outline::{BodyFault, Outline};
use super::received::{Arrival, Form, Received};
use crate::error::Rejection;
use crate::node::Buffered;
use crate::record::Task;
use crate::tape::Tape;
use crate::upstream::call::File;

/// What the policy is asked about, kept for as long as it may be asked again.
pub(crate) struct Question {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The key's public id.
    pub(crate) key: Box<str>,
    /// The head of the request.
    pub(crate) arrival: Arrival,
    /// What is asked of the model.
    pub(crate) operation: Operation,
    /// The body, understood.
    pub(crate) outline: Outline,
    /// When it is, for whatever begins or ends at a time.
    instant: Instant,
}

/// A request that may use its model.
pub(crate) struct Entitled<'s> {
    /// What was asked; boxed, because every verb hands it on.
    pub(crate) question: Box<Question>,
    /// The body as received.
    pub(crate) body: Bytes,
    /// The files of a form.
    pub(crate) files: Arc<[File]>,
    /// The part of the byte budget they take.
    pub(crate) buffered: Option<Buffered>,
    /// What the policy said.
    pub(crate) entitled: policy_engine::Entitled<'s>,
}

/// Understands the body and asks the policy.
pub(crate) fn entitle<'s>(
    exchange: &mut Exchange<'s>,
    identified: Identified,
) -> Result<Entitled<'s>, Rejection> {
    let Identified { received, caller, key } = identified;
    let mut tape = Tape::for_text(received.body.len());
    let Task::Model(operation) = received.arrival.task else { return Err(Rejection::defect()) };
    let outline = match received.arrival.form {
        Form::Own | Form::Translated => Outline::read(&mut tape, &received.body, operation),
        Form::Responses => Outline::of_responses(&mut tape, &received.body),
    };
    let outline = outline.map_err(|fault| refuse(&fault))?;
    let instant = exchange.node.freshness.not_before(received.arrival.at);
    let Received { arrival, body, files, buffered } = received;
    let question = Box::new(Question { caller, key, arrival, operation, outline, instant });
    exchange.account.asked(&question);
    let asked = policy_engine::entitle(&question.request(), &exchange.runtime.snapshot);
    let entitled = asked.map_err(|denial| {
        exchange.account.denied(&denial, exchange.runtime);
        Rejection::denied(&denial)
    })?;
    exchange.account.entitled(&entitled.row.id);
    exchange.may_begin()?;
    Ok(Entitled { question, body, files, buffered, entitled })
}

impl Entitled<'_> {
    /// Lets go of the body, which nobody needs any more: an answer may take long.
    pub(crate) fn let_go(&mut self) {
        self.body = Bytes::new();
        self.files = [].into();
        drop(self.buffered.take());
    }
}

impl Question {
    /// The question as the policy reads it.
    pub(crate) fn request(&self) -> Request<'_> {
        let (declared, none) = (self.arrival.declared.as_ref().ok(), <&[String]>::default());
        Request {
            caller: self.caller,
            model: &self.outline.model,
            operation: self.operation,
            stream: self.outline.stream,
            purpose: declared.and_then(|d| d.purpose.as_deref()),
            declared_jurisdictions: declared.map_or(&[], |d| &d.jurisdictions),
            declared_classes: declared.map_or(none, |d| &d.classes),
            egress_tools: &self.outline.egress_tools,
            unknown_fields: &self.outline.unknown_fields,
            picture: is_pictured(self.operation).then_some(self.outline.picture),
            instant: self.instant,
            key: Some(&self.key),
        }
    }
}

/// A body that can't be understood.
pub(super) fn refuse(fault: &BodyFault) -> Rejection {
    Rejection::field(fault.field().unwrap_or_default(), fault.to_string())
}
