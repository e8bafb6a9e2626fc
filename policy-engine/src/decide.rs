//! The two steps of every answer: may this caller use this model at all, and on which terms this once.
//!
//! Order of evaluation; the first line that denies decides:
//!
//! | step | asks | denies with |
//! |---|---|---|
//! | entitle | does the name mean a model the caller may see | `model_not_found` |
//! | | does the model serve the operation | `operation_unsupported` |
//! | | does a grant allow it, and the key | `not_entitled`, `key_scope` |
//! | | is the licence in force, here, for this purpose, accepted | `licence_*` |
//! | decide | does a `forbid` hold, or may it hold because something is unknown | `rule_forbids`, `rule_undecided` |
//! | | do `require`s that hold demand a `permit` of their owner's or the platform's that does not | `permit_missing` |
//! | | is there a vendor-side tool that no `permit` about `egressTools` allows | `permit_missing` |
//! | | does the content hold what a guardrail or a rule blocks | `content_blocked` |
//! | | do the requirements contradict each other | `obligation_conflict` |
//! | | is there an endpoint that keeps every promise | `residency_unsatisfied`, `rule_forbids`, `permit_missing`, `content_blocked`, `unknown_field`, `no_endpoint` |
//! | | is a model under a spend limit priced, and the kind of picture or sound that is asked for | `unpriced_model` |
//!
//! A guardrail asked without a model ([`guard`]) is no decision: whom it could check may ask it.
//!
//! Law: deny beats allow; a rule can only narrow; every `require` that holds is kept together with all others, the
//! strictest winning. Absent on purpose: the ledger's and the upstream's answers, and any clock.

mod candidates;
mod content;
mod context;
mod egress;
mod entitle;
mod gather;
mod guard;
mod licence;
mod limits;
mod verdict;

pub use entitle::{Entitled, entitle};
pub use guard::{Guarded, guard};

use crate::decision::{Candidate, Decision, LimitIx, Permit, RuleIx};
use crate::request::{Findings, Found, Request};
use crate::snapshot::rows::Gate;
use crate::snapshot::{CompiledSnapshot, Filed};
use crate::vocabulary::{Effect, Mode};
use candidates::{Choice, Chosen, Offer};
use context::{Context, Holds, Texts, side_of};
use verdict::{Asked, Verdict};

/// The second step: rules over caller, request, what was found, and each candidate endpoint.
pub fn decide(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    found: &Found,
    snapshot: &CompiledSnapshot,
) -> Decision {
    decide_answer(request, entitled, Findings { sent: found, answered: &Found::default() }, snapshot)
}

