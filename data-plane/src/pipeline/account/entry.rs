//! What of a request goes into its record.
//!
//! Law: names, codes and counts; never a text of anybody's.

use policy_engine::decision::{Denial, Permit};
use policy_engine::replay::Judged;
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::super::entitle::Question;
use super::super::received::Arrival;
use crate::captured::Whose;
use crate::node::Node;
use crate::policy::Version;
use crate::record::{Inputs, Outcome, Record, Ruling, Usage};
use crate::runtime::Runtime;

/// A record of which only the head is known.
pub(super) fn begin(node: &Node, version: Version, arrival: &Arrival) -> Record {
    Record {
        id: arrival.id,
        mirror_of: arrival.mirrors.as_ref().map(|mirrored| mirrored.of),
        trace: arrival.traceparent.as_ref().and_then(|value| value.to_str().ok()).map(Into::into),
        received: arrival.at,
        door: arrival.door,
        operation: arrival.task,
        stream: false,
        owner: None,
        model_asked: None,
        model: None,
        endpoint: None,
        guardrail: None,
        geo: node.geo.clone(),
        version,
        revocation_seq: node.overlay.revocation_seq(),
        purpose: None,
        found_input: Vec::new(),
        uninspected: Vec::new(),
        found_output: Vec::new(),
        inputs: Inputs::default(),
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
        fetched: Vec::new(),
        kill: None,
        content: None,
    }
}

pub(super) fn ask(record: &mut Record, question: &Question) {
    let request = question.request();
    record.stream = request.stream;
    record.model_asked = Some(request.model.into());
    record.purpose = request.purpose.map(Into::into);
    record.inputs = Inputs {
        instant: (request.instant != record.received).then_some(request.instant),
        jurisdictions: request.declared_jurisdictions.to_vec(),
        classes: request.declared_classes.to_vec(),
        egress_tools: request.egress_tools.to_vec(),
        unknown_fields: request.unknown_fields.len(),
        picture: request.picture,
        word_lists: Vec::new(),
    };
}

pub(super) fn deny(record: &mut Record, denial: &Denial, runtime: &Runtime) {
    let judged = Judged::denied(denial, &runtime.snapshot);
    record.ruling.allowed = Some(false);
    record.ruling.matched = judged.matched;
    record.ruling.reasons = judged.reasons;
}

pub(super) fn permit(record: &mut Record, permit: &Permit, runtime: &Runtime) {
    let limits = permit.limits.iter().filter_map(|ix| runtime.snapshot.limit(*ix));
    let judged = Judged::allowed(permit, &runtime.snapshot);
    record.ruling = Ruling {
        allowed: Some(true),
        candidates: judged.candidates,
        matched: judged.matched,
        shadow_denials: judged.shadow_denials,
        input: permit.input.clone(),
        output: permit.output.clone(),
        notices: permit.notices.len(),
        no_cache: permit.no_cache,
        capture: permit.capture,
        reasons: Vec::new(),
        limits: limits.map(|row| row.id.clone()).collect(),
    };
}

/// Whose its content is; `None` where nobody was proved.
pub(super) fn whose(record: &Record, demanded: bool) -> Option<Whose> {
    let owner = record.owner.as_ref()?;
    Some(Whose {
        request_id: record.id.to_string(),
        tenant: owner.tenant.clone(),
        geo: record.geo.clone(),
        received: record.received,
        demanded,
    })
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
