//! Which endpoints of the model keep every promise, and at what price.

use std::sync::Arc;

use super::context::{Context, Holds};
use super::verdict::{Asked, Verdict};
use super::{content, egress};
use crate::decision::{Candidate, EndpointIx};
use crate::facts::Price;
use crate::reason::{Reason, ReasonCode};
use crate::request::{Found, Request};
use crate::rules::condition::EndpointSide;
use crate::snapshot::CompiledSnapshot;
use crate::snapshot::rows::{Gate, SiteRow, TargetRow};
use crate::vocabulary::{Effect, Mode, UnknownFields};

/// An endpoint of the route, as rules see it.
pub(super) struct Offer<'a> {
    pub(super) target: &'a TargetRow,
    pub(super) site: &'a SiteRow,
    pub(super) side: &'a EndpointSide<'a>,
}

/// What candidates are chosen by.
pub(super) struct Choice<'a, 's> {
    pub(super) request: &'a Request<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) found: &'a Found,
    pub(super) snapshot: &'s CompiledSnapshot,
    /// The rules about endpoints that may hold for one of them.
    pub(super) rules: &'a [Asked<'s>],
}

/// The endpoints that keep every promise.
pub(super) struct Chosen<'s> {
    pub(super) candidates: Vec<Candidate>,
    /// The rules that each of them adds.
    pub(super) owed: Vec<(EndpointIx, &'s Gate)>,
}

impl<'a, 's> Choice<'a, 's> {
    /// The endpoints that keep every promise, in the route's order; the others are noted with their reasons.
    pub(super) fn choose(
        &self,
        offers: impl ExactSizeIterator<Item = Offer<'a>>,
        verdict: &mut Verdict<'s>,
    ) -> Result<Chosen<'s>, Vec<Reason>> {
        if verdict.residency.is_some_and(|allowed| allowed.is_empty()) {
            return Err(conflict(verdict, &verdict.resident));
        }
        let mut candidates = Vec::with_capacity(offers.len());
        let mut required = Vec::with_capacity(self.rules.len());
        let mut owed = Vec::with_capacity(offers.len() * self.rules.len());
        for offer in offers {
            required.clear();
            let faults = self.judge(verdict, &offer, &mut required);
            if !faults.is_empty() {
                let endpoint = self.snapshot.endpoint(EndpointIx(offer.target.endpoint)).map(|e| &e.id);
                let about = |reason| Reason { endpoint: endpoint.cloned(), ..reason };
                verdict.dropped.extend(faults.into_iter().map(about));
                continue;
            }
            let endpoint = EndpointIx(offer.target.endpoint);
            owed.extend(required.iter().map(|(_, gate)| (endpoint, *gate)));
            candidates.push(Candidate {
                endpoint,
                group: offer.target.group,
                weight: offer.target.weight,
                canary_percent: offer.target.canary_percent,
                mirror_percent: offer.target.mirror_percent,
                price: self.price_of(offer.target),
                limits: Vec::new(),
            });
        }
        if !candidates.iter().any(Candidate::answers) {
            // Every endpoint fell for a reason of its own; one code stands for all, and all stand behind it: that of an endpoint
            // which fell for nothing but a field, since the caller can mend that, or else the first one's.
            let mendable = verdict.dropped.iter().find(|reason| reason.code == ReasonCode::UnknownField);
            let first = mendable.or(verdict.dropped.first()).cloned();
            let first = first.map(|reason| Reason { endpoint: None, ..reason });
            return Err(vec![first.unwrap_or(Reason::plain(ReasonCode::NoEndpoint))]);
        }
        Ok(Chosen { candidates, owed })
    }

    /// What keeps a request from one endpoint: promises made so far, and those that rules about endpoints add. The rules
    /// that add something are given in `required`.
    fn judge(
        &self,
        verdict: &mut Verdict<'s>,
        offer: &Offer<'a>,
        required: &mut Vec<Asked<'s>>,
    ) -> Vec<Reason> {
        let mut faults = Vec::new();
        let (mut permitted, mut tools) = (verdict.permitted, verdict.tools.clone());
        for (ix, gate) in self.rules {
            let holds = self.context.holds(gate, Some(offer.side));
            match (holds, gate.mode, gate.effect) {
                (Holds::No, ..) | (_, Mode::Shadow, Effect::Permit | Effect::Require) => continue,
                (_, Mode::Shadow, Effect::Forbid) => {
                    verdict.note_shadow(*ix);
                    continue;
                }
                (_, Mode::Enforce, Effect::Permit) => {
                    egress::permit(gate, self.context, Some(offer.side), &mut tools);
                    permitted = permitted.max(gate.permit);
                }
                (_, Mode::Enforce, Effect::Forbid) => {
                    faults.extend(verdict.forbidden(*ix, holds == Holds::Known));
                }
                (_, Mode::Enforce, Effect::Require) => required.push((*ix, gate)),
            }
            verdict.note_match(*ix);
        }
        faults.extend(verdict.permits_missing(permitted, required));
        if !tools.is_empty() {
            faults.push(egress::missing(self.request, &tools, self.snapshot));
        }
        faults.extend(unkept(verdict, required, offer.site));
        let blocks = |(_, gate): &&Asked<'_>| {
            verdict.rules.duties(gate).is_some_and(|duties| content::blocks(&duties.actions, self.found))
        };
        let blocking = required.iter().find(blocks);
        faults.extend(blocking.and_then(|(ix, _)| verdict.because(ReasonCode::ContentBlocked, *ix)));
        if faults.is_empty() && offer.site.unknown_fields == UnknownFields::Reject {
            faults.extend(self.request.unknown_fields.first().map(|field| unknown(field)));
        }
        faults
    }

    /// The price in force: the endpoint's own before the model's, the latest that has begun. Where both the tenant and the
    /// platform have one, the tenant's, but in no class below the platform's: a spend limit of the platform counts by it.
    fn price_of(&self, target: &TargetRow) -> Option<Arc<Price>> {
        let tenant = self.request.caller.tenant;
        let begun = |price: &Price| price.valid_from.is_none_or(|from| from <= self.request.instant);
        let of = |owner: Option<u32>| {
            let rows = target.prices.iter().filter(move |row| row.owner == owner);
            rows.map(|row| &row.price).find(|price| begun(price))
        };
        match (of(Some(tenant)), of(None)) {
            (Some(own), Some(platforms)) => Some(Price::no_lower(own, platforms)),
            (own, platforms) => own.or(platforms).cloned(),
        }
    }
}

