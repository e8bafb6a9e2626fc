//! The order in which a permit's candidates are tried.
//!
//! Law: who is to be left alone, or fails too often, comes after all others, and the record says so; then a group comes wholly before
//! the next; within one, the route's policy says who is first, and who cannot be reached at all comes last. No candidate is added or
//! lost.
//!
//! | policy | first |
//! |---|---|
//! | weighted | by weight, at random |
//! | latency | the shorter time to an answer of late, of two drawn by weight |
//! | cost | the cheapest for a million tokens in and out; unpriced last |
//! | leastBusy | the fewest requests in flight |
//! | sticky | the same one for the same key, as long as the candidates are the same |

use std::cmp::Reverse;

use policy_engine::decision::{Candidate, Permit};
use policy_engine::facts::Amounts;
use policy_engine::vocabulary::RoutePolicy;

use super::super::Exchange;
use crate::runtime::vitals::Standing;

/// Puts the candidates into their order.
pub(super) fn order(permit: &mut Permit, exchange: &mut Exchange<'_>, key: &str) {
    if permit.candidates.len() < 2 {
        return;
    }
    rank(permit, exchange, key);
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

fn rank(permit: &mut Permit, exchange: &Exchange<'_>, key: &str) {
    let policy = permit.policy;
    let rank = |candidate: &Candidate| {
        let endpoint = exchange.runtime.endpoint(candidate.endpoint);
        let reachable = endpoint.is_some_and(|endpoint| endpoint.upstream.is_ok());
        let vitals = endpoint.map(|endpoint| &endpoint.vitals);
        let within = match policy {
            RoutePolicy::Weighted => lot(candidate.weight, exchange.node.chance()),
            RoutePolicy::Latency => vitals.map_or(0, |vitals| vitals.latency()),
            RoutePolicy::LeastBusy => vitals.map_or(0, |vitals| u64::from(vitals.busy())),
            RoutePolicy::Cost => cost(candidate),
            RoutePolicy::Sticky => lot(candidate.weight, hash(key, candidate.endpoint.position())),
        };
        (candidate.group, Reverse(reachable), within)
    };
    permit.candidates.sort_by_cached_key(rank);
}

/// A lot such that the lowest of several falls to each in the ratio of their weights (Efraimidis and Spirakis, 2006): an
/// exponential variable of rate `weight`, in fixed point.
fn lot(weight: u32, bits: u64) -> u64 {
    let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let exponential = -uniform.ln() / f64::from(weight.max(1));
    (exponential * (1_u64 << 40) as f64) as u64
}

fn cost(candidate: &Candidate) -> u64 {
    let million = Amounts { input: 1_000_000, output: 1_000_000, ..Amounts::default() };
    let price = candidate.price.as_ref().map(|price| price.cost(million).nanos);
    price.map_or(u64::MAX, |nanos| u64::try_from(nanos).unwrap_or(0))
}

/// FNV-1a of a key and a place, finished by a mixer so that near inputs lie far apart.
fn hash(key: &str, place: usize) -> u64 {
    let bytes = key.bytes().chain(place.to_le_bytes());
    let h =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    let h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_in_the_ratio_of_weights() {
        let mut bits = 7_u64;
        let mut next = || {
            bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
            hash("seed", bits as usize)
        };
        let heavy = (0..20_000).filter(|_| lot(3, next()) < lot(1, next())).count();
        assert!((14_400..15_600).contains(&heavy), "{heavy} of 20000 where 15000 are expected");
    }
}
