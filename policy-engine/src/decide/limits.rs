//! Which limits count a request, and whether what they count can be priced.

use crate::decision::{Candidate, LimitIx};
use crate::facts::Bound;
use crate::reason::{Reason, ReasonCode};
use crate::request::Request;
use crate::snapshot::{CompiledSnapshot, LimitRow};

use super::Entitled;

/// Attaches to each candidate the limits of its own and returns the others; candidates that cannot be priced under a
/// spend limit are dropped, and if none is left the request is refused.
pub(super) fn attach(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    snapshot: &CompiledSnapshot,
    mut candidates: Vec<Candidate>,
) -> Result<(Vec<Candidate>, Vec<LimitIx>), Reason> {
    let (mut shared, mut spend) = (Vec::new(), None);
    for at in applicable(request, snapshot) {
        let Some(limit) = snapshot.limits.get(at as usize) else { continue };
        if !fits(limit, request, entitled.model.0) {
            continue;
        }
        let money = matches!(limit.bound, Bound::Spend(..));
        if limit.is_per_candidate() {
            candidates.retain_mut(|c| {
                let counted = counts_candidate(limit, c, snapshot);
                if counted {
                    c.limits.push(LimitRow::position(at));
                }
                !(counted && money && c.price.is_none())
            });
        } else {
            if money {
                spend.get_or_insert(&limit.id);
            }
            shared.push(LimitRow::position(at));
        }
        if candidates.is_empty() {
            return Err(Reason::from(ReasonCode::Unpriced, &limit.id));
        }
    }
    if let Some(limit) = spend {
        candidates.retain(|c| c.price.is_some());
        if candidates.is_empty() {
            return Err(Reason::from(ReasonCode::Unpriced, limit));
        }
    }
    Ok((candidates, shared))
}

/// Limits filed under any part of what the request is, ascending within each part.
fn applicable<'s>(request: &Request<'_>, snapshot: &'s CompiledSnapshot) -> impl Iterator<Item = u32> + 's {
    let (index, caller) = (&snapshot.limit_index, request.caller);
    let keyed = request.key.and_then(|key| index.by_key.get(key));
    let parts = [
        keyed,
        index.by_principal.get(&caller.principal),
        index.by_team.get(&caller.team),
        index.by_tenant.get(&caller.tenant),
        Some(&index.platform),
    ];
    parts.into_iter().flatten().flatten().copied()
}

fn fits(limit: &LimitRow, request: &Request<'_>, model: u32) -> bool {
    let (filter, caller) = (&limit.filter, request.caller);
    filter.tenant.is_none_or(|t| t == caller.tenant)
        && filter.team.is_none_or(|t| t == caller.team)
        && filter.principal.is_none_or(|p| p == caller.principal)
        && filter.key.as_deref().is_none_or(|k| request.key == Some(k))
        && filter
            .models
            .as_deref()
            .is_none_or(|b| b.get(model as usize / 64).is_some_and(|word| word & (1 << (model % 64)) != 0))
}

fn counts_candidate(limit: &LimitRow, candidate: &Candidate, snapshot: &CompiledSnapshot) -> bool {
    let provider = snapshot.endpoint(candidate.endpoint).map(|e| e.provider);
    limit.filter.endpoint.is_none_or(|e| e as usize == candidate.endpoint.position())
        && limit.filter.provider.is_none_or(|p| Some(p) == provider)
}