/// The second step again, once something was found in the answer: its data classes count like those of the request, but what
/// is blocked on the way in is not held against what comes out; for that the permit's `output` stands.
pub fn decide_answer(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    findings: Findings<'_>,
    snapshot: &CompiledSnapshot,
) -> Decision {
    let (tenant, found) = (request.caller.tenant, findings.sent);
    let entities = found.entities | findings.answered.entities;
    let texts = Texts::of(request, entitled, entities, snapshot);
    let context = Context::new(request, entitled, &texts, snapshot);
    let targets = entitled.row.targets.iter();
    let sites =
        targets.filter_map(|target| Some((target, snapshot.registry.sites.get(target.endpoint as usize)?)));
    let mut places = Vec::with_capacity(entitled.row.targets.len());
    places.extend(sites);
    let sides: Vec<_> = places.iter().map(|(_, site)| side_of(site)).collect();
    let asked = gather::gather(&context, &sides, tenant, snapshot);
    let mut verdict = Verdict::of(&snapshot.rules, asked.len());
    verdict.tools = texts.tools();
    let rules = ask(request, &context, &asked, &mut verdict);
    let given = |gate: &Gate| sides.iter().any(|side| context.holds(gate, Some(side)) == Holds::Known);
    if !verdict.unpermitted.is_empty() {
        let permits = rules.iter().filter(|(_, gate)| is_permit(gate) && given(gate));
        let hoped = permits.map(|(_, gate)| gate.permit).fold(verdict.permitted, Option::max);
        let missing: Vec<_> = verdict.permits_missing(hoped, &[]).collect();
        verdict.denials.extend(missing);
    }
    let permits_tools = |(_, gate): &Asked<'_>| egress::is_about_tools(gate) && given(gate);
    if !verdict.tools.is_empty() && !rules.iter().any(permits_tools) {
        verdict.denials.push(egress::missing(request, &verdict.tools, snapshot));
    }
    if !verdict.denials.is_empty() {
        return verdict.deny([]);
    }
    content::apply_guardrails(request, entitled.model, snapshot, &mut verdict);
    let blocked = content::blocked(request, entitled.model, found, (&verdict, snapshot));
    if !blocked.is_empty() {
        return verdict.deny(blocked);
    }
    let choice = Choice { request, context: &context, found, snapshot, rules: &rules };
    let offers = places.iter().zip(&sides).map(|((target, site), side)| Offer { target, site, side });
    let Chosen { mut candidates, owed } = match choice.choose(offers, &mut verdict) {
        Ok(chosen) => chosen,
        Err(reasons) => return verdict.deny(reasons),
    };
    let limits = match limits::attach(request, entitled, snapshot, (&mut candidates, &mut verdict)) {
        Ok(limits) => limits,
        Err(reason) => return verdict.deny([reason]),
    };
    // Kept for the whole permit: a fallback must not be looser than the endpoint it stands in for.
    let left = |endpoint| candidates.iter().any(|candidate| candidate.endpoint == endpoint);
    owed.into_iter().filter(|(endpoint, _)| left(*endpoint)).for_each(|(_, gate)| verdict.oblige(gate));
    verdict.output_decides = snapshot.rules.reads_classes(tenant);
    Decision::Allow(permit(entitled, snapshot, verdict, (candidates, limits)))
}

/// The permit for what is left, with what was said on the way.
fn permit(
    entitled: &Entitled<'_>,
    snapshot: &CompiledSnapshot,
    mut verdict: Verdict<'_>,
    left: (Vec<Candidate>, Vec<LimitIx>),
) -> Permit {
    if let Some(text) = snapshot.licence_of(entitled.row).and_then(|licence| licence.attribution.as_ref()) {
        verdict.tell(text);
    }
    Permit {
        model: entitled.model,
        candidates: left.0,
        policy: entitled.row.policy,
        limits: left.1,
        input: verdict.input,
        output: verdict.output,
        output_decides: verdict.output_decides,
        notices: verdict.notices,
        no_cache: verdict.no_cache,
        capture: verdict.capture,
        matched: verdict.matched,
        shadow_denials: verdict.shadow_denials,
        dropped: verdict.dropped,
    }
}

/// Asks every rule that is in force; those about endpoints are given back, to be asked of each.
fn ask<'s>(
    request: &Request<'_>,
    context: &Context<'_>,
    asked: &[Filed],
    verdict: &mut Verdict<'s>,
) -> Vec<Asked<'s>> {
    let mut about_endpoints = Vec::new();
    for filed in asked {
        let at = filed.position();
        let Some(gate) = verdict.rules.gates.get(at as usize) else { continue };
        if request.instant < gate.valid_from || request.instant >= gate.valid_to {
            continue;
        }
        let rule = (RuleIx(at), gate);
        if gate.condition.mentions_endpoint() {
            about_endpoints.push(rule);
            continue;
        }
        match context.holds(gate, None) {
            Holds::Known => {
                egress::permit(gate, context, None, &mut verdict.tools);
                verdict.take(rule, true);
            }
            Holds::Undecided => verdict.take(rule, false),
            Holds::No => {}
        }
    }
    about_endpoints
}

fn is_permit(gate: &Gate) -> bool {
    gate.effect == Effect::Permit && gate.mode == Mode::Enforce
}
