//! Guardrails: what is looked for, and what happens to it.

use super::verdict::Verdict;
use crate::decision::{Actions, ModelIx};
use crate::reason::{Reason, ReasonCode};
use crate::request::{Found, Request};
use crate::snapshot::content::{CheckRow, GuardrailRow};
use crate::snapshot::{CompiledSnapshot, ContentView};
use crate::vocabulary::{Entity, MaskAction};

/// The view to inspect with, where a guardrail or a rule may ask for something in this request.
pub(super) fn to_inspect<'s>(
    request: &Request<'_>,
    snapshot: &'s CompiledSnapshot,
    model: ModelIx,
) -> Option<&'s ContentView> {
    let caller = request.caller;
    let view = snapshot.content(caller)?;
    let applies = view.guardrails.iter().any(|g| g.applies(caller.team, model.0));
    (applies || snapshot.rules.asks_for_content(caller.tenant)).then_some(&**view)
}

/// The guardrails that apply to a request.
fn applying<'s>(
    request: &Request<'_>,
    model: ModelIx,
    snapshot: &'s CompiledSnapshot,
) -> impl Iterator<Item = &'s GuardrailRow> {
    let (team, view) = (request.caller.team, snapshot.content(request.caller));
    let guardrails = view.into_iter().flat_map(|view| &view.guardrails);
    guardrails.filter(move |guardrail| guardrail.applies(team, model.0))
}

/// Unites the actions of every guardrail that applies.
pub(super) fn apply_guardrails(
    request: &Request<'_>,
    model: ModelIx,
    snapshot: &CompiledSnapshot,
    verdict: &mut Verdict<'_>,
) {
    for guardrail in applying(request, model, snapshot) {
        tighten(&mut verdict.input, &guardrail.input);
        tighten(&mut verdict.output, &guardrail.output);
    }
}

/// Takes in what checks say of their findings.
pub(super) fn tighten(actions: &mut Actions, checks: &[CheckRow]) {
    for check in checks {
        check.entities.iter().for_each(|e| actions.tighten(*e, check.action));
        if let Some(list) = check.word_list {
            actions.tighten_words(list, check.action);
        }
    }
}

/// Whether anything that was found is blocked.
pub(super) fn blocks(actions: &Actions, found: &Found) -> bool {
    let blocked = |action: Option<MaskAction>| action == Some(MaskAction::Block);
    Entity::ALL.iter().any(|e| found.has(*e) && blocked(actions.on(*e)))
        || found.word_lists.iter().any(|list| blocked(actions.on_words(*list)))
}

/// The reasons for which the findings in what the caller sent refuse the request: each guardrail and rule that says so.
pub(super) fn blocked(
    request: &Request<'_>,
    model: ModelIx,
    found: &Found,
    verdict: (&Verdict<'_>, &CompiledSnapshot),
) -> Vec<Reason> {
    let (verdict, snapshot) = verdict;
    if !blocks(&verdict.input, found) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    for guardrail in applying(request, model, snapshot) {
        let mut actions = Actions::default();
        tighten(&mut actions, &guardrail.input);
        if blocks(&actions, found) {
            reasons.push(Reason::from(ReasonCode::ContentBlocked, &guardrail.id));
        }
    }
    let gates = verdict.matched.iter().filter_map(|ix| Some((*ix, snapshot.rules.gates.get(ix.position())?)));
    let duties = gates.filter_map(|(ix, gate)| Some((ix, snapshot.rules.duties(gate)?)));
    let blocking = duties.filter(|(_, duties)| blocks(&duties.actions, found));
    reasons.extend(blocking.filter_map(|(ix, _)| verdict.because(ReasonCode::ContentBlocked, ix)));
    reasons
}
