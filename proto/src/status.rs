//! A refusal as `tonic::Status` with `google.rpc` details, and back.
//!
//! Law: what the OpenAI dialect says in its error object, a status says in its details, in the same words: the code is
//! `ErrorInfo.reason` (of the domain `chancery`), revision and request id its metadata; reasons of a denial are
//! `PreconditionFailure` violations, wrong fields `BadRequest` ones, limits `QuotaFailure` ones, waiting `RetryInfo`.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use policy_engine::reason::Reason;
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, QuotaViolation, StatusExt as _};

use crate::code::ErrorCode;
use crate::convert::Faults;
use crate::name;

/// The domain of every `google.rpc.ErrorInfo` of ours.
pub const DOMAIN: &str = "chancery";

/// Why a request was denied, one reason of perhaps several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialReason {
    /// Its stable code, or the code a rule's author gave.
    pub code: String,
    /// The resource that stands behind it, as it may be shown; empty: none.
    pub source: String,
    /// The same for people, with the law or policy it rests on.
    pub message: String,
}

/// The metadata by which the sync port says that it lets a node in no more: what it holds is [`REVOKED`].
pub const REFUSED: &str = "x-chancery-refused";

/// The word for a node that was revoked.
pub const REVOKED: &str = "revoked";

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// Path in JSON names, such as `messages[0].role`; empty: the request as a whole.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A limit that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachedLimit {
    /// AIP name of the limit.
    pub limit: String,
    /// What it allows, for people.
    pub message: String,
}

/// A refusal, before it takes the form of a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// One line for the caller; no secrets, nothing of others.
    pub message: String,
    /// Why policy denied, most telling first.
    pub reasons: Vec<DenialReason>,
    /// Fields that are wrong.
    pub fields: Vec<WrongField>,
    /// Limits that are reached.
    pub limits: Vec<ReachedLimit>,
    /// How long to wait before the next try.
    pub retry_after: Option<Duration>,
    /// The revision that was judged by.
    pub revision: Option<u64>,
    /// The request's id, under which the log knows it.
    pub request_id: Option<String>,
}

impl Refusal {
    /// A refusal with nothing but a code and a line.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            reasons: Vec::new(),
            fields: Vec::new(),
            limits: Vec::new(),
            retry_after: None,
            revision: None,
            request_id: None,
        }
    }

    /// A refusal for one wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let line = if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
        Self { fields: vec![WrongField { field, message }], ..Self::new(ErrorCode::InvalidRequest, line) }
    }

    /// A refusal for what the policy engine said. A source is shown as tenant and name: its kind is in the code.
    pub fn denied(reasons: &[Reason]) -> Self {
        let first = reasons.first();
        let code = first.map_or(ErrorCode::PermissionDenied, |reason| reason.code.into());
        let message = first.map_or_else(|| "denied".to_owned(), ToString::to_string);
        let mut told: Vec<DenialReason> = Vec::with_capacity(reasons.len());
        for reason in reasons.iter().map(DenialReason::from) {
            // Endpoints often fall for the same reason, and the caller is not told which endpoints there are.
            if !told.contains(&reason) {
                told.push(reason);
            }
        }
        let field = first.and_then(|reason| reason.field.clone());
        let fields = field.map(|field| WrongField { field, message: message.clone() });
        Self { reasons: told, fields: fields.into_iter().collect(), ..Self::new(code, message) }
    }

    /// Reads a status back: ours by its details, a library's by its gRPC code.
    pub fn of_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let code = info.and_then(|info| info.reason.parse().ok());
        let known = |key| info.and_then(|info| info.metadata.get(key));
        let mut refusal = Self::new(code.unwrap_or(ErrorCode::of_grpc(status.code())), status.message());
        refusal.revision = known("revision").and_then(|text| text.parse().ok());
        refusal.request_id = known("request_id").cloned();
        refusal.retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
        if let Some(found) = details.precondition_failure() {
            refusal.reasons = found.violations.iter().map(reason_back).collect();
        }
        if let Some(found) = details.bad_request() {
            let field =
                |v: &FieldViolation| WrongField { field: v.field.clone(), message: v.description.clone() };
            refusal.fields = found.field_violations.iter().map(field).collect();
        }
        if let Some(found) = details.quota_failure() {
            let limit = |v: &QuotaViolation| ReachedLimit {
                limit: v.subject.clone(),
                message: v.description.clone(),
            };
            refusal.limits = found.violations.iter().map(limit).collect();
        }
        refusal
    }

    fn details(&self) -> ErrorDetails {
        let mut metadata = HashMap::new();
        if let Some(revision) = self.revision {
            metadata.insert("revision".to_owned(), revision.to_string());
        }
        if let Some(id) = &self.request_id {
            metadata.insert("request_id".to_owned(), id.clone());
        }
        let mut details = ErrorDetails::with_error_info(self.code.as_str(), DOMAIN, metadata);
        for reason in &self.reasons {
            details.add_precondition_failure_violation(&reason.code, &reason.source, &reason.message);
        }
        for wrong in &self.fields {
            details.add_bad_request_violation(&wrong.field, &wrong.message);
        }
        for reached in &self.limits {
            details.add_quota_failure_violation(&reached.limit, &reached.message);
        }
        if let Some(after) = self.retry_after {
            details.set_retry_info(Some(after));
        }
        details
    }
}

