//! Who is asked next, and what is told when nobody is.
//!
//! Law: who asked to be left alone is not asked, and who fails too often only where nobody else is left; nobody is added to the
//! permit's candidates. A vendor that failed is made up for by another, or by itself once where it is alone, as far as the route's budget
//! and the deadline go: then the first failure is told. Deliberately absent: calling.
//!
//! | how the endpoint stands | others are left | nobody else is |
//! |---|---|---|
//! | ready | asked | asked |
//! | cooling off, ejected | put off | asked |
//! | resting: the vendor said for how long | put off | 429 with the shortest of these times |

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use policy_engine::decision::{Candidate, EndpointIx, ModelIx};
use policy_engine::vocabulary::Instant;
use proto::code::ErrorCode;
use tokio::time::Instant as Timepoint;

use super::super::Exchange;
use super::super::estimate::is_metered_otherwise;
use super::super::reserve::Reserved;
use super::{Missed, When, rejection, stopped, tell_refusal};
use crate::error::Rejection;
use crate::overlay::Cut;
use crate::record::Failure;
use crate::runtime::Endpoint;
use crate::runtime::retries::PERCENT;
use crate::runtime::vitals::{InFlight, Standing};
use crate::upstream::error::{Kind, Stage, UpstreamError};

/// How long an endpoint that is alone is left alone before it is asked again, in microseconds, but for chance: half as long up to half as
/// long again.
const BACK_OFF: u64 = 100_000;

/// How far the candidates were gone through.
pub(super) struct Course {
    /// The place of who is next; all after it were not asked.
    at: usize,
    /// For whom limits are held.
    held: Option<EndpointIx>,
    model: ModelIx,
    /// When it must have ended.
    deadline: Timepoint,
    alone: Alone,
    /// Whether the route sends what takes long to another too.
    is_hedged: bool,
    /// Vendors that were asked and failed.
    failed: usize,
    /// The next attempt is in the budget already.
    granted: bool,
    /// What the first vendor that failed is told as, once the budget is spent.
    first: Option<Rejection>,
    over_budget: bool,
    /// What is told unless somebody answers.
    refusal: Option<Rejection>,
    /// The shortest time after which a vendor wants to be asked again.
    soonest: Option<Duration>,
    /// What ended an attempt.
    met: Option<Cut>,
}

/// Whether there is one candidate alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    No,
    /// It may be asked twice.
    Yes,
    /// It was asked again.
    AskedAgain,
}

/// For whom limits are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    ForThis,
    ForAnother,
}

/// An attempt to be made.
pub(super) struct Turn<'s> {
    /// The place of its candidate.
    pub(super) at: usize,
    pub(super) endpoint: &'s Endpoint,
    pub(super) in_flight: InFlight,
    pub(super) held: Held,
    /// Whether the candidate after it may be asked too, if it takes long.
    pub(super) is_hedged: bool,
}

impl Course {
    /// Begins, and counts the request for its route.
    pub(super) fn begin(exchange: &Exchange<'_>, reserved: &Reserved<'_>) -> Self {
        let permit = &reserved.permitted.permit;
        let question = &reserved.permitted.entitled.question;
        let arrival = &question.arrival;
        let is_hedged = exchange.runtime.snapshot.model(permit.model).is_some_and(|row| row.hedge)
            && !is_metered_otherwise(question.operation);
        let is_copy = arrival.mirrors.is_some();
        if let Some(budget) = exchange.runtime.budget(permit.model).filter(|_| !is_copy) {
            budget.count(exchange.node.clock.now());
        }
        Self {
            at: 0,
            held: permit.candidates.first().map(|candidate| candidate.endpoint),
            model: permit.model,
            deadline: arrival.deadline,
            // A copy is not asked twice: what its mirror fails at is nobody's answer.
            alone: if permit.candidates.len() == 1 && !is_copy { Alone::Yes } else { Alone::No },
            is_hedged,
            failed: 0,
            granted: false,
            first: None,
            over_budget: false,
            refusal: None,
            soonest: None,
            met: None,
        }
    }

