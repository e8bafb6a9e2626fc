//! The first step: may this caller use this model for this operation at all. Reads no content.

use super::{content, licence};
use crate::decision::{Denial, ModelIx};
use crate::reason::{Reason, ReasonCode};
use crate::request::{Caller, Request};
use crate::snapshot::{CompiledSnapshot, ContentView, Identity, ModelRow};

/// A request that may use its model, before anything of its content is known. Made by [`entitle`] alone.
#[derive(Debug, Clone, Copy)]
pub struct Entitled<'s> {
    /// The model.
    pub model: ModelIx,
    /// The model's row.
    pub row: &'s ModelRow,
    /// What to look for in the content; `None` where nobody asks.
    pub inspect: Option<&'s ContentView>,
    pub(super) identity: Identity<'s>,
}

/// The first step: roles, the key, the model, its licence. Reads no content.
///
/// # Errors
/// When the request may not use the model, whatever is in it.
pub fn entitle<'s>(request: &Request<'_>, snapshot: &'s CompiledSnapshot) -> Result<Entitled<'s>, Denial> {
    let caller = request.caller;
    let deny = |code| Err(Denial::of(Reason::plain(code)));
    let Some(identity) = snapshot.identity(caller) else { return deny(ReasonCode::ModelNotFound) };
    let Some(model) = snapshot.find_model(caller, request.model) else {
        return deny(ReasonCode::ModelNotFound);
    };
    let Some(row) = snapshot.model(model) else { return deny(ReasonCode::ModelNotFound) };
    if !snapshot.may_infer(caller, request.operation, model) {
        return deny(refusal(request, snapshot, (model, row)));
    }
    if !row.serves(request.operation) {
        return deny(ReasonCode::OperationUnsupported);
    }
    licence::check(request, snapshot, (row, identity)).map_err(Denial::of)?;
    Ok(Entitled { model, row, inspect: content::to_inspect(request, snapshot, model), identity })
}

/// Why a caller without the right to infer is refused, telling no more than it may see.
fn refusal(request: &Request<'_>, snapshot: &CompiledSnapshot, model: (ModelIx, &ModelRow)) -> ReasonCode {
    let (ix, row) = model;
    let unnarrowed = Caller { narrowed: None, ..request.caller };
    if !snapshot.may_see(unnarrowed, ix) {
        ReasonCode::ModelNotFound
    } else if !snapshot.within_narrowing(request.caller, ix) {
        ReasonCode::KeyScope
    } else if !row.serves(request.operation) {
        ReasonCode::OperationUnsupported
    } else {
        ReasonCode::NotEntitled
    }
}