fn reason_back(violation: &PreconditionViolation) -> DenialReason {
    DenialReason {
        code: violation.r#type.clone(),
        source: violation.subject.clone(),
        message: violation.description.clone(),
    }
}

impl From<&Reason> for DenialReason {
    fn from(reason: &Reason) -> Self {
        let source = reason.source.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { code: reason.code_text().to_owned(), source, message: reason.to_string() }
    }
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        Self::with_error_details(refusal.code.row().grpc, &refusal.message, refusal.details())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl From<&Faults> for Refusal {
    fn from(faults: &Faults) -> Self {
        let field = |fault: &crate::convert::FieldFault| WrongField {
            field: fault.field.to_string(),
            message: fault.problem.to_string(),
        };
        let fields = faults.0.iter().map(field).collect();
        Self { fields, ..Self::new(ErrorCode::InvalidRequest, faults.to_string()) }
    }
}

impl From<Faults> for Refusal {
    fn from(faults: Faults) -> Self {
        Self::from(&faults)
    }
}

impl From<name::ResourceNameError> for Refusal {
    fn from(error: name::ResourceNameError) -> Self {
        Self::field("name", error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_survives_the_wire() {
        for code in ErrorCode::ALL {
            let refusal = Refusal {
                reasons: vec![DenialReason {
                    code: "no_export".into(),
                    source: "eu-residency".into(),
                    message: "stays here".into(),
                }],
                fields: vec![WrongField { field: "messages[0].role".into(), message: "is missing".into() }],
                limits: vec![ReachedLimit {
                    limit: "limits/rpm".into(),
                    message: "100 requests per 1m".into(),
                }],
                retry_after: Some(Duration::from_millis(1500)),
                revision: Some(7),
                request_id: Some("req-1".into()),
                ..Refusal::new(*code, "no")
            };
            let status = Status::from(&refusal);
            assert_eq!(status.code(), code.row().grpc);
            assert_eq!(Refusal::of_status(&status), refusal);
        }
    }

    #[test]
    fn a_status_that_is_not_ours_keeps_its_meaning() {
        let refusal = Refusal::of_status(&Status::deadline_exceeded("late"));
        assert_eq!((refusal.code, refusal.message.as_str()), (ErrorCode::DeadlineExceeded, "late"));
        let alien = ErrorDetails::with_error_info("invalid_api_key", "elsewhere.example", HashMap::new());
        let status = Status::with_error_details(tonic::Code::NotFound, "no", alien);
        assert_eq!(Refusal::of_status(&status).code, ErrorCode::NotFound);
    }
}
