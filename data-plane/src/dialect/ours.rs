//! What is ours in a refusal, beside what a dialect has a place for: whose revision, whose request, and every line of why.
//!
//! Law: it says the same in every dialect, under a member `chancery`. Absent on purpose: the shapes of the dialects.

use proto::status::{DenialReason, ReachedLimit, Refusal, WrongField};
use serde::Serialize;

/// What a refusal says beside what its dialect has a place for.
#[derive(Serialize)]
pub(crate) struct Ours<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    reasons: Vec<Line<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Line<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<Line<'r>>,
}

impl<'r> Ours<'r> {
    /// Of a refusal.
    pub(crate) fn of(refusal: &'r Refusal) -> Self {
        Self {
            request_id: refusal.request_id.as_deref(),
            revision: refusal.revision,
            reasons: refusal.reasons.iter().map(Line::reason).collect(),
            fields: refusal.fields.iter().map(Line::field).collect(),
            limits: refusal.limits.iter().map(Line::limit).collect(),
        }
    }
}

/// One line of why.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'r> {
    Reason { code: &'r str, source: &'r str, message: &'r str },
    Field { field: &'r str, message: &'r str },
    Limit { limit: &'r str, message: &'r str },
}

impl<'r> Line<'r> {
    fn reason(reason: &'r DenialReason) -> Self {
        Self::Reason { code: &reason.code, source: &reason.source, message: &reason.message }
    }

    fn field(wrong: &'r WrongField) -> Self {
        Self::Field { field: &wrong.field, message: &wrong.message }
    }

    fn limit(reached: &'r ReachedLimit) -> Self {
        Self::Limit { limit: &reached.limit, message: &reached.message }
    }
}
