//! What of a request goes into its record.
//!
//! Law: names, codes and counts; never a text of anybody's.

use policy_engine::decision::{Denial, Permit, RuleIx};
use policy_engine::reason::Reason;
use policy_engine::vocabulary::Id;
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::super::received::Arrival;
use crate::node::Node;
use crate::policy::Version;
use crate::record::{Outcome, Record, Ruling, Usage};
use crate::runtime::Runtime;

/// A record of which only the head is known.
pub(super) fn begin(node: &Node, version: Version, arrival: &Arrival) -> Record {
    Record {
        id: arrival.id,
        trace: arrival.traceparent.as_ref().and_then(|value| value.to_str().ok()).map(Into::into),
        received: arrival.at,
        door: arrival.door,
        operation: arrival.operation,
        stream: false,
        owner: None,
        model_asked: None,
        model: None,
        endpoint: None,
        geo: node.geo.clone(),
        version,
        purpose: None,
        found_input: Vec::new(),
        uninspected: Vec::new(),
        found_output: Vec::new(),
        ruling: Ruling::default(),
        outcome: Outcome::Cancelled,
        code: None,
        status: 0,
        usage: Usage::default(),
        cost: None,
        latency_us: 0,
        first_byte_us: None,
        upstream_request_id: None,
        attempts: Vec::new(),
        kill: None,
    }
}

pub(super) fn deny(record: &mut Record, denial: &Denial, runtime: &Runtime) {
    record.ruling.matched = names(&denial.matched, runtime);
    record.ruling.reasons = Reason::codes(&denial.reasons);
}

pub(super) fn permit(record: &mut Record, permit: &Permit, runtime: &Runtime) {
    let limits = permit.limits.iter().filter_map(|ix| runtime.snapshot.limit(*ix));
    record.ruling = Ruling {
        matched: names(&permit.matched, runtime),
        shadow_denials: names(&permit.shadow_denials, runtime),
        input: permit.input.clone(),
        output: permit.output.clone(),
        notices: permit.notices.len(),
        no_cache: permit.no_cache,
        reasons: Vec::new(),
        limits: limits.map(|row| row.id.clone()).collect(),
    };
}

fn names(rules: &[RuleIx], runtime: &Runtime) -> Vec<Id> {
    rules.iter().filter_map(|ix| runtime.snapshot.rule(*ix)).map(|rule| rule.id.clone()).collect()
}

pub(super) fn end(record: &mut Record, outcome: Outcome, refusal: Option<&Refusal>) {
    record.outcome = outcome;
    let code = match (refusal, outcome) {
        (Some(refusal), _) => Some(refusal.code),
        (None, Outcome::Cancelled) => Some(ErrorCode::Cancelled),
        (None, _) => None,
    };
    record.code = code.map(ErrorCode::as_str);
    record.status = code.map_or(200, |code| code.row().http.as_u16());
}