/// Why a request with this field does not go where such fields are rejected.
fn unknown(field: &str) -> Reason {
    let line =
        format!("the field `{field}` is outside the published schema, and the endpoint rejects such fields");
    Reason { field: Some(field.to_owned()), line: Some(line), ..Reason::plain(ReasonCode::UnknownField) }
}

/// The residency that an endpoint does not keep, in processing or in storage: every rule it breaks, or all that contradict
/// each other.
fn unkept(verdict: &Verdict<'_>, required: &[Asked<'_>], site: &SiteRow) -> Vec<Reason> {
    let more = required.iter().filter_map(|(_, gate)| verdict.residency_of(gate)).copied();
    let allowed = verdict.residency.into_iter().chain(more).reduce(|a, b| a.intersect(&b));
    let Some(allowed) = allowed else { return Vec::new() };
    if site.processes_within(&allowed) && site.stores_within(&allowed) {
        return Vec::new();
    }
    let demands = verdict.resident.iter().chain(required);
    let demanding: Vec<Asked<'_>> =
        demands.filter(|(_, gate)| verdict.residency_of(gate).is_some()).copied().collect();
    if allowed.is_empty() {
        return conflict(verdict, &demanding);
    }
    let broken = demanding.iter().filter_map(|(ix, gate)| {
        let allowed = verdict.residency_of(gate)?;
        let line = match (site.processes_within(allowed), site.stores_within(allowed)) {
            (true, true) => return None,
            (true, false) => Some(STORED_OUTSIDE.to_owned()),
            (false, _) => None,
        };
        Some(Reason { line, ..verdict.because(ReasonCode::ResidencyUnsatisfied, *ix)? })
    });
    broken.collect()
}

/// What is told of an endpoint that only stores elsewhere; of one that processes elsewhere the code's own message tells.
const STORED_OUTSIDE: &str =
    "the endpoint processes within the required regions but stores what it is sent outside them";

/// The rules that leave no place between them, each with its law.
fn conflict(verdict: &Verdict<'_>, rules: &[Asked<'_>]) -> Vec<Reason> {
    rules.iter().filter_map(|(ix, _)| verdict.because(ReasonCode::ObligationConflict, *ix)).collect()
}
