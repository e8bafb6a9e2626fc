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
//! | | do `require`s that hold demand a `permit` that does not | `permit_missing` |
//! | | does the content hold what a guardrail or a rule blocks | `content_blocked` |
//! | | do the requirements contradict each other | `obligation_conflict` |
//! | | is there an endpoint that keeps every promise | `residency_unsatisfied`, `rule_forbids`, `permit_missing`, `content_blocked`, `no_endpoint` |
//! | | is a model under a spend limit priced | `unpriced_model` |
//!
//! Law: deny beats allow; a rule can only narrow; every `require` that holds is kept together with all others, the
//! strictest winning. Absent on purpose: the ledger's and the upstream's answers, and any clock.

mod candidates;
mod content;
mod context;
mod entitle;
mod gather;
mod licence;
mod limits;
mod verdict;

pub use entitle::{Entitled, entitle};

use crate::decision::{Decision, Permit, RuleIx};
use crate::request::{Found, Request};
use crate::snapshot::{CompiledSnapshot, RuleRow};
use crate::vocabulary::{Effect, Mode};
use candidates::{Choice, Offer};
use context::{Context, Holds, Texts, side_of};
use verdict::Verdict;

/// The second step: rules over caller, request, what was found, and each candidate endpoint.
pub fn decide(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    found: &Found,
    snapshot: &CompiledSnapshot,
) -> Decision {
    let tenant = request.caller.tenant;
    let texts = Texts::of(request, entitled, found, snapshot);
    let context = Context::new(request, entitled, &texts, snapshot);
    let targets = entitled.row.targets.iter();
    let places = targets.filter_map(|t| Some((t, snapshot.endpoints.get(t.endpoint as usize)?)));
    let (places, sides): (Vec<_>, Vec<_>) = places.map(|(t, row)| ((t, row), side_of(row))).unzip();
    let asked = gather::gather(&context, &sides, tenant, snapshot);
    let mut verdict = Verdict::default();
    let rules = ask(request, &context, (&asked, snapshot), &mut verdict);
    if !verdict.permitted && !rules.iter().any(|(_, rule)| may_permit(rule)) {
        let missing = verdict.permits_missing();
        verdict.denials.extend(missing);
    }
    if !verdict.denials.is_empty() {
        return verdict.deny([]);
    }
    content::apply_guardrails(request, entitled, snapshot, &mut verdict);
    let blocked = content::blocked(request, entitled, found, (&verdict, snapshot));
    if !blocked.is_empty() {
        return verdict.deny(blocked);
    }
    let choice = Choice { request, context: &context, found, rules: &rules };
    let offers = places.iter().zip(&sides).map(|((target, row), side)| Offer { target, row, side });
    let mut candidates = match choice.choose(offers, &mut verdict) {
        Ok(candidates) => candidates,
        Err(reasons) => return verdict.deny(reasons),
    };
    let limits = match limits::attach(request, entitled, snapshot, (&mut candidates, &mut verdict)) {
        Ok(limits) => limits,
        Err(reason) => return verdict.deny([reason]),
    };
    if let Some(text) = snapshot.licence_of(entitled.row).and_then(|licence| licence.attribution.as_ref()) {
        verdict.tell(text);
    }
    Decision::Allow(Permit {
        model: entitled.model,
        candidates,
        policy: entitled.row.policy,
        limits,
        input: verdict.input,
        output: verdict.output,
        output_decides: snapshot.rules.reads_classes(tenant),
        notices: verdict.notices,
        no_cache: verdict.no_cache,
        matched: verdict.matched,
        shadow_denials: verdict.shadow_denials,
        dropped: verdict.dropped,
    })
}

/// Asks every rule that is in force; those about endpoints are given back, to be asked of each.
fn ask<'a>(
    request: &Request<'_>,
    context: &Context<'_>,
    rules: (&[u32], &'a CompiledSnapshot),
    verdict: &mut Verdict<'a>,
) -> Vec<(RuleIx, &'a RuleRow)> {
    let (asked, snapshot) = rules;
    let mut about_endpoints = Vec::new();
    for at in asked {
        let Some(rule) = snapshot.rules.rows.get(*at as usize) else { continue };
        if request.instant < rule.valid_from || request.instant >= rule.valid_to {
            continue;
        }
        if rule.condition.mentions_endpoint() {
            about_endpoints.push((RuleIx(*at), rule));
            continue;
        }
        match context.holds(rule, None) {
            Holds::Known => verdict.take(RuleIx(*at), rule, true),
            Holds::Undecided => verdict.take(RuleIx(*at), rule, false),
            Holds::No => {}
        }
    }
    about_endpoints
}

/// Whether a rule about endpoints could give the permission that other rules demand.
fn may_permit(rule: &RuleRow) -> bool {
    rule.effect == Effect::Permit && rule.mode == Mode::Enforce
}
