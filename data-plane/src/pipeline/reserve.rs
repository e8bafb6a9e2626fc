//! All limits of the first candidate, all or nothing; and the order of the candidates.
//!
//! Law: nothing is sent without a place for its record where the tenant demands one, and without everything its limits ask for
//! being held. Deliberately absent: which limits apply (the permit's), and counting (`quota`'s).

mod order;
mod session;

use policy_engine::decision::Candidate;
use proto::code::ErrorCode;

use super::Exchange;
use super::decide::Permitted;
use super::estimate::{Estimate, is_written};
use super::mirror;
use crate::dialect::template::Growth;
use crate::error::Rejection;
use crate::quota::{Amounts, Line, Refusal, Reservation, SubjectKey};
use crate::record::Unnoted;
use crate::runtime::{Counted, Runtime};

/// A request that everything is held for.
pub(crate) struct Reserved<'s> {
    /// The request; its candidates stand in the order in which they are tried.
    pub(crate) permitted: Permitted<'s>,
    /// The most it may use.
    pub(crate) estimate: Estimate,
}

/// Orders the candidates and holds what the first of them asks for.
pub(crate) async fn reserve<'s>(
    exchange: &mut Exchange<'s>,
    mut permitted: Permitted<'s>,
) -> Result<Reserved<'s>, Rejection> {
    if !exchange.account.may_go_unrecorded() {
        return Err(Rejection::unnoted(Unnoted));
    }
    let question = &permitted.entitled.question;
    let card = &permitted.entitled.entitled.row.card;
    let estimate = Estimate::of(&question.outline, card, question.operation);
    let mirrors = mirror::part(&mut permitted.permit, exchange, question);
    order::order(&mut permitted.permit, exchange, (&permitted.entitled, estimate));
    exchange.account.estimated(estimate);
    let first = permitted.permit.candidates.first();
    let Some(first) = first else {
        return Err(Rejection::new(ErrorCode::NoEndpoint, "the model has no endpoint in this geo"));
    };
    let (lines, amounts) = share(exchange.runtime, &permitted, first, estimate);
    if !lines.is_empty() {
        let now = exchange.account.now();
        let held = Reservation::reserve(&exchange.node.ledger, lines, amounts, now).await;
        let held = held.map_err(|refusal| limited(&refusal, &permitted, first))?;
        exchange.account.reserved(held);
    }
    for endpoint in mirrors {
        mirror::send(exchange, &permitted.entitled, endpoint);
    }
    Ok(Reserved { permitted, estimate })
}

/// What the caller is told when a limit refuses a candidate.
pub(crate) fn limited(refusal: &Refusal, permitted: &Permitted<'_>, candidate: &Candidate) -> Rejection {
    let question = &permitted.entitled.question;
    let mut rejection = Rejection::limited(refusal, candidate.price.as_ref().map(|price| price.currency));
    let longest = is_written(question.operation) && question.outline.max_tokens.is_none();
    if longest && refusal.retry_after.is_none() && refusal.limit.bound.counts_output() {
        rejection.refusal.message.push_str(HINT);
    }
    rejection
}

/// What a caller can do that did not say how long an answer it wants.
const HINT: &str =
    ": without `max_tokens` the longest answer of the model is reserved, and `max_tokens` lowers that";

/// The lines and amounts of a candidate.
pub(crate) fn share(
    runtime: &Runtime,
    permitted: &Permitted<'_>,
    candidate: &Candidate,
    estimate: Estimate,
) -> (Vec<Line>, Amounts) {
    let question = &permitted.entitled.question;
    let limits = permitted.permit.limits.iter().chain(&candidate.limits);
    let Some(identity) = runtime.snapshot.identity(question.caller) else { return Default::default() };
    let counted = Counted { identity, key: &SubjectKey::new(&*question.key) };
    let lines = limits.filter_map(|ix| runtime.limits().line(&runtime.snapshot, *ix, counted));
    let estimate = grown(runtime, permitted, candidate, estimate);
    (lines.collect(), estimate.amounts(candidate.price.as_deref()))
}

/// The most that a request may use at a candidate, with what its vendor is sent beside the caller's texts.
pub(crate) fn grown(
    runtime: &Runtime,
    permitted: &Permitted<'_>,
    candidate: &Candidate,
    estimate: Estimate,
) -> Estimate {
    let question = &permitted.entitled.question;
    let way = runtime.endpoint(candidate.endpoint).and_then(|endpoint| endpoint.upstream.as_ref().ok());
    let growth = way.map_or(Growth::NONE, |way| way.growth(question.operation));
    estimate.grown(growth, question.outline.texts.len())
}
