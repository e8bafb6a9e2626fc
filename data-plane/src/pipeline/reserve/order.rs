//! The order in which a permit's candidates are tried.
//!
//! Law: who is to be left alone, or fails too often, comes after all others, and the record says so; then a group comes wholly before
//! the next; within one, the route's policy says who is first, and who cannot be reached at all comes last. No candidate is added or
//! lost.
//!
//! | policy | first |
//! |---|---|
//! | weighted | by weight, at random |
//! | latency | of two drawn by weight the one that answers sooner of late, for each request it has |
//! | cost | the cheapest for a million tokens in and out, and of what is not billed by tokens for the request at most; unpriced last |
//! | leastBusy | the fewest requests in flight |
//! | sticky | the same one for what belongs together (`session`), as long as it is a candidate |
//!
//! A canary is first in its group for exactly its share of the requests, and last for all others.

use std::cmp::Reverse;

use policy_engine::decision::{Candidate, Permit};
use policy_engine::facts::Amounts;
use policy_engine::vocabulary::{RoutePolicy, StickyBy};

use super::super::Exchange;
use super::super::entitle::Entitled;
use super::super::estimate::{Estimate, is_metered_otherwise};
use super::session::{self, hash, mix};
use crate::runtime::Endpoint;
use crate::runtime::vitals::Standing;

/// Puts the candidates into their order.
pub(super) fn order(
    permit: &mut Permit,
    exchange: &mut Exchange<'_>,
    (asked, estimate): (&Entitled<'_>, Estimate),
) {
    if permit.candidates.len() < 2 {
        return;
    }
    let yardstick = match is_metered_otherwise(asked.question.operation) {
        true => estimate.most(),
        false => Amounts { input: 1_000_000, output: 1_000_000, ..Amounts::default() },
    };
    rank(permit, exchange, (asked, yardstick));
    put_off(permit, exchange);
}

/// Moves those behind all others that are to be left alone or fail too often, if there are others.
fn put_off(permit: &mut Permit, exchange: &mut Exchange<'_>) {
    let (runtime, node) = (exchange.runtime, exchange.node);
    let standing = |candidate: &Candidate| {
        let endpoint = runtime.endpoint(candidate.endpoint);
        endpoint.map_or(Standing::Ready, |endpoint| endpoint.vitals.standing(|| node.clock.now()))
    };
    if permit.candidates.iter().all(|candidate| standing(candidate) == Standing::Ready) {
        return;
    }
    permit.candidates.sort_by_cached_key(standing);
    if permit.candidates.first().map(standing) != Some(Standing::Ready) {
        return;
    }
    for candidate in &permit.candidates {
        let Some(endpoint) = runtime.endpoint(candidate.endpoint) else { continue };
        let standing = standing(candidate);
        if standing != Standing::Ready {
            exchange.account.put_off(&endpoint.id, standing);
        }
    }
}

fn rank(permit: &mut Permit, exchange: &Exchange<'_>, (asked, yardstick): (&Entitled<'_>, Amounts)) {
    let (policy, node, runtime) = (permit.policy, exchange.node, exchange.runtime);
    let kept = (policy == RoutePolicy::Sticky).then(|| {
        let row = runtime.snapshot.model(permit.model);
        session::of(asked, row.map_or(StickyBy::Session, |row| row.sticky_by))
    });
    let now = node.clock.now();
    let mut shares = Shares::draw(kept.map_or_else(|| node.chance(), mix));
    let rank = |candidate: &Candidate| {
        let endpoint = runtime.endpoint(candidate.endpoint);
        let within = match policy {
            RoutePolicy::Weighted | RoutePolicy::Latency => lot(candidate.weight, node.chance()),
            RoutePolicy::LeastBusy => endpoint.map_or(0, |endpoint| u64::from(endpoint.vitals.busy())),
            RoutePolicy::Cost => cost(candidate, yardstick),
            RoutePolicy::Sticky => {
                let id = endpoint.map_or("", |endpoint| endpoint.id.name.as_str());
                lot(candidate.weight, mix(hash(kept.unwrap_or_default(), id.as_bytes())))
            }
        };
        (candidate.group, Reverse(is_reachable(endpoint)), shares.place(candidate), within)
    };
    permit.candidates.sort_by_cached_key(rank);
    if policy == RoutePolicy::Latency {
        for group in permit.candidates.chunk_by_mut(|one, two| one.group == two.group) {
            choose_of_two(group, |candidate| {
                let endpoint = runtime.endpoint(candidate.endpoint).filter(|it| is_reachable(Some(it)))?;
                Some(endpoint.vitals.load(now))
            });
        }
    }
}

fn is_reachable(endpoint: Option<&Endpoint>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.upstream.is_ok())
}

/// Of the first two of a group that were drawn by weight, puts the one first that is likely to be sooner.
fn choose_of_two(group: &mut [Candidate], load: impl Fn(&Candidate) -> Option<u64>) {
    let drawn = group.iter().position(|candidate| candidate.canary_percent.is_none());
    let Some([one, two, ..]) = drawn.and_then(|at| group.get_mut(at..)) else { return };
    let sooner = two.canary_percent.is_none()
        && load(two).zip(load(one)).is_some_and(|(of_two, of_one)| of_two < of_one);
    if sooner {
        std::mem::swap(one, two);
    }
}

/// Whose turn it is among canaries, each of which has its share of a hundred.
struct Shares {
    drawn: u64,
    group: Option<u32>,
    given: u64,
}

/// Where a candidate stands in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// It is this canary's turn.
    Canary,
    Ordinary,
    /// It is not.
    OtherCanary,
}

impl Shares {
    fn draw(bits: u64) -> Self {
        Self { drawn: bits % 100, group: None, given: 0 }
    }

    /// Places the next candidate, in the order of the route.
    fn place(&mut self, candidate: &Candidate) -> Place {
        if self.group.replace(candidate.group) != Some(candidate.group) {
            self.given = 0;
        }
        let Some(percent) = candidate.canary_percent else { return Place::Ordinary };
        let from = self.given;
        self.given += u64::from(percent);
        if (from..self.given).contains(&self.drawn) { Place::Canary } else { Place::OtherCanary }
    }
}

/// A lot such that the lowest of several falls to each in the ratio of their weights (Efraimidis and Spirakis, 2006): an
/// exponential variable of rate `weight`, in fixed point.
fn lot(weight: u32, bits: u64) -> u64 {
    let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let exponential = -uniform.ln() / f64::from(weight.max(1));
    (exponential * (1_u64 << 40) as f64) as u64
}

fn cost(candidate: &Candidate, yardstick: Amounts) -> u64 {
    let price = candidate.price.as_ref().filter(|price| !price.unpriced(&yardstick.units));
    let price = price.map(|price| price.cost(yardstick).nanos);
    price.map_or(u64::MAX, |nanos| u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_in_the_ratio_of_weights() {
        let mut bits = 7_u64;
        let mut next = || {
            bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mix(bits)
        };
        let heavy = (0..20_000).filter(|_| lot(3, next()) < lot(1, next())).count();
        assert!((14_400..15_600).contains(&heavy), "{heavy} of 20000 where 15000 are expected");
    }
}
