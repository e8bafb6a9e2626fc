//! The request goes out: a loop of attempts over the permit's candidates.
//!
//! Law: another attempt is made only if nothing of an answer was delivered and the failure is a passing one or the endpoint's own; each attempt
//! holds its own limits before it is sent, nothing goes to an endpoint without the credential it is to be called with, and a vendor's refusal of our credential is never shown as the caller's.
//! Deliberately absent: choosing who may be tried (the permit's), who is next (`course`) and reading the answer beyond its beginning.

mod course;
mod hedge;

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Instant as Moment;

use bytes::Bytes;
use policy_engine::vocabulary::{Instant, Operation};
use tokio::time::Instant as Timepoint;

use super::Exchange;
use super::answer::{Answering, Begun, check_whole, media_type};
use super::received::Form;
use super::repeated::{Repeated, without_secrets};
use super::reserve::{Reserved, grown, limited, share};
use crate::error::Rejection;
use crate::overlay::Cut;
use crate::quota::Reservation;
use crate::record::Outcome;
use crate::runtime::Endpoint;
use crate::tape::Tape;
use crate::upstream::Upstream;
use crate::upstream::call::{Answer, AnswerBody, Api, Call};
use crate::upstream::config::Fault;
use crate::upstream::error::{Kind, Stage, UpstreamError};
use crate::upstream::fetched::Fetches;
use crate::upstream::retry_after::spent;
use course::{Course, Held, Turn};

/// Why an attempt gave no answer.
enum Missed {
    /// The vendor failed.
    Upstream(UpstreamError),
    /// The vendor must not be called.
    Barred(UpstreamError),
    /// The candidate's own limits refuse.
    Limited(Rejection),
    /// The key was taken back, or something is switched off: before it was called, or while it had not answered.
    Stopped(Cut, When),
}

/// Fields that a vendor was not told.
pub(crate) type LeftOut = Vec<Cow<'static, str>>;

/// When a request was stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Midway,
}

/// What came of an attempt.
struct Tried<'s> {
    /// Who answered, or failed last.
    endpoint: &'s Endpoint,
    /// How many were asked beside it, and failed.
    others: usize,
    answer: Result<Answered, Missed>,
}

/// An answer that began, in which API it is, and what its vendor was not told.
type Answered = (Begun, (Api, LeftOut));

/// Calls the candidates in their order until one begins to answer.
pub(crate) async fn dispatch<'s>(
    exchange: &mut Exchange<'s>,
    mut reserved: Reserved<'s>,
) -> Result<Answering<'s>, Rejection> {
    let arrival = &reserved.permitted.entitled.question.arrival;
    if arrival.own_deadline && arrival.deadline <= Timepoint::now() {
        return Err(Rejection::late());
    }
    let mut course = Course::begin(exchange, &reserved);
    while let Some(turn) = course.next(exchange, &mut reserved.permitted.permit.candidates) {
        let Tried { endpoint, others, answer } = attempt(exchange, &reserved, turn).await;
        match answer {
            Ok((begun, (api, mut left_out))) => {
                let entitled = &reserved.permitted.entitled;
                let stated = entitled.question.outline.stated.as_deref();
                if stated.is_some_and(|stated| stated.stores) {
                    left_out.push(Cow::Borrowed("store"));
                    left_out.sort();
                }
                let repeated = stated.filter(|_| api == Api::Responses);
                let repeated = repeated.map(|stated| Box::new(Repeated::of(&entitled.body, stated)));
                reserved.permitted.entitled.let_go();
                return Ok(Answering { permitted: reserved.permitted, begun, endpoint, left_out, repeated });
            }
            Err(missed) => {
                if course.missed(exchange, &reserved, (endpoint, missed, others)).await.is_break() {
                    break;
                }
            }
        }
    }
    Err(course.end(exchange))
}

/// What the caller is told of a request that was stopped. One that a vendor has is charged for.
fn stopped(exchange: &Exchange<'_>, cut: &Cut, when: When) -> Rejection {
    let rejection = Rejection::stopped(cut, exchange.node.clock.now());
    match when {
        When::Before => rejection,
        When::Midway => Rejection { outcome: Outcome::Cut, ..rejection },
    }
}

