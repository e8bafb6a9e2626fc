//! What has been said so far, and by whom.

use std::sync::Arc;

use crate::decision::{Actions, Decision, Denial, RuleIx};
use crate::reason::{Reason, ReasonCode};
use crate::rules::geo::RegionSet;
use crate::snapshot::RuleRow;
use crate::snapshot::rows::Duties;
use crate::vocabulary::{Effect, Mode};

/// What the rules and guardrails have said so far.
#[derive(Debug, Default)]
pub(super) struct Verdict<'s> {
    pub(super) denials: Vec<Reason>,
    /// The `require`s that need a permit.
    pub(super) unpermitted: Vec<&'s RuleRow>,
    pub(super) permitted: bool,
    /// The intersection of every residency demanded.
    pub(super) residency: Option<RegionSet>,
    /// The rules that demanded residency, to name them when nothing satisfies it.
    pub(super) resident: Vec<&'s RuleRow>,
    pub(super) input: Actions,
    pub(super) output: Actions,
    pub(super) notices: Vec<Arc<str>>,
    pub(super) no_cache: bool,
    pub(super) matched: Vec<RuleIx>,
    pub(super) shadow_denials: Vec<RuleIx>,
    pub(super) dropped: Vec<Reason>,
}

impl<'s> Verdict<'s> {
    /// A denial for every `forbid` that held, or else for these reasons, with what befell each endpoint behind them.
    pub(super) fn deny(self, reasons: impl IntoIterator<Item = Reason>) -> Decision {
        let mut all = self.denials;
        all.extend(reasons);
        all.extend(self.dropped);
        Decision::Deny(Denial { reasons: all, matched: self.matched })
    }

    /// Takes in a rule whose condition holds (`known`), or may hold for want of a fact.
    pub(super) fn take(&mut self, ix: RuleIx, rule: &'s RuleRow, known: bool) {
        if rule.mode == Mode::Shadow {
            if rule.effect == Effect::Forbid {
                self.shadow_denials.push(ix);
            }
            return;
        }
        self.matched.push(ix);
        match rule.effect {
            Effect::Forbid => self.denials.push(forbidden(rule, known)),
            Effect::Permit => self.permitted = true,
            Effect::Require => {
                if rule.needs_permit {
                    self.unpermitted.push(rule);
                }
                if let Some(allowed) = rule.duties.residency {
                    self.residency = Some(self.residency.map_or(allowed, |held| held.intersect(&allowed)));
                    self.resident.push(rule);
                }
                self.oblige(&rule.duties);
            }
        }
    }

    /// Keeps the duties that do not depend on where a request goes.
    pub(super) fn oblige(&mut self, duties: &Duties) {
        self.input.unite(&duties.actions);
        self.output.unite(&duties.actions);
        duties.notices.iter().for_each(|text| self.tell(text));
        self.no_cache |= duties.no_cache;
    }

    /// A text for the caller, who is told it once however many say so.
    pub(super) fn tell(&mut self, text: &Arc<str>) {
        if !self.notices.contains(text) {
            self.notices.push(text.clone());
        }
    }

    /// Notes a rule about endpoints once, however many it is about.
    pub(super) fn note_match(&mut self, ix: RuleIx) {
        if !self.matched.contains(&ix) {
            self.matched.push(ix);
        }
    }

    /// Like [`Verdict::note_match`], of a rule that only would have denied.
    pub(super) fn note_shadow(&mut self, ix: RuleIx) {
        if !self.shadow_denials.contains(&ix) {
            self.shadow_denials.push(ix);
        }
    }

    /// The reasons for which a request without a permit is refused.
    pub(super) fn permits_missing(&self) -> Vec<Reason> {
        self.unpermitted.iter().map(|rule| because(ReasonCode::PermitMissing, rule)).collect()
    }
}

/// A reason that names its rule and the law behind it.
pub(super) fn because(code: ReasonCode, rule: &RuleRow) -> Reason {
    Reason {
        custom_code: rule.reason_code.clone(),
        legal_ref: rule.legal_ref.clone(),
        ..Reason::from(code, &rule.id)
    }
}

pub(super) fn forbidden(rule: &RuleRow, known: bool) -> Reason {
    because(if known { ReasonCode::RuleForbids } else { ReasonCode::RuleUndecided }, rule)
}
