//! A guardrail asked by itself, without a model.
//!
//! Law: who may ask is who it could check: a caller of a team it is for, with the right to infer with a model it is for, in this
//! geo. Of any other not even the name is theirs to know. Limits count it that count requests whatever the model. Absent on
//! purpose: rules, whose conditions are about a model's use, and whatever costs tokens or money.

use super::content::tighten;
use super::limits;
use crate::decision::{Actions, LimitIx};
use crate::request::Caller;
use crate::snapshot::content::GuardrailRow;
use crate::snapshot::{CompiledSnapshot, ContentView};
use crate::vocabulary::Id;

/// A guardrail that a caller may ask. Made by [`guard`] alone.
#[derive(Debug, Clone)]
pub struct Guarded<'s> {
    /// The guardrail.
    pub id: &'s Id,
    /// What to look with.
    pub inspect: &'s ContentView,
    /// What it makes of findings in what callers send.
    pub input: Actions,
    /// What it makes of findings in what models answer.
    pub output: Actions,
    /// The limits that count the request.
    pub limits: Vec<LimitIx>,
}

/// The guardrail that a name means to a caller: the tenant's own, else the platform's; `None` where there is none that could check
/// a request of theirs.
pub fn guard<'s>(
    caller: Caller,
    key: Option<&str>,
    name: &str,
    snapshot: &'s CompiledSnapshot,
) -> Option<Guarded<'s>> {
    let view = snapshot.content(caller)?;
    let named = || view.guardrails.iter().filter(|row| row.id.name.as_str() == name);
    let row = named().find(|row| row.id.tenant.is_some()).or_else(|| named().next())?;
    checks(caller, row, snapshot).then(|| {
        let (mut input, mut output) = (Actions::default(), Actions::default());
        tighten(&mut input, &row.input);
        tighten(&mut output, &row.output);
        Guarded {
            id: &row.id,
            inspect: view,
            input,
            output,
            limits: limits::whatever_the_model(caller, key, snapshot),
        }
    })
}

/// Whether there is a request of a caller that a guardrail would check.
fn checks(caller: Caller, row: &GuardrailRow, snapshot: &CompiledSnapshot) -> bool {
    snapshot.models().any(|(ix, model)| {
        row.applies(caller.team, ix.0)
            && model.reaches(caller.tenant)
            && model.card.operations.iter().any(|operation| snapshot.may_infer(caller, *operation, ix))
    })
}
