//! Which models a caller may know of, and whether it may use them here and now.
//!
//! Law: asked of the policy exactly as a request would be, with nothing found in its content; so what is shown as available is
//! refused only for what it holds, how much it is, or how its vendor fares. Deliberately absent: counters.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderMap;
use policy_engine::decision::{Decision, Denial, Permit};
use policy_engine::reason::Reason;
use policy_engine::request::{Caller, Found, Request};
use policy_engine::snapshot::ModelRow;
use policy_engine::vocabulary::{Instant, Name, Operation};
use proto::code::ErrorCode;

use crate::error::Rejection;
use crate::freshness::Freshness;
use crate::node::Node;
use crate::overlay::{Overlay, Stage, Subject};
use crate::pipeline::identify;
use crate::pipeline::received::credential;
use crate::runtime::Runtime;

/// A model as a caller may use it.
pub(super) struct Listed<'s> {
    /// The model.
    pub(super) row: &'s ModelRow,
    /// What may be asked of it, content permitting, and on which terms.
    pub(super) allowed: Vec<(Operation, Permit)>,
    /// Every place a request may be processed in by the endpoints that may be called, ascending.
    pub(super) processing_regions: Vec<&'s str>,
    /// Why nothing may, where nothing may; the codes of the first operation.
    pub(super) reasons: Vec<String>,
}

/// A proved caller and the revision it looks at.
pub(super) struct Viewing {
    runtime: Arc<Runtime>,
    overlay: Arc<Overlay>,
    freshness: Arc<Freshness>,
    caller: Caller,
    key: Box<str>,
    now: Instant,
}

impl Viewing {
    /// Proves who looks. Looking is no inference, so nothing is recorded.
    pub(super) fn of(node: &Arc<Node>, headers: &HeaderMap, query: Option<&str>) -> Result<Self, Rejection> {
        let runtime = node.runtime.load_full().ok_or_else(Rejection::unready)?;
        let now = node.freshness.not_before(node.clock.now());
        let (caller, key) = identify(node, &runtime, (&credential(headers, query), now))?;
        let (overlay, freshness) = (node.overlay.clone(), node.freshness.clone());
        let viewing = Self { runtime, overlay, freshness, caller, key, now };
        viewing.may_look()?;
        Ok(viewing)
    }

    /// Whether nothing that is switched off hides even what there is.
    fn may_look(&self) -> Result<(), Rejection> {
        let tenant = self.runtime.snapshot.identity(self.caller).map(|identity| &identity.tenant.name);
        let subject = Subject { tenant, ..Subject::default() };
        let met = self.overlay.kills(&subject, Stage::Look, self.now);
        met.map_or(Ok(()), |met| Err(Rejection::switched_off(&met, self.now)))
    }

    /// The same, borrowed.
    pub(super) fn viewer(&self) -> Viewer<'_> {
        let Self { runtime, overlay, freshness, caller, key, now } = self;
        Viewer { runtime, overlay, freshness, caller: *caller, key, now: *now }
    }
}

/// Who looks.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'v> {
    /// The revision it is shown.
    pub(super) runtime: &'v Runtime,
    /// What is switched off.
    overlay: &'v Overlay,
    /// How old what it is shown is.
    freshness: &'v Freshness,
    /// The caller.
    pub(super) caller: Caller,
    /// Its key's public id.
    pub(super) key: &'v str,
    /// Now.
    pub(super) now: Instant,
}

