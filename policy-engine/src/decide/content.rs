//! Guardrails: what is looked for, and what happens to it.

use crate::decision::{Actions, ModelIx};
use crate::reason::{Reason, ReasonCode};
use crate::request::{Found, Request};
use crate::snapshot::content::{CheckRow, GuardrailRow};
use crate::snapshot::{CompiledSnapshot, ContentView};
use crate::vocabulary::{Entity, MaskAction};

use super::{Entitled, Verdict};

/// The view to inspect with, where a guardrail or a rule may ask for something in this request.
pub(super) fn to_inspect<'s>(
    request: &Request<'_>,
    snapshot: &'s CompiledSnapshot,
    model: ModelIx,
) -> Option<&'s ContentView> {
    let view = snapshot.content(request.caller)?;
    let applies = view.guardrails.iter().any(|g| g.applies(request.caller.team, model.0));
    (applies || snapshot.rules.asks_for_content).then_some(&**view)
}

/// Unites the actions of every guardrail that applies.
pub(super) fn apply_guardrails(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    snapshot: &CompiledSnapshot,
    verdict: &mut Verdict,
) {
    let Some(view) = snapshot.content(request.caller) else { return };
    let applies = |g: &&GuardrailRow| g.applies(request.caller.team, entitled.model.0);
    for guardrail in view.guardrails.iter().filter(applies) {
        tighten(&mut verdict.input, &guardrail.input);
        tighten(&mut verdict.output, &guardrail.output);
    }
}

fn tighten(actions: &mut Actions, checks: &[CheckRow]) {
    for check in checks {
        check.entities.iter().for_each(|e| actions.tighten(*e, check.action));
        if let Some(list) = check.word_list {
            actions.tighten_words(list, check.action);
        }
    }
}

/// The reason for which the findings in what the caller sent refuse the request.
pub(super) fn blocked(found: &Found, verdict: &Verdict, entitled: &Entitled<'_>) -> Option<Reason> {
    let by_entity =
        Entity::ALL.iter().any(|e| found.has(*e) && verdict.input.on(*e) == Some(MaskAction::Block));
    if by_entity {
        return Some(Reason::plain(ReasonCode::ContentBlocked));
    }
    let blocks = |list: &&u32| verdict.input.on_words(**list) == Some(MaskAction::Block);
    let list = found.word_lists.iter().find(blocks)?;
    let source = entitled.inspect.and_then(|view| view.word_lists.get(*list as usize));
    Some(source.map_or(Reason::plain(ReasonCode::ContentBlocked), |l| {
        Reason::from(ReasonCode::ContentBlocked, &l.guardrail)
    }))
}
