//! Which endpoints of the model keep every promise, and at what price.

use std::sync::Arc;

use crate::decision::{Candidate, EndpointIx};
use crate::facts::Price;
use crate::reason::{Reason, ReasonCode};
use crate::snapshot::EndpointRow;
use crate::snapshot::rows::TargetRow;
use crate::vocabulary::{Effect, Instant, Mode};

use super::gather::Context;
use super::{Verdict, because, forbidden};

/// The endpoints of the route that keep every promise, in the route's order; the others are noted with their reasons.
pub(super) fn choose(context: &Context<'_>, verdict: &mut Verdict) -> Result<Vec<Candidate>, Reason> {
    if verdict.residency.is_some_and(|allowed| allowed.is_empty()) {
        let source = verdict.residency_source.clone();
        return Err(source.map_or(Reason::plain(ReasonCode::ObligationConflict), |s| Reason {
            code: ReasonCode::ObligationConflict,
            ..s
        }));
    }
    let mut kept = Vec::with_capacity(context.targets().len());
    for target in context.targets() {
        let Some(endpoint) = context.endpoint(target) else { continue };
        match judge(context, verdict, endpoint) {
            Ok(()) => kept.push(Candidate {
                endpoint: EndpointIx(target.endpoint),
                group: target.group,
                weight: target.weight,
                price: price_at(target, context.instant()),
                limits: Vec::new(),
            }),
            Err(reason) => verdict.dropped.push(Reason { endpoint: Some(endpoint.id.clone()), ..reason }),
        }
    }
    if !kept.is_empty() {
        return Ok(kept);
    }
    // Every endpoint fell for a reason of its own; the first one's code stands for all, and all are listed behind it.
    let first = verdict.dropped.first().cloned();
    Err(first.map_or(Reason::plain(ReasonCode::NoEndpoint), |r| Reason { endpoint: None, ..r }))
}

/// Whether one endpoint keeps the promises made so far and those that rules about endpoints add.
fn judge(context: &Context<'_>, verdict: &mut Verdict, endpoint: &EndpointRow) -> Result<(), Reason> {
    let (mut allowed, mut source) = (verdict.residency, verdict.residency_source.clone());
    for (ix, rule, known) in context.rules_about(endpoint) {
        match (rule.mode, rule.effect) {
            (Mode::Shadow, Effect::Forbid) => verdict.shadow_denials.push(ix),
            (Mode::Shadow, _) | (Mode::Enforce, Effect::Permit) => {}
            (Mode::Enforce, Effect::Forbid) => {
                verdict.note_match(ix);
                return Err(forbidden(rule, known));
            }
            (Mode::Enforce, Effect::Require) => {
                verdict.note_match(ix);
                if rule.needs_permit && !verdict.permitted {
                    return Err(because(ReasonCode::PermitMissing, rule));
                }
                if let Some(these) = rule.duties.residency {
                    allowed = Some(allowed.map_or(these, |held| held.intersect(&these)));
                    source.get_or_insert_with(|| because(ReasonCode::ResidencyUnsatisfied, rule));
                }
                // Kept for the whole permit: a fallback must not be looser than the endpoint it stands in for.
                verdict.oblige(&rule.duties);
            }
        }
    }
    match (allowed, endpoint.processing) {
        (None, _) => Ok(()),
        (Some(allowed), Some(processing)) if processing.subset_of(&allowed) => Ok(()),
        _ => Err(source.unwrap_or(Reason::plain(ReasonCode::ResidencyUnsatisfied))),
    }
}

/// The price in force: the endpoint's own before the model's, the latest that has begun.
fn price_at(target: &TargetRow, instant: Instant) -> Option<Arc<Price>> {
    target.prices.iter().find(|p| p.valid_from.is_none_or(|from| from <= instant)).cloned()
}