/// Says in the log that a vendor refuses our credential, now and then; never in the vendor's words.
fn tell_refusal(exchange: &Exchange<'_>, endpoint: &Endpoint, error: &UpstreamError) {
    let Kind::Status(refusal) = &error.kind else { return };
    let status = refusal.status.as_u16();
    if matches!(status, 401 | 403) && endpoint.vitals.tells_refusal(exchange.node.clock.now()) {
        tracing::warn!(
            endpoint = %endpoint.id, status,
            "the upstream refuses the gateway's credential; this is said once a minute at most"
        );
    }
}

async fn attempt<'s>(exchange: &mut Exchange<'s>, reserved: &Reserved<'s>, turn: Turn<'s>) -> Tried<'s> {
    let (endpoint, at, is_hedged) = (turn.endpoint, turn.at, turn.is_hedged);
    let tried = |answer| Tried { endpoint, others: 0, answer };
    let call = match prepare(exchange, reserved, turn).await {
        Ok(call) => call,
        Err(missed) => return tried(Err(missed)),
    };
    let Ok(upstream) = &endpoint.upstream else {
        return tried(Err(Missed::Upstream(UpstreamError::new(Kind::Connect))));
    };
    let sent = Sent { endpoint, since: Moment::now(), stream: call.stream };
    let late = if is_hedged { endpoint.vitals.late(sent.stream) } else { None };
    if let Some(late) = late {
        // Boxed, so that who has no second call carries no room for one.
        let work = ask(upstream, call);
        return Box::pin(hedge::race(exchange, reserved, (sent, work), (at + 1, late))).await;
    }
    let begun = exchange.account.over(pin!(ask(upstream, call))).await;
    tried(answered(exchange, &sent, begun))
}

/// Calls, and waits for the first of the answer.
async fn ask(upstream: &Upstream, call: Call) -> Result<Answered, UpstreamError> {
    let what = (call.operation, upstream.api(call.api));
    begin(upstream.call(call).await?, what).await
}

/// A call that was made.
struct Sent<'s> {
    endpoint: &'s Endpoint,
    since: Moment,
    /// Whether a stream was asked for.
    stream: bool,
}

impl Sent<'_> {
    /// The first of its answer came, or another's did: then it took at least so long.
    fn measured(&self, now: Instant) {
        let took = self.since.elapsed();
        self.endpoint.vitals.measured(took, now);
        self.endpoint.vitals.timed(took, self.stream);
    }
}

/// Takes in how a call went that the account has.
fn answered(
    exchange: &mut Exchange<'_>,
    sent: &Sent<'_>,
    begun: Result<Result<Answered, UpstreamError>, Cut>,
) -> Result<Answered, Missed> {
    let (begun, told) = begun.map_err(|cut| Missed::Stopped(cut, When::Midway))?.map_err(Missed::Upstream)?;
    let now = exchange.node.clock.now();
    sent.measured(now);
    if let Some(wait) = spent(begun.headers()) {
        sent.endpoint.vitals.spent(now, wait);
    }
    exchange.account.answered(begun.upstream_request_id());
    Ok((begun, told))
}

/// Makes sure that a candidate may be called, holds what its limits ask for, and gives the call.
async fn prepare<'s>(
    exchange: &mut Exchange<'s>,
    reserved: &Reserved<'s>,
    turn: Turn<'s>,
) -> Result<Call, Missed> {
    let Turn { at, endpoint, in_flight, held, .. } = turn;
    let candidate = reserved.permitted.permit.candidates.get(at);
    if endpoint.upstream.as_ref().is_err_and(Fault::is_of_credential) {
        return Err(Missed::Barred(UpstreamError::new(Kind::Credential)));
    }
    if let Some(cut) = exchange.forbidden(endpoint) {
        return Err(Missed::Stopped(cut, When::Before));
    }
    if let (Some(candidate), Held::ForAnother) = (candidate, held) {
        let (lines, amounts) = share(exchange.runtime, &reserved.permitted, candidate, reserved.estimate);
        let limited = |refusal| Missed::Limited(limited(&refusal, &reserved.permitted, candidate));
        let now = exchange.account.now();
        if let Some(reservation) = exchange.account.reservation() {
            reservation.adjust(lines, amounts, now).await.map_err(limited)?;
        } else if !lines.is_empty() {
            // The one before had no limit.
            let held = Reservation::reserve(&exchange.node.ledger, lines, amounts, now).await;
            exchange.account.reserved(held.map_err(limited)?);
        }
    }
    let noted = exchange.account.fetches(&reserved.permitted.entitled.question.outline.elsewhere);
    let call = Call { noted, ..call(reserved, endpoint) };
    if let Some(candidate) = candidate {
        // What is told of it is judged by what was held for it.
        let most = grown(exchange.runtime, &reserved.permitted, candidate, reserved.estimate);
        exchange.account.estimated(most);
    }
    let price = candidate.and_then(|candidate| candidate.price.clone());
    let kept = kept(exchange, &call);
    exchange.account.sent(endpoint, (price, kept.as_ref().unwrap_or(&call.body)), in_flight);
    Ok(call)
}

