//! A request whose answer is late goes to the next candidate too, and whoever begins to answer first answers it.
//!
//! Law: it is done once an attempt, inside the route's budget of second calls, and only for one that the same limits count: what the dearer
//! of the two may cost is held before the second is called. The other call is given up by being dropped, says nothing against its endpoint and
//! is not charged. One that fails is no answer: the other goes on. Deliberately absent: who the second is (`course`).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant as Moment};

use bytes::Bytes;
use policy_engine::facts::Price;

use super::super::Exchange;
use super::super::estimate::Estimate;
use super::super::reserve::{Reserved, grown, share};
use super::{Answered, Sent, Tried, answered, ask, call, kept};
use crate::record::Failure;
use crate::runtime::retries::PERCENT;
use crate::runtime::vitals::verdict::Verdict;
use crate::runtime::vitals::{InFlight, Standing};
use crate::upstream::call::Call;
use crate::upstream::error::{Kind, UpstreamError};

type Begins = Result<Answered, UpstreamError>;

/// The second call; of it the account knows only that it was made.
struct Second<'s> {
    sent: Sent<'s>,
    price: Option<Arc<Price>>,
    /// The most it may use.
    most: Estimate,
    body: Bytes,
    in_flight: InFlight,
}

/// Waits for a call that the account has; once it is `late`, the candidate at `next` is called too.
pub(super) async fn race<'s>(
    exchange: &mut Exchange<'s>,
    reserved: &Reserved<'s>,
    (sent, work): (Sent<'s>, impl Future<Output = Begins>),
    (next, late): (usize, Duration),
) -> Tried<'s> {
    let mut first = pin!(work);
    let tried = |sent: &Sent<'s>, others, answer| Tried { endpoint: sent.endpoint, others, answer };
    match exchange.account.over(pin!(tokio::time::timeout(late, first.as_mut()))).await {
        Ok(Err(_late)) => {}
        Ok(Ok(begun)) => return tried(&sent, 0, answered(exchange, &sent, Ok(begun))),
        Err(cut) => return tried(&sent, 0, answered(exchange, &sent, Err(cut))),
    }
    let Some((second, call)) = second(exchange, reserved, next).await else {
        let begun = exchange.account.over(first).await;
        return tried(&sent, 0, answered(exchange, &sent, begun));
    };
    let upstream = &second.sent.endpoint.upstream;
    let work = async {
        match upstream {
            Ok(upstream) => ask(upstream, call).await,
            Err(_) => Err(UpstreamError::new(Kind::Connect)),
        }
    };
    let mut other = pin!(work);
    let won = match exchange.account.over(pin!(sooner(first.as_mut(), other.as_mut()))).await {
        Ok(won) => won,
        // The other may answer still.
        Err(cut) if cut.is_of_endpoint() => Sooner::Cut,
        // Both are given up with the request: neither failed, and none was sooner.
        Err(cut) => return tried(&sent, 1, answered(exchange, &sent, Err(cut))),
    };
    match won {
        Sooner::First(Ok(begun)) => {
            exchange.account.lost(&second.sent.endpoint.id, Failure::overtaken());
            tried(&sent, 0, answered(exchange, &sent, Ok(Ok(begun))))
        }
        Sooner::First(Err(error)) => {
            exchange.account.failed(&error);
            take_over(exchange, (second, other), Failure::overtaken()).await
        }
        Sooner::Cut => take_over(exchange, (second, other), Failure::switched_off()).await,
        Sooner::Second(Ok(begun)) => {
            // Who is late is slow, though its answer was not waited for.
            sent.measured(exchange.node.clock.now());
            take_over(exchange, (second, std::future::ready(Ok(begun))), Failure::overtaken()).await
        }
        Sooner::Second(Err(error)) => {
            fail(exchange, reserved, (second, &error));
            let begun = exchange.account.over(first).await;
            tried(&sent, 1, answered(exchange, &sent, begun))
        }
    }
}

/// From now on the account has the second call, and no other: the first is given up for this, unless it failed.
async fn take_over<'s>(
    exchange: &mut Exchange<'s>,
    (second, work): (Second<'s>, impl Future<Output = Begins>),
    why: Failure,
) -> Tried<'s> {
    let Second { sent, price, most, body, in_flight } = second;
    exchange.account.give_up(why);
    exchange.account.estimated(most);
    exchange.account.overtaken(sent.endpoint, (price, &body), (in_flight, sent.since));
    let begun = match exchange.account.look() {
        Some(cut) => Err(cut),
        None => exchange.account.over(pin!(work)).await,
    };
    let answer = answered(exchange, &sent, begun);
    Tried { endpoint: sent.endpoint, others: 1, answer }
}

/// Whose call was done first, and with what.
enum Sooner {
    First(Begins),
    Second(Begins),
    /// Who was called first is switched off.
    Cut,
}

async fn sooner(
    mut first: Pin<&mut impl Future<Output = Begins>>,
    mut second: Pin<&mut impl Future<Output = Begins>>,
) -> Sooner {
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(begun) => Poll::Ready(Sooner::First(begun)),
        Poll::Pending => second.as_mut().poll(cx).map(Sooner::Second),
    })
    .await
}

/// The second call, if it may be made: what the dearer of the two may cost is held for it.
async fn second<'s>(
    exchange: &mut Exchange<'s>,
    reserved: &Reserved<'s>,
    at: usize,
) -> Option<(Second<'s>, Call)> {
    let permit = &reserved.permitted.permit;
    let (before, candidate) = (permit.candidates.get(at.checked_sub(1)?)?, permit.candidates.get(at)?);
    let endpoint = exchange.runtime.endpoint(candidate.endpoint)?;
    let now = exchange.node.clock.now();
    // It was ready when the first was called.
    if endpoint.vitals.standing(|| now) != Standing::Ready || exchange.forbidden(endpoint).is_some() {
        return None;
    }
    if let Some(reservation) = exchange.account.reservation() {
        let share = |candidate| share(exchange.runtime, &reserved.permitted, candidate, reserved.estimate);
        let ((lines, mut amounts), (_, other)) = (share(candidate), share(before));
        amounts.spend = amounts.spend.max(other.spend);
        reservation.adjust(lines, amounts, exchange.account.now()).await.ok()?;
    }
    if let Some(budget) = exchange.runtime.budget(permit.model) {
        let percent = exchange.runtime.snapshot.model(permit.model).and_then(|row| row.retry_percent);
        if !budget.take(now, percent.unwrap_or(PERCENT)) {
            return None;
        }
    }
    let in_flight = endpoint.vitals.begin(|| now);
    let call = call(reserved, endpoint);
    exchange.account.sent_beside(&endpoint.id);
    let sent = Sent { endpoint, since: Moment::now(), stream: call.stream };
    let body = kept(exchange, &call).unwrap_or_else(|| call.body.clone());
    let price = candidate.price.clone();
    let most = grown(exchange.runtime, &reserved.permitted, candidate, reserved.estimate);
    Some((Second { sent, price, most, body, in_flight }, call))
}

/// The second call failed, and the account never had it.
fn fail(exchange: &mut Exchange<'_>, reserved: &Reserved<'_>, (second, error): (Second<'_>, &UpstreamError)) {
    let own_deadline = reserved.permitted.entitled.question.arrival.own_deadline;
    let (now, chance) = (exchange.node.clock.now(), exchange.node.chance());
    second.in_flight.failed(Verdict::of(error, own_deadline), now, chance);
    exchange.account.lost(&second.sent.endpoint.id, Failure::of(error));
}
