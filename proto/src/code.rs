//! The one table of error codes: what each is called, and how gRPC, HTTP and the OpenAI dialect show it.
//!
//! Law: a code never changes its meaning and is never reused; a reason of the policy engine keeps its own text as its code.
//! Absent on purpose: texts for people (who refuses writes them) and any decision.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;
use policy_engine::reason::ReasonCode;
use tonic::Code;

/// What a caller's program should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// The same request may pass after the time that is told with the refusal.
    After,
    /// The same request may pass at any time: exponential back-off with jitter.
    Backoff,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The code on every surface.
    pub text: &'static str,
    /// The canonical gRPC code.
    pub grpc: Code,
    /// The HTTP status.
    pub http: StatusCode,
    /// `error.type` of the OpenAI dialect.
    pub openai: &'static str,
    /// What the caller's program should do.
    pub retry: Retry,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal $grpc:ident $http:ident $openai:literal $retry:ident;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $code),* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code),*];

            /// Its row in the table.
            pub const fn row(self) -> Row {
                match self {$(
                    ErrorCode::$code => Row {
                        text: $text,
                        grpc: Code::$grpc,
                        http: StatusCode::$http,
                        openai: $openai,
                        retry: Retry::$retry,
                    },
                )*}
            }
        }
    };
}

codes! {
    // Who calls.
    /// No credential was sent.
    MissingApiKey = "missing_api_key" Unauthenticated UNAUTHORIZED "invalid_request_error" Never;
    /// The credential is malformed, unknown or does not verify.
    InvalidApiKey = "invalid_api_key" Unauthenticated UNAUTHORIZED "invalid_request_error" Never;
    /// The key's time is over.
    KeyExpired = "key_expired" Unauthenticated UNAUTHORIZED "invalid_request_error" Never;
    /// The key was taken back.
    KeyRevoked = "key_revoked" Unauthenticated UNAUTHORIZED "invalid_request_error" Never;
    /// The caller may not do this.
    PermissionDenied = "permission_denied" PermissionDenied FORBIDDEN "permission_error" Never;

    // What the policy engine says; the same texts as its reasons.
    /// See `ReasonCode::ModelNotFound`.
    ModelNotFound = "model_not_found" NotFound NOT_FOUND "invalid_request_error" Never;
    /// See `ReasonCode::NotEntitled`.
    NotEntitled = "not_entitled" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::KeyScope`.
    KeyScope = "key_scope" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::GeoNotAllowed`.
    GeoNotAllowed = "geo_not_allowed" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::OperationUnsupported`.
    OperationUnsupported = "operation_unsupported" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// See `ReasonCode::LicenceNotStarted`.
    LicenceNotStarted = "licence_not_started" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::LicenceExpired`.
    LicenceExpired = "licence_expired" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::LicenceTerritory`.
    LicenceTerritory = "licence_territory" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::LicencePurpose`.
    LicencePurpose = "licence_purpose" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::LicenceNotAccepted`.
    LicenceNotAccepted = "licence_not_accepted" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::RuleForbids`.
    RuleForbids = "rule_forbids" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::RuleUndecided`.
    RuleUndecided = "rule_undecided" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::PermitMissing`.
    PermitMissing = "permit_missing" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::ResidencyUnsatisfied`.
    ResidencyUnsatisfied = "residency_unsatisfied" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::ObligationConflict`.
    ObligationConflict = "obligation_conflict" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::ContentBlocked`.
    ContentBlocked = "content_blocked" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::UnknownField`.
    UnknownField = "unknown_field" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// See `ReasonCode::NoEndpoint`.
    NoEndpoint = "no_endpoint" PermissionDenied FORBIDDEN "permission_error" Never;
    /// See `ReasonCode::Unpriced`.
    UnpricedModel = "unpriced_model" PermissionDenied FORBIDDEN "permission_error" Never;

    // How much.
    /// A rate limit is reached; it fills again by itself.
    RateLimitExceeded = "rate_limit_exceeded" ResourceExhausted TOO_MANY_REQUESTS "rate_limit_error" After;
    /// As many requests as allowed are in flight.
    ConcurrencyLimitExceeded = "concurrency_limit_exceeded" ResourceExhausted TOO_MANY_REQUESTS "rate_limit_error" Backoff;
    /// A budget is used up.
    InsufficientQuota = "insufficient_quota" ResourceExhausted TOO_MANY_REQUESTS "insufficient_quota" Never;

    // What was sent.
    /// A field is missing or wrong; the fields are named.
    InvalidRequest = "invalid_request" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// A field, or a value of it, that is right but not served.
    Unsupported = "unsupported" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// Prompt and answer do not fit the model's context window.
    ContextLengthExceeded = "context_length_exceeded" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// The body is larger than the node takes.
    PayloadTooLarge = "payload_too_large" InvalidArgument PAYLOAD_TOO_LARGE "invalid_request_error" Never;
    /// The body is of a type that is not read here.
    UnsupportedMediaType = "unsupported_media_type" InvalidArgument UNSUPPORTED_MEDIA_TYPE "invalid_request_error" Never;
    /// The path is there, with other methods.
    MethodNotAllowed = "method_not_allowed" Unimplemented METHOD_NOT_ALLOWED "invalid_request_error" Never;
    /// There is no such path or call.
    Unimplemented = "unimplemented" Unimplemented NOT_FOUND "invalid_request_error" Never;

    // Governed resources.
    /// No such resource, or its existence is not this caller's to know.
    NotFound = "not_found" NotFound NOT_FOUND "invalid_request_error" Never;
    /// The name is taken.
    AlreadyExists = "already_exists" AlreadyExists CONFLICT "invalid_request_error" Never;
    /// Something else must change first: others refer to it, or it refers to what is not there.
    FailedPrecondition = "failed_precondition" FailedPrecondition BAD_REQUEST "invalid_request_error" Never;
    /// It changed since it was read.
    EtagMismatch = "etag_mismatch" Aborted CONFLICT "invalid_request_error" Never;

    // The vendor.
    /// The vendor failed or broke off.
    UpstreamError = "upstream_error" Unavailable BAD_GATEWAY "server_error" Backoff;
    /// The vendor refused the request as it is; its reason is told.
    UpstreamRejected = "upstream_rejected" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// The vendor's own filter refused what the request says, by the name that its callers know.
    ContentFiltered = "content_filter" InvalidArgument BAD_REQUEST "invalid_request_error" Never;
    /// The vendor refused the gateway's own credential, or the gateway can't open it; the caller's key is fine.
    UpstreamCredential = "upstream_credential" Internal BAD_GATEWAY "server_error" Never;
    /// The vendor took too long.
    UpstreamTimeout = "upstream_timeout" DeadlineExceeded GATEWAY_TIMEOUT "server_error" Backoff;
    /// The vendor's own rate limit is reached.
    UpstreamRateLimited = "upstream_rate_limited" ResourceExhausted TOO_MANY_REQUESTS "rate_limit_error" After;

    // The house itself.
    /// The node has no policy to judge by yet.
    PolicyUnavailable = "policy_unavailable" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// The node's policy is older than may be trusted.
    AuthStale = "auth_stale" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// The node's compliance rules are older than may be trusted for this request.
    RulesStale = "rules_stale" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// An operator has switched off what the request needs: everything, this geo, the tenant, the model or every endpoint of it. Whose
    /// request it is does not matter, so it is no 403; it passes again once that is lifted, which is told where it is known.
    SwitchedOff = "switched_off" Unavailable SERVICE_UNAVAILABLE "server_error" After;
    /// The decision could not be recorded, and the tenant demands a record.
    AuditUnavailable = "audit_unavailable" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// What the control plane writes to is full, locked or gone; nothing was changed.
    StoreUnavailable = "store_unavailable" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// The audit log is not what was signed for before: it was changed behind the control plane's back, or another was put in its place.
    AuditInconsistent = "audit_inconsistent" DataLoss INTERNAL_SERVER_ERROR "server_error" Never;
    /// More work than the process takes.
    Overloaded = "overloaded" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// The process is about to stop, or an operator drains the node.
    ShuttingDown = "shutting_down" Unavailable SERVICE_UNAVAILABLE "server_error" Backoff;
    /// The caller's own deadline passed.
    DeadlineExceeded = "deadline_exceeded" DeadlineExceeded GATEWAY_TIMEOUT "server_error" Backoff;
    /// The caller went away.
    Cancelled = "cancelled" Cancelled REQUEST_TIMEOUT "server_error" Never;
    /// A defect of ours; the details are in the log under the request's id.
    Internal = "internal_error" Internal INTERNAL_SERVER_ERROR "server_error" Never;
}

