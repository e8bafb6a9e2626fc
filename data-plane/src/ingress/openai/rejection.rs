//! A refusal in the OpenAI dialect: its error object, and as the last event of a stream.
//!
//! Law: the shape is OpenAI's (`error.message`, `type`, `param`, `code`), ours is beside it in `error.chancery`.

use bytes::Bytes;
use proto::status::{DenialReason, ReachedLimit, Refusal, WrongField};
use serde::{Serialize, Serializer};

use crate::error::Rejection;

/// A refusal as the last event of a stream, with the end mark.
pub(crate) fn event(rejection: &Rejection) -> Bytes {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&json(&rejection.refusal));
    out.extend_from_slice(b"\n\ndata: [DONE]\n\n");
    out.into()
}

/// A refusal as an error object.
pub(super) fn json(refusal: &Refusal) -> Vec<u8> {
    serde_json::to_vec(&Error { error: Body(refusal) }).unwrap_or_default()
}

#[derive(Serialize)]
struct Error<'r> {
    error: Body<'r>,
}

struct Body<'r>(&'r Refusal);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = self.0;
        let param =
            refusal.fields.first().map(|wrong| wrong.field.as_str()).filter(|field| !field.is_empty());
        Shape {
            message: &refusal.message,
            r#type: refusal.code.row().openai,
            param,
            code: refusal.code.as_str(),
            chancery: Ours {
                request_id: refusal.request_id.as_deref(),
                revision: refusal.revision,
                reasons: refusal.reasons.iter().map(Line::reason).collect(),
                fields: refusal.fields.iter().map(Line::field).collect(),
                limits: refusal.limits.iter().map(Line::limit).collect(),
            },
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Shape<'r> {
    message: &'r str,
    r#type: &'r str,
    param: Option<&'r str>,
    code: &'r str,
    chancery: Ours<'r>,
}

#[derive(Serialize)]
struct Ours<'r> {
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