impl<'v> Viewer<'v> {
    /// Every model it may know of that has an endpoint here, in the order of names. One without is refused as `no_endpoint` to whoever
    /// asks for it by name.
    pub(super) fn list(self) -> Vec<&'v ModelRow> {
        let known = self.runtime.snapshot.visible_models(self.caller).map(|(_, row)| row);
        let mut rows: Vec<_> = known.filter(|row| row.has_endpoint()).collect();
        rows.sort_by(|a, b| a.id.name.cmp(&b.id.name));
        rows.dedup_by(|a, b| a.id.name == b.id.name && a.id.tenant.is_none());
        rows
    }

    /// The model of a name or alias, if it may know of it.
    pub(super) fn find(self, name: &str) -> Option<&'v ModelRow> {
        let snapshot = &self.runtime.snapshot;
        let ix = snapshot.find_model(self.caller, name)?;
        snapshot.visible_models(self.caller).find(|(seen, _)| *seen == ix).map(|(_, row)| row)
    }

    /// Whether it may use a model here and now.
    pub(super) fn look(self, row: &'v ModelRow) -> Listed<'v> {
        let (mut allowed, mut reasons) = (Vec::new(), Vec::new());
        for operation in Operation::ALL.iter().copied().filter(|operation| row.serves(*operation)) {
            match self.ask(row, operation) {
                Ok(permit) => allowed.push((operation, permit)),
                Err(why) if reasons.is_empty() => reasons = why,
                Err(_) => {}
            }
        }
        if !allowed.is_empty() {
            reasons.clear();
        }
        let processing_regions = self.processing_regions(&allowed);
        Listed { row, allowed, processing_regions, reasons }
    }

    fn processing_regions(self, allowed: &[(Operation, Permit)]) -> Vec<&'v str> {
        let candidates = allowed.iter().flat_map(|(_, permit)| &permit.candidates);
        let endpoints = candidates.filter_map(|candidate| self.runtime.snapshot.endpoint(candidate.endpoint));
        let places: BTreeSet<&str> =
            endpoints.flat_map(|endpoint| endpoint.processing_regions.iter().map(Name::as_str)).collect();
        places.into_iter().collect()
    }

    fn ask(self, row: &ModelRow, operation: Operation) -> Result<Permit, Vec<String>> {
        let request = Request {
            caller: self.caller,
            model: row.id.name.as_str(),
            operation,
            stream: false,
            purpose: None,
            declared_jurisdictions: &[],
            declared_classes: &[],
            egress_tools: &[],
            unknown_fields: &[],
            picture: None,
            instant: self.now,
            key: Some(self.key),
        };
        let snapshot = &self.runtime.snapshot;
        let told = |denial: Denial| Reason::codes(&denial.reasons);
        let entitled = policy_engine::entitle(&request, snapshot).map_err(told)?;
        match policy_engine::decide(&request, &entitled, &Found::default(), snapshot) {
            Decision::Allow(permit) => self.without_killed(row, permit),
            Decision::Deny(denial) => Err(told(denial)),
        }
    }

    /// Whether the rules that a request without declared data classes is judged by are known well enough.
    fn knows_rules(self) -> bool {
        let Some(identity) = self.runtime.snapshot.identity(self.caller) else { return true };
        self.freshness.trusts_rules(self.runtime.spans(), &identity.tenant.staleness, std::iter::empty())
    }

    /// What is left of a permit beside what is switched off.
    fn without_killed(self, row: &ModelRow, mut permit: Permit) -> Result<Permit, Vec<String>> {
        if !self.knows_rules() {
            return Err(vec![ErrorCode::RulesStale.to_string()]);
        }
        let tenant = self.runtime.snapshot.identity(self.caller).map(|identity| &identity.tenant.name);
        let known = Subject { tenant, model: Some(&row.id), ..Subject::default() };
        permit.candidates.retain(|candidate| {
            let endpoint = self.runtime.endpoint(candidate.endpoint);
            let of_endpoint = endpoint.map(|endpoint| endpoint.subject()).unwrap_or_default();
            let subject = Subject { tenant, model: known.model, ..of_endpoint };
            self.overlay.kills(&subject, Stage::Begin, self.now).is_none()
        });
        let met = self.overlay.kills(&known, Stage::Begin, self.now);
        if met.is_some() || permit.candidates.is_empty() {
            return Err(vec![ErrorCode::SwitchedOff.to_string()]);
        }
        Ok(permit)
    }
}
