//! Which endpoints of the model keep every promise, and at what price.

use std::sync::Arc;

use super::content;
use super::context::{Context, Holds};
use super::verdict::{Verdict, because, forbidden};
use crate::decision::{Candidate, EndpointIx, RuleIx};
use crate::facts::Price;
use crate::reason::{Reason, ReasonCode};
use crate::request::{Found, Request};
use crate::rules::condition::EndpointSide;
use crate::snapshot::rows::{Duties, TargetRow};
use crate::snapshot::{EndpointRow, RuleRow};
use crate::vocabulary::{Effect, Mode};

/// An endpoint of the route, as rules see it.
pub(super) struct Offer<'a> {
    pub(super) target: &'a TargetRow,
    pub(super) row: &'a EndpointRow,
    pub(super) side: &'a EndpointSide<'a>,
}

/// What candidates are chosen by.
pub(super) struct Choice<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) found: &'a Found,
    /// The rules about endpoints that may hold for one of them.
    pub(super) rules: &'a [(RuleIx, &'a RuleRow)],
}

impl<'a> Choice<'a> {
    /// The endpoints that keep every promise, in the route's order; the others are noted with their reasons.
    pub(super) fn choose(
        &self,
        offers: impl Iterator<Item = Offer<'a>>,
        verdict: &mut Verdict<'a>,
    ) -> Result<Vec<Candidate>, Vec<Reason>> {
        if verdict.residency.is_some_and(|allowed| allowed.is_empty()) {
            return Err(conflict(&verdict.resident));
        }
        let (mut kept, mut duties) = (Vec::new(), Vec::new());
        for offer in offers {
            match self.judge(verdict, &offer) {
                Ok(these) => {
                    duties.extend(these);
                    kept.push(Candidate {
                        endpoint: EndpointIx(offer.target.endpoint),
                        group: offer.target.group,
                        weight: offer.target.weight,
                        price: self.price_of(offer.target),
                        limits: Vec::new(),
                    });
                }
                Err(reasons) => {
                    let about = |reason| Reason { endpoint: Some(offer.row.id.clone()), ..reason };
                    verdict.dropped.extend(reasons.into_iter().map(about));
                }
            }
        }
        if kept.is_empty() {
            // Every endpoint fell for a reason of its own; the first one's code stands for all, and all stand behind it.
            let first = verdict.dropped.first().cloned();
            let first = first.map(|reason| Reason { endpoint: None, ..reason });
            return Err(vec![first.unwrap_or(Reason::plain(ReasonCode::NoEndpoint))]);
        }
        // Kept for the whole permit: a fallback must not be looser than the endpoint it stands in for.
        duties.into_iter().for_each(|duties| verdict.oblige(duties));
        Ok(kept)
    }

    /// Whether one endpoint keeps the promises made so far and those that rules about endpoints add; gives what they add.
    fn judge(&self, verdict: &mut Verdict<'a>, offer: &Offer<'a>) -> Result<Vec<&'a Duties>, Vec<Reason>> {
        let (mut faults, mut required) = (Vec::new(), Vec::new());
        let mut permitted = verdict.permitted;
        for (ix, rule) in self.rules {
            let holds = self.context.holds(rule, Some(offer.side));
            match (holds, rule.mode, rule.effect) {
                (Holds::No, ..) | (_, Mode::Shadow, Effect::Permit | Effect::Require) => continue,
                (_, Mode::Shadow, Effect::Forbid) => {
                    verdict.note_shadow(*ix);
                    continue;
                }
                (_, Mode::Enforce, Effect::Permit) => permitted = true,
                (_, Mode::Enforce, Effect::Forbid) => faults.push(forbidden(rule, holds == Holds::Known)),
                (_, Mode::Enforce, Effect::Require) => required.push(*rule),
            }
            verdict.note_match(*ix);
        }
        if !permitted {
            faults.extend(verdict.permits_missing());
            let needing = required.iter().filter(|rule| rule.needs_permit);
            faults.extend(needing.map(|rule| because(ReasonCode::PermitMissing, rule)));
        }
        faults.extend(unkept(verdict, &required, offer.row));
        let blocking = required.iter().find(|rule| content::blocks(&rule.duties.actions, self.found));
        faults.extend(blocking.map(|rule| because(ReasonCode::ContentBlocked, rule)));
        if faults.is_empty() { Ok(required.iter().map(|rule| &rule.duties).collect()) } else { Err(faults) }
    }

    /// The price in force: the tenant's own before the platform's, the endpoint's own before the model's, the latest that
    /// has begun.
    fn price_of(&self, target: &TargetRow) -> Option<Arc<Price>> {
        let tenant = self.request.caller.tenant;
        let mine = target.prices.iter().filter(|row| row.owner.is_none_or(|owner| owner == tenant));
        let begun = |price: &Price| price.valid_from.is_none_or(|from| from <= self.request.instant);
        mine.map(|row| &row.price).find(|price| begun(price)).cloned()
    }
}

/// The residency that an endpoint does not keep: every rule it breaks, or all that contradict each other.
fn unkept(verdict: &Verdict<'_>, required: &[&RuleRow], endpoint: &EndpointRow) -> Vec<Reason> {
    let demands = verdict.resident.iter().chain(required.iter());
    let demanding: Vec<&RuleRow> = demands.copied().filter(|rule| rule.duties.residency.is_some()).collect();
    let allowed = demanding.iter().filter_map(|rule| rule.duties.residency);
    let Some(allowed) = allowed.reduce(|a, b| a.intersect(&b)) else { return Vec::new() };
    if allowed.is_empty() {
        return conflict(&demanding);
    }
    let kept = |rule: &&&RuleRow| {
        let within = endpoint.processing.zip(rule.duties.residency);
        within.is_some_and(|(processing, allowed)| processing.subset_of(&allowed))
    };
    let broken = demanding.iter().filter(|rule| !kept(rule));
    broken.map(|rule| because(ReasonCode::ResidencyUnsatisfied, rule)).collect()
}

/// The rules that leave no place between them, each with its law.
fn conflict(rules: &[&RuleRow]) -> Vec<Reason> {
    rules.iter().map(|rule| because(ReasonCode::ObligationConflict, rule)).collect()
}
