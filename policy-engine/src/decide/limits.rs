//! Which limits count a request, and whether what they count can be priced.

use super::entitle::Entitled;
use super::verdict::Verdict;
use crate::decision::{Candidate, LimitIx, ModelIx};
use crate::facts::Bound;
use crate::reason::{Reason, ReasonCode};
use crate::request::{Caller, Request};
use crate::snapshot::{CompiledSnapshot, LimitRow, has_bit};

/// Attaches to each candidate the limits of its own and returns the others. A candidate that cannot be priced under a
/// spend limit is dropped, and if none is left the request is refused.
pub(super) fn attach(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    snapshot: &CompiledSnapshot,
    chosen: (&mut Vec<Candidate>, &mut Verdict<'_>),
) -> Result<Vec<LimitIx>, Reason> {
    let (candidates, verdict) = chosen;
    let mut shared = Vec::new();
    let asked = request.units();
    let is_priced =
        |candidate: &Candidate| candidate.price.as_deref().is_some_and(|price| !price.unpriced(&asked));
    let mut unpriced = |candidate: &Candidate, limit: &LimitRow| {
        let endpoint = snapshot.endpoint(candidate.endpoint).map(|e| e.id.clone());
        verdict.dropped.push(Reason { endpoint, ..Reason::from(ReasonCode::Unpriced, &limit.id) });
    };
    for at in applicable(request.caller, request.key, snapshot) {
        let Some(limit) = snapshot.limit(LimitIx(at)) else { continue };
        if !fits(limit, request, entitled.model) {
            continue;
        }
        let own = limit.is_per_candidate();
        let money = matches!(limit.bound, Bound::Spend(..));
        if own || money {
            candidates.retain_mut(|candidate| {
                let counted = counts_candidate(limit, candidate, snapshot);
                if counted && money && !is_priced(candidate) {
                    unpriced(candidate, limit);
                    return false;
                }
                if counted && own {
                    candidate.limits.push(LimitIx(at));
                }
                true
            });
        }
        if !own {
            shared.push(LimitIx(at));
        }
        if !candidates.iter().any(Candidate::answers) {
            return Err(Reason::from(ReasonCode::Unpriced, &limit.id));
        }
    }
    Ok(shared)
}

/// Limits filed under any part of what the request is, ascending within each part.
fn applicable<'s>(
    caller: Caller,
    key: Option<&str>,
    snapshot: &'s CompiledSnapshot,
) -> impl Iterator<Item = u32> + use<'s> {
    snapshot.limits.under(key, (caller.principal, caller.team, caller.tenant))
}

/// The limits that count a request which asks no model: those on requests, and on requests in flight, that name no model, endpoint or
/// provider.
pub(super) fn whatever_the_model(
    caller: Caller,
    key: Option<&str>,
    snapshot: &CompiledSnapshot,
) -> Vec<LimitIx> {
    let all = applicable(caller, key, snapshot).map(LimitIx);
    all.filter(|ix| {
        snapshot.limit(*ix).is_some_and(|limit| {
            matches!(limit.bound, Bound::Requests(..) | Bound::Concurrent(_))
                && limit.filter.models.is_none()
                && !limit.is_per_candidate()
                && is_whose(limit, caller, key)
        })
    })
    .collect()
}

fn fits(limit: &LimitRow, request: &Request<'_>, model: ModelIx) -> bool {
    is_whose(limit, request.caller, request.key)
        && limit.filter.models.as_deref().is_none_or(|bits| has_bit(bits, model.position()))
}

fn is_whose(limit: &LimitRow, caller: Caller, key: Option<&str>) -> bool {
    let filter = &limit.filter;
    filter.tenant.is_none_or(|t| t == caller.tenant)
        && filter.team.is_none_or(|t| t == caller.team)
        && filter.principal.is_none_or(|p| p == caller.principal)
        && filter.key.as_deref().is_none_or(|k| key == Some(k))
}

fn counts_candidate(limit: &LimitRow, candidate: &Candidate, snapshot: &CompiledSnapshot) -> bool {
    let provider = || snapshot.registry.sites.get(candidate.endpoint.position()).map(|site| site.provider);
    limit.filter.endpoint.is_none_or(|e| e as usize == candidate.endpoint.position())
        && limit.filter.provider.is_none_or(|p| Some(p) == provider())
}