    /// The next attempt; `None` where nobody is left who may be asked.
    pub(super) fn next<'s>(
        &mut self,
        exchange: &mut Exchange<'s>,
        candidates: &mut [Candidate],
    ) -> Option<Turn<'s>> {
        let (runtime, node) = (exchange.runtime, exchange.node);
        loop {
            let (candidate, others) = candidates.get(self.at..)?.split_first()?;
            let Some(endpoint) = runtime.endpoint(candidate.endpoint) else {
                self.at += 1;
                continue;
            };
            let is_ready = |candidate: &Candidate| stands(exchange, candidate) == Some(Standing::Ready);
            match admit(endpoint, || !others.iter().any(is_ready), || node.clock.now()) {
                Ok(in_flight) => {
                    if !self.may_ask(exchange, endpoint) {
                        return None;
                    }
                    let is_held = self.held.replace(candidate.endpoint) == Some(candidate.endpoint);
                    let held = if is_held { Held::ForThis } else { Held::ForAnother };
                    let is_hedged = self.is_hedged && hedge(exchange, candidates.get_mut(self.at..)?);
                    return Some(Turn { at: self.at, endpoint, in_flight, held, is_hedged });
                }
                Err(standing) => {
                    let is_last = !others.iter().any(is_ready);
                    exchange.account.put_off(&endpoint.id, standing);
                    match standing {
                        Standing::Resting(wait) if is_last => {
                            self.wants(wait);
                            self.at += 1;
                        }
                        _ => candidates.get_mut(self.at..)?.rotate_left(1),
                    }
                }
            }
        }
    }

    /// Takes in why an attempt gave no answer; breaks where no other is made.
    pub(super) async fn missed(
        &mut self,
        exchange: &mut Exchange<'_>,
        reserved: &Reserved<'_>,
        (endpoint, missed, others): (&Endpoint, Missed, usize),
    ) -> ControlFlow<()> {
        // Those who were asked beside it, and failed too.
        self.at += 1 + others;
        self.failed += others;
        match missed {
            Missed::Stopped(cut, when) => return self.stop(exchange, cut, when),
            Missed::Limited(rejection) => self.refusal = self.refusal.take().or(Some(rejection)),
            Missed::Barred(error) => {
                exchange.account.passed_over(&endpoint.id, Failure::of(&error));
                self.refusal = self.refusal.take().or_else(|| Some(rejection(&error, reserved)));
            }
            Missed::Upstream(error) => {
                tell_refusal(exchange, endpoint, &error);
                exchange.account.failed(&error);
                if bars(&error) {
                    endpoint.vitals.spent(exchange.node.clock.now(), BARRED);
                }
                let rejection = rejection(&error, reserved);
                let ends = !error.retryable() || rejection.code() == ErrorCode::DeadlineExceeded;
                self.refusal = Some(rejection.clone());
                if ends {
                    return ControlFlow::Break(());
                }
                if rejection.code() == ErrorCode::UpstreamRateLimited {
                    rejection.refusal.retry_after.into_iter().for_each(|wait| self.wants(wait));
                }
                if endpoint.upstream.is_ok() && !matches!(error.kind, Kind::Unfit(_) | Kind::Full) {
                    self.failed += 1;
                    self.first.get_or_insert(rejection);
                    if self.alone == Alone::Yes && passes(&error) {
                        return self.back_off(exchange, endpoint).await;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What the caller is told.
    pub(super) fn end(self, exchange: &mut Exchange<'_>) -> Rejection {
        let Self { refusal, first, over_budget, soonest, met, .. } = self;
        // Where another endpoint answered, or failed after it, nothing was refused for what is switched off.
        if let Some(cut) = met.filter(|_| refusal.as_ref().is_some_and(Rejection::is_stop)) {
            exchange.account.cut(&cut);
        }
        let refusal = first.filter(|_| over_budget).or(refusal).or_else(|| soonest.map(Rejection::resting));
        let mut refusal = refusal.unwrap_or_else(|| {
            Rejection::new(ErrorCode::NoEndpoint, "the model has no endpoint in this geo")
        });
        if refusal.code() == ErrorCode::UpstreamRateLimited {
            refusal.refusal.retry_after = soonest.or(refusal.refusal.retry_after);
        }
        refusal
    }

    fn wants(&mut self, wait: Duration) {
        self.soonest = Some(self.soonest.map_or(wait, |soonest| soonest.min(wait)));
    }

    fn stop(&mut self, exchange: &Exchange<'_>, cut: Cut, when: When) -> ControlFlow<()> {
        self.refusal = Some(stopped(exchange, &cut, when));
        let ends = !cut.is_of_endpoint();
        self.met = Some(cut);
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether the budget has room for another attempt, if it is one.
    fn may_ask(&mut self, exchange: &mut Exchange<'_>, endpoint: &Endpoint) -> bool {
        if self.failed == 0 || std::mem::take(&mut self.granted) {
            return true;
        }
        let budget = exchange.runtime.budget(self.model);
        let percent = exchange.runtime.snapshot.model(self.model).and_then(|row| row.retry_percent);
        let percent = percent.unwrap_or(PERCENT);
        let may = budget.is_none_or(|budget| budget.take(exchange.node.clock.now(), percent));
        if !may {
            self.over_budget = true;
            let why = "too many requests of the route were asked again of late".to_owned();
            exchange.account.passed_over(&endpoint.id, Failure { kind: "retry_budget", why });
        }
        may
    }

    /// Waits a little before the only candidate is asked again, if that may be and there is time.
    async fn back_off(&mut self, exchange: &mut Exchange<'_>, endpoint: &Endpoint) -> ControlFlow<()> {
        let wait = Duration::from_micros(BACK_OFF / 2 + exchange.node.chance() % BACK_OFF);
        if Timepoint::now() + wait >= self.deadline || !self.may_ask(exchange, endpoint) {
            return ControlFlow::Break(());
        }
        (self.alone, self.granted) = (Alone::AskedAgain, true);
        match exchange.account.over(pin!(tokio::time::sleep(wait))).await {
            Ok(()) => {
                self.at = self.at.saturating_sub(1);
                ControlFlow::Continue(())
            }
            Err(cut) => self.stop(exchange, cut, When::Midway),
        }
    }
}

/// Puts the one after the first of `candidates` who may be asked beside it, if there is one: who is ready, and counted by the same limits.
fn hedge(exchange: &Exchange<'_>, candidates: &mut [Candidate]) -> bool {
    let Some((first, others)) = candidates.split_first_mut() else { return false };
    let may = |other: &Candidate| {
        other.limits == first.limits
            && stands(exchange, other) == Some(Standing::Ready)
            && is_reachable(exchange, other)
    };
    let Some(at) = others.iter().position(may) else { return false };
    others.get_mut(..=at).is_some_and(|others| {
        others.rotate_right(1);
        true
    })
}

fn is_reachable(exchange: &Exchange<'_>, candidate: &Candidate) -> bool {
    exchange.runtime.endpoint(candidate.endpoint).is_some_and(|endpoint| endpoint.upstream.is_ok())
}

/// How the endpoint of a candidate stands.
fn stands(exchange: &Exchange<'_>, candidate: &Candidate) -> Option<Standing> {
    let endpoint = exchange.runtime.endpoint(candidate.endpoint)?;
    Some(endpoint.vitals.standing(|| exchange.node.clock.now()))
}

/// Lets a request in, unless the endpoint is resting or another is to be asked before it.
fn admit(
    endpoint: &Endpoint,
    is_last: impl Fn() -> bool,
    now: impl Fn() -> Instant,
) -> Result<InFlight, Standing> {
    match endpoint.vitals.standing(&now) {
        standing @ Standing::Resting(_) => Err(standing),
        standing @ (Standing::CoolingOff | Standing::Ejected) if !is_last() => Err(standing),
        Standing::Ready | Standing::CoolingOff | Standing::Ejected => {
            let in_flight = endpoint.vitals.begin(now);
            // Another one became the probe meanwhile.
            if in_flight.is_forced() && !is_last() { Err(Standing::Ejected) } else { Ok(in_flight) }
        }
    }
}

/// How long an endpoint is put off that refuses our key, or knows no such model. It answers fast, and would be asked first for that.
const BARRED: Duration = Duration::from_secs(5);

/// Whether it would refuse whatever is asked.
fn bars(error: &UpstreamError) -> bool {
    matches!(&error.kind, Kind::Status(refusal) if matches!(refusal.status.as_u16(), 401 | 403 | 404))
}

/// Whether the very endpoint that failed may be well again in a moment: it did not take its time over it, and did not ask for more.
fn passes(error: &UpstreamError) -> bool {
    match &error.kind {
        // An answer that is none was paid for all the same.
        Kind::Connect | Kind::Reset | Kind::Timeout(Stage::Connect) => true,
        Kind::Status(refusal) => refusal.status.is_server_error() && refusal.retry_after.is_none(),
        _ => false,
    }
}
