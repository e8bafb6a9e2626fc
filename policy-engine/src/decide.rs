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
//! | | is there an endpoint that keeps every promise | `residency_unsatisfied`, `rule_forbids`, `no_endpoint` |
//! | | is a model under a spend limit priced | `unpriced_model` |
//!
//! Law: deny beats allow; a rule can only narrow; every `require` that holds is kept together with all others, the
//! strictest winning. Absent on purpose: the ledger's and the upstream's answers, and any clock.

mod candidates;
mod content;
mod gather;
mod licence;
mod limits;

use crate::decision::{Actions, Decision, Denial, ModelIx, Permit, RuleIx};
use crate::reason::{Reason, ReasonCode};
use crate::request::{Found, Request};
use crate::rules::geo::RegionSet;
use crate::snapshot::rows::Duties;
use crate::snapshot::{CompiledSnapshot, ContentView, ModelRow, RuleRow};
use crate::vocabulary::{Effect, Mode};

/// A request that may use its model, before anything of its content is known.
#[derive(Debug, Clone, Copy)]
pub struct Entitled<'s> {
    /// The model.
    pub model: ModelIx,
    /// The model's row.
    pub row: &'s ModelRow,
    /// What to look for in the content; `None` where nobody asks.
    pub inspect: Option<&'s ContentView>,
}

/// The first step: roles, the key, the model, its licence. Reads no content.
pub fn entitle<'s>(request: &Request<'_>, snapshot: &'s CompiledSnapshot) -> Result<Entitled<'s>, Denial> {
    let caller = request.caller;
    let deny = |code| Err(Denial::of(Reason::plain(code)));
    let Some(model) = snapshot.find_model(caller, request.model) else {
        return deny(ReasonCode::ModelNotFound);
    };
    let Some(row) = snapshot.model(model) else { return deny(ReasonCode::ModelNotFound) };
    if !snapshot.may_infer(caller, request.operation, model) {
        return Err(Denial::of(refusal(request, snapshot, (model, row))));
    }
    if !row.serves(request.operation) {
        return deny(ReasonCode::OperationUnsupported);
    }
    licence::check(request, snapshot, row).map_err(Denial::of)?;
    Ok(Entitled { model, row, inspect: content::to_inspect(request, snapshot, model) })
}

/// Why a caller without the right to infer is refused, telling no more than it may see.
fn refusal(request: &Request<'_>, snapshot: &CompiledSnapshot, model: (ModelIx, &ModelRow)) -> Reason {
    let (ix, row) = model;
    let unnarrowed = crate::request::Caller { narrowed: None, ..request.caller };
    let code = if !snapshot.may_see(unnarrowed, ix) {
        ReasonCode::ModelNotFound
    } else if !snapshot.within_narrowing(request.caller, ix) {
        ReasonCode::KeyScope
    } else if !row.serves(request.operation) {
        ReasonCode::OperationUnsupported
    } else {
        ReasonCode::NotEntitled
    };
    Reason::plain(code)
}

/// The second step: rules over caller, request, what was found, and each candidate endpoint.
pub fn decide(
    request: &Request<'_>,
    entitled: &Entitled<'_>,
    found: &Found,
    snapshot: &CompiledSnapshot,
) -> Decision {
    let mut verdict = Verdict::default();
    let mut context = gather::Context::new(request, entitled, found, snapshot);
    gather::apply_rules(&mut context, &mut verdict);
    if !verdict.denials.is_empty() {
        return verdict.deny(None);
    }
    content::apply_guardrails(request, entitled, snapshot, &mut verdict);
    if let Some(reason) = content::blocked(found, &verdict, entitled) {
        return verdict.deny(Some(reason));
    }
    let candidates = match candidates::choose(&context, &mut verdict) {
        Ok(candidates) => candidates,
        Err(reason) => return verdict.deny(Some(reason)),
    };
    match limits::attach(request, entitled, snapshot, candidates) {
        Ok((candidates, limits)) => Decision::Allow(Permit {
            model: entitled.model,
            candidates,
            policy: entitled.row.policy,
            limits,
            input: verdict.input,
            output: verdict.output,
            output_decides: snapshot.rules.asks_for_content,
            notices: verdict.notices,
            no_cache: verdict.no_cache,
            matched: verdict.matched,
            shadow_denials: verdict.shadow_denials,
            dropped: verdict.dropped,
        }),
        Err(reason) => verdict.deny(Some(reason)),
    }
}

/// What the rules have said so far.
#[derive(Debug, Default)]
struct Verdict {
    denials: Vec<Reason>,
    /// A `require` that needs a permit, until one is found.
    unpermitted: Option<Reason>,
    permitted: bool,
    /// The intersection of every residency demanded.
    residency: Option<RegionSet>,
    /// The first rule that demanded residency, to name it when nothing satisfies it.
    residency_source: Option<Reason>,
    input: Actions,
    output: Actions,
    notices: Vec<std::sync::Arc<str>>,
    no_cache: bool,
    matched: Vec<RuleIx>,
    shadow_denials: Vec<RuleIx>,
    dropped: Vec<Reason>,
}

impl Verdict {
    /// A denial for every `forbid` that held, or else for this reason, with what befell each endpoint behind it.
    fn deny(self, reason: Option<Reason>) -> Decision {
        let mut reasons = self.denials;
        reasons.extend(reason);
        reasons.extend(self.dropped);
        Decision::Deny(Denial { reasons, matched: self.matched })
    }

    /// Takes in a rule whose condition holds (`known`), or may hold for want of a fact.
    fn take(&mut self, ix: RuleIx, rule: &RuleRow, known: bool) {
        if rule.mode == Mode::Shadow {
            if rule.effect == Effect::Forbid {
                self.shadow_denials.push(ix);
            }
            return;
        }
        self.matched.push(ix);
        match rule.effect {
            Effect::Forbid => self.denials.push(forbidden(rule, known)),
            Effect::Permit => self.permitted |= known,
            Effect::Require => self.require(rule),
        }
    }

    fn require(&mut self, rule: &RuleRow) {
        if rule.needs_permit {
            self.unpermitted.get_or_insert_with(|| because(ReasonCode::PermitMissing, rule));
        }
        if let Some(allowed) = rule.duties.residency {
            self.residency = Some(self.residency.map_or(allowed, |held| held.intersect(&allowed)));
            self.residency_source.get_or_insert_with(|| because(ReasonCode::ResidencyUnsatisfied, rule));
        }
        self.oblige(&rule.duties);
    }

    /// Keeps the duties that do not depend on where a request goes.
    fn oblige(&mut self, duties: &Duties) {
        self.input.unite(&duties.actions);
        self.output.unite(&duties.actions);
        self.notices.extend(duties.notices.iter().cloned());
        self.no_cache |= duties.no_cache;
    }

    /// Notes a rule about endpoints once, however many it matched.
    fn note_match(&mut self, ix: RuleIx) {
        if !self.matched.contains(&ix) {
            self.matched.push(ix);
        }
    }

    /// After every rule was asked: a demand for a permit that none gives denies.
    fn settle_permits(&mut self) {
        if !self.permitted {
            self.denials.extend(self.unpermitted.take());
        }
    }
}

/// A reason that names its rule and the law behind it.
fn because(code: ReasonCode, rule: &RuleRow) -> Reason {
    Reason {
        custom_code: rule.reason_code.clone(),
        legal_ref: rule.legal_ref.clone(),
        ..Reason::from(code, &rule.id)
    }
}

fn forbidden(rule: &RuleRow, known: bool) -> Reason {
    because(if known { ReasonCode::RuleForbids } else { ReasonCode::RuleUndecided }, rule)
}
