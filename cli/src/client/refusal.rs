//! A refusal of the control plane, read from the shape of `google.rpc` errors in JSON.

use serde_json::Value;
use thiserror::Error;

use crate::output::plain;

/// What the control plane refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The gRPC status by name, such as `NOT_FOUND`; empty where none was said.
    pub(crate) grpc: String,
    /// The stable code, such as `etag_mismatch`.
    pub(crate) code: String,
    /// One line for people.
    pub(crate) message: String,
    /// Wrong fields, and what is wrong with them.
    pub(crate) fields: Vec<(String, String)>,
    /// The id under which the control plane's log knows the call.
    pub(crate) request_id: Option<String>,
    /// What was answered, on one line.
    pub(crate) body: String,
}

impl Refused {
    /// Reads a body; `None` where it is not of that shape.
    pub(super) fn read(status: u16, body: &Value) -> Option<Self> {
        let error = body.get("error")?;
        let message = plain(error.get("message")?.as_str()?);
        let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let detail = |name: &str| {
            let typed = format!("type.googleapis.com/google.rpc.{name}");
            details.iter().find(move |detail| detail.get("@type").and_then(Value::as_str) == Some(&typed))
        };
        let info = detail("ErrorInfo");
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(plain);
        let code = text(info.and_then(|info| info.get("reason"))).or_else(|| text(error.get("status")));
        // A data plane's door says it in the shape of OpenAI's errors.
        let code = code.or_else(|| text(error.get("code")))?;
        let violations = detail("BadRequest").and_then(|found| found.get("fieldViolations")?.as_array());
        let field = |violation: &Value| {
            Some((text(violation.get("field")).unwrap_or_default(), text(violation.get("description"))?))
        };
        let fields = violations.into_iter().flatten().filter_map(field).collect();
        let request_id = text(info.and_then(|info| info.get("metadata")?.get("request_id")));
        let grpc = text(error.get("status")).unwrap_or_default();
        Some(Self { status, grpc, code, message, fields, request_id, body: body.to_string() })
    }
}