impl ErrorCode {
    /// The code on every surface.
    pub const fn as_str(self) -> &'static str {
        self.row().text
    }

    /// Whether policy refused what is answered with it.
    pub fn is_denial(self) -> bool {
        self == Self::ModelNotFound || self.row().http == StatusCode::FORBIDDEN
    }

    /// Whether a limit refused it.
    pub const fn is_of_limits(self) -> bool {
        matches!(self, Self::RateLimitExceeded | Self::ConcurrencyLimitExceeded | Self::InsufficientQuota)
    }

    /// The code for a gRPC status that came without one of ours, as libraries make them.
    pub const fn of_grpc(code: Code) -> Self {
        match code {
            Code::Unauthenticated => Self::InvalidApiKey,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::InvalidArgument | Code::OutOfRange => Self::InvalidRequest,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Aborted => Self::EtagMismatch,
            Code::ResourceExhausted => Self::RateLimitExceeded,
            Code::Unimplemented => Self::Unimplemented,
            Code::Unavailable => Self::Overloaded,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::Cancelled => Self::Cancelled,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Internal,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|code| code.as_str() == text);
        found.ok_or_else(|| format!("`{}` is not an error code", text.escape_default()))
    }
}

impl From<ReasonCode> for ErrorCode {
    fn from(reason: ReasonCode) -> Self {
        match reason {
            ReasonCode::ModelNotFound => Self::ModelNotFound,
            ReasonCode::NotEntitled => Self::NotEntitled,
            ReasonCode::KeyScope => Self::KeyScope,
            ReasonCode::GeoNotAllowed => Self::GeoNotAllowed,
            ReasonCode::OperationUnsupported => Self::OperationUnsupported,
            ReasonCode::LicenceNotStarted => Self::LicenceNotStarted,
            ReasonCode::LicenceExpired => Self::LicenceExpired,
            ReasonCode::LicenceTerritory => Self::LicenceTerritory,
            ReasonCode::LicencePurpose => Self::LicencePurpose,
            ReasonCode::LicenceNotAccepted => Self::LicenceNotAccepted,
            ReasonCode::RuleForbids => Self::RuleForbids,
            ReasonCode::RuleUndecided => Self::RuleUndecided,
            ReasonCode::PermitMissing => Self::PermitMissing,
            ReasonCode::ResidencyUnsatisfied => Self::ResidencyUnsatisfied,
            ReasonCode::ObligationConflict => Self::ObligationConflict,
            ReasonCode::ContentBlocked => Self::ContentBlocked,
            ReasonCode::UnknownField => Self::UnknownField,
            ReasonCode::NoEndpoint => Self::NoEndpoint,
            ReasonCode::Unpriced => Self::UnpricedModel,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_words_and_read_back() {
        let texts: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            let text = code.as_str();
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
            assert_eq!(text.parse(), Ok(*code));
        }
    }

    #[test]
    fn a_reason_keeps_its_text_as_a_code() {
        for reason in ReasonCode::ALL {
            assert_eq!(ErrorCode::from(*reason).as_str(), reason.as_str());
        }
    }

    #[test]
    fn every_row_tells_the_same_story_in_all_columns() {
        for code in ErrorCode::ALL {
            let row = code.row();
            assert!(row.http.is_client_error() || row.http.is_server_error(), "{code}");
            assert_ne!(row.grpc, Code::Ok, "{code}");
            let server = row.openai == "server_error";
            assert_eq!(server, row.http.is_server_error() || *code == ErrorCode::Cancelled, "{code}");
            assert_eq!(row.grpc == Code::Unauthenticated, row.http == StatusCode::UNAUTHORIZED, "{code}");
            assert_eq!(row.grpc == Code::PermissionDenied, row.http == StatusCode::FORBIDDEN, "{code}");
            assert_eq!(
                row.grpc == Code::ResourceExhausted,
                row.http == StatusCode::TOO_MANY_REQUESTS,
                "{code}"
            );
            assert!(
                row.retry == Retry::Never || row.http.as_u16() == 429 || row.http.is_server_error(),
                "{code}"
            );
        }
    }

    #[test]
    fn a_status_of_a_library_keeps_its_grpc_code() {
        for number in 1..=16 {
            let code = Code::from_i32(number);
            let ours = ErrorCode::of_grpc(code).row().grpc;
            let folded = matches!(code, Code::Unknown | Code::DataLoss | Code::OutOfRange);
            assert!(ours == code || folded, "{code:?} became {ours:?}");
        }
    }
}
