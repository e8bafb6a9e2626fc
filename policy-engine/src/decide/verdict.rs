//! What has been said so far, and by whom.

use std::sync::Arc;

use crate::decision::{Actions, Decision, Denial, RuleIx};
use crate::reason::{Reason, ReasonCode};
use crate::rules::condition::Symbol;
use crate::rules::geo::RegionSet;
use crate::snapshot::RuleTable;
use crate::snapshot::rows::{Gate, Owner};
use crate::vocabulary::{Duration, Effect, Mode};

/// A rule and what it is asked by.
pub(super) type Asked<'s> = (RuleIx, &'s Gate);

/// What the rules and guardrails have said so far.
pub(super) struct Verdict<'s> {
    pub(super) rules: &'s RuleTable,
    pub(super) denials: Vec<Reason>,
    /// The `require`s that need a permit.
    pub(super) unpermitted: Vec<Asked<'s>>,
    /// The widest owner of a permit that holds: it satisfies the rules of that owner and of those within.
    pub(super) permitted: Option<Owner>,
    /// The vendor-side tools that nothing permits so far.
    pub(super) tools: Vec<Symbol>,
    /// The intersection of every residency demanded.
    pub(super) residency: Option<RegionSet>,
    /// The rules that demanded residency, to name them when nothing satisfies it.
    pub(super) resident: Vec<Asked<'s>>,
    /// The duties that were taken in, by position.
    obliged: Vec<u32>,
    pub(super) input: Actions,
    pub(super) output: Actions,
    pub(super) notices: Vec<Arc<str>>,
    pub(super) no_cache: bool,
    /// For how long content is kept, as the rule says that needs it longest.
    pub(super) capture: Option<Duration>,
    /// A class of data in the answer may change what was said.
    pub(super) output_decides: bool,
    pub(super) matched: Vec<RuleIx>,
    pub(super) shadow_denials: Vec<RuleIx>,
    pub(super) dropped: Vec<Reason>,
}

impl<'s> Verdict<'s> {
    /// Nothing said yet, with room for what so many rules may say.
    pub(super) fn of(rules: &'s RuleTable, count: usize) -> Self {
        Self {
            rules,
            denials: Vec::new(),
            unpermitted: Vec::new(),
            permitted: None,
            tools: Vec::new(),
            residency: None,
            resident: Vec::new(),
            obliged: Vec::with_capacity(8),
            input: Actions::default(),
            output: Actions::default(),
            notices: Vec::new(),
            no_cache: false,
            capture: None,
            output_decides: false,
            matched: Vec::with_capacity(count),
            shadow_denials: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// A denial for every `forbid` that held, or else for these reasons, with what befell each endpoint behind them.
    pub(super) fn deny(self, reasons: impl IntoIterator<Item = Reason>) -> Decision {
        let mut all = self.denials;
        all.extend(reasons);
        all.extend(self.dropped);
        Decision::Deny(Denial { reasons: all, matched: self.matched })
    }

    /// Takes in a rule whose condition holds (`known`), or may hold for want of a fact.
    pub(super) fn take(&mut self, rule: Asked<'s>, known: bool) {
        let (ix, gate) = rule;
        if gate.mode == Mode::Shadow {
            if gate.effect == Effect::Forbid {
                self.shadow_denials.push(ix);
            }
            return;
        }
        self.matched.push(ix);
        match gate.effect {
            Effect::Forbid => self.denials.extend(self.forbidden(ix, known)),
            Effect::Permit => self.permitted = self.permitted.max(gate.permit),
            Effect::Require => {
                if gate.permit.is_some() {
                    self.unpermitted.push(rule);
                }
                if let Some(allowed) = self.residency_of(gate) {
                    self.residency = Some(self.residency.map_or(*allowed, |held| held.intersect(allowed)));
                    self.resident.push(rule);
                }
                self.oblige(gate);
            }
        }
    }

    /// The places a rule limits processing and storage to.
    pub(super) fn residency_of(&self, gate: &Gate) -> Option<&'s RegionSet> {
        self.rules.duties(gate)?.residency.as_ref()
    }

    /// Keeps a rule's duties that do not depend on where a request goes.
    pub(super) fn oblige(&mut self, gate: &Gate) {
        if self.obliged.contains(&gate.duties) {
            return;
        }
        self.obliged.push(gate.duties);
        let Some(duties) = self.rules.duties(gate) else { return };
        self.input.unite(&duties.actions);
        self.output.unite(&duties.actions);
        duties.notices.iter().for_each(|text| self.tell(text));
        self.no_cache |= duties.no_cache;
        self.capture = self.capture.max(duties.capture);
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

    /// The reasons for which a request with permits of this owner at most is refused, by what was demanded so far and by `more`.
    pub(super) fn permits_missing<'a>(
        &'a self,
        permitted: Option<Owner>,
        more: &'a [Asked<'s>],
    ) -> impl Iterator<Item = Reason> + 'a {
        let demanding = self.unpermitted.iter().chain(more);
        let lacking = demanding.filter(move |(_, gate)| permitted < gate.permit);
        lacking.filter_map(|(ix, _)| self.because(ReasonCode::PermitMissing, *ix))
    }

    /// A reason that names its rule and the law behind it.
    pub(super) fn because(&self, code: ReasonCode, ix: RuleIx) -> Option<Reason> {
        let rule = self.rules.rows.get(ix.position())?;
        Some(Reason {
            custom_code: rule.reason_code.clone(),
            legal_ref: rule.legal_ref.clone(),
            ..Reason::from(code, &rule.id)
        })
    }

    /// The reason of a `forbid` that holds, or may.
    pub(super) fn forbidden(&self, ix: RuleIx, known: bool) -> Option<Reason> {
        self.because(if known { ReasonCode::RuleForbids } else { ReasonCode::RuleUndecided }, ix)
    }
}