/// What is kept of a body in its place, where it holds what only the vendor may see.
fn kept(exchange: &Exchange<'_>, call: &Call) -> Option<Bytes> {
    let hides = call.api == Api::Responses && exchange.account.keeps_content();
    hides.then(|| without_secrets(&call.body))
}

fn call(reserved: &Reserved<'_>, endpoint: &Endpoint) -> Call {
    let question = &reserved.permitted.entitled.question;
    let arrival = &question.arrival;
    Call {
        operation: question.operation,
        body: body(reserved, endpoint),
        files: reserved.permitted.entitled.files.clone(),
        stream: question.outline.stream,
        foreign: arrival.form == Form::Translated,
        api: if arrival.form == Form::Responses { Api::Responses } else { Api::Chat },
        request_id: arrival.id_header.clone(),
        traceparent: arrival.traceparent.clone(),
        noted: Fetches::default(),
        deadline: Some(arrival.deadline),
    }
}

/// The caller's own body, with this endpoint's name of the model and what the permit demands.
fn body(reserved: &Reserved<'_>, endpoint: &Endpoint) -> Bytes {
    let entitled = &reserved.permitted.entitled;
    let at = &entitled.question.outline.model_at;
    if entitled.body.get(at.clone()) == Some(&*endpoint.model_json) {
        return reserved.permitted.patches.apply(&entitled.body);
    }
    let mut patches = reserved.permitted.patches.clone();
    patches.add(at.clone(), endpoint.model_json.clone());
    patches.apply(&entitled.body)
}

/// Waits for the first of the answer, so that a stream that breaks before it can still be another's.
async fn begin(answer: Answer, what: (Operation, Api)) -> Result<Answered, UpstreamError> {
    let Answer { headers, body, left_out } = answer;
    let told = (what.1, left_out);
    match body {
        AnswerBody::Whole(bytes) => {
            let mut tape = Tape::for_text(bytes.len());
            check_whole(&mut tape, &bytes, what)?;
            Ok((Begun::Whole { headers, bytes, tape }, told))
        }
        AnswerBody::Events(mut events) => match poll_fn(|cx| events.poll_piece(cx)).await {
            Some(Ok(first)) => Ok((Begun::Events { headers, first, events }, told)),
            Some(Err(error)) => Err(error),
            None => Err(UpstreamError::new(Kind::Protocol)),
        },
        AnswerBody::Media(mut pieces) => {
            let media_type = media_type(&headers)?;
            match poll_fn(|cx| pieces.poll_piece(cx)).await {
                Some(Ok(first)) => Ok((Begun::Media { headers, media_type, first, pieces }, told)),
                Some(Err(error)) => Err(error),
                None => Err(UpstreamError::new(Kind::Protocol)),
            }
        }
    }
}

/// What the caller is told of a vendor's failure: of the vendor's own words only those about the request, screened like an answer.
fn rejection(error: &UpstreamError, reserved: &Reserved<'_>) -> Rejection {
    let arrival = &reserved.permitted.entitled.question.arrival;
    if matches!(error.kind, Kind::Timeout(Stage::Total)) && arrival.own_deadline {
        return Rejection::late();
    }
    let told = match &error.kind {
        Kind::Status(refusal) if matches!(refusal.status.as_u16(), 400 | 404 | 413 | 422) => {
            super::answer::vendor_words(&refusal.body, &reserved.permitted)
        }
        _ => None,
    };
    Rejection::upstream(error, told)
}
