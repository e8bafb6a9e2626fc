//! Why a vendor call gave no answer, in words that may be shown to the caller.
//!
//! Law: `Display` names no host, address or credential; the source chain is for the operator. Deliberately absent:
//! cancellation (a call is given up by dropping it), the decision to try another candidate (the pipeline's), status codes of our own doors (`proto`'s).

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http::StatusCode;

use crate::dialect::Unfit;
use crate::dialect::field::BodyFault;
use crate::tape::{Tape, Value};

/// The boxed cause of a failure, for the operator's log only.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// A vendor call that failed.
#[derive(Debug)]
pub(crate) struct UpstreamError {
    /// What went wrong.
    pub(crate) kind: Kind,
    /// Whether any of the answer had been handed on when it went wrong.
    pub(crate) delivered: Delivered,
    source: Option<Cause>,
}

/// What went wrong with a vendor call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Kind {
    /// No connection: the name did not resolve or nobody listens.
    #[error("the upstream could not be reached")]
    Connect,
    /// The credential the endpoint asks for cannot be opened; nothing was sent.
    #[error("the gateway's credential for the upstream can't be opened")]
    Credential,
    /// The certificate or the protocol version was not acceptable.
    #[error("the upstream could not prove its identity")]
    Tls,
    /// The endpoint's address policy forbids every address its name resolves to.
    #[error("the upstream address is not permitted")]
    AddressRefused,
    /// A stage took longer than the endpoint allows.
    #[error("the upstream did not answer in time ({0})")]
    Timeout(Stage),
    /// The connection broke after the request was sent.
    #[error("the upstream broke off")]
    Reset,
    /// The answer was not the protocol it claimed to be.
    #[error("the upstream answered out of protocol")]
    Protocol,
    /// The answer or one event of it exceeded its cap.
    #[error("the upstream answer is too large")]
    TooLarge,
    /// The request says something that the vendor's dialect has no place for; nothing was sent.
    #[error("{0}")]
    Unfit(Box<Unfit>),
    /// This node has no room for what would have to be held for the call; nothing was sent.
    #[error("the gateway fetches as many files by URL as it may at present")]
    Full,
    /// A status other than 2xx; redirects are never followed.
    #[error("the upstream answered with status {}", .0.status.as_u16())]
    Status(Box<Refusal>),
}

/// A vendor's own error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status, never 2xx.
    pub(crate) status: StatusCode,
    /// How long the vendor asks to be left alone, at most one day.
    pub(crate) retry_after: Option<Duration>,
    /// The body, at most [`REFUSAL_BODY`] bytes and with the credential masked; it may echo the prompt.
    pub(crate) body: Bytes,
}

impl Refusal {
    /// Whether the vendor's filter refused the content, as Azure and OpenAI say it.
    pub(crate) fn is_filtered(&self) -> bool {
        let mut tape = Tape::default();
        let root = tape.read(&self.body).ok().and_then(|()| tape.root(&self.body));
        let Some(error) = root.and_then(|root| root.get("error")) else { return false };
        let inner = error.get("innererror").and_then(|inner| inner.get("code"));
        let is = |words: &[&str], code: Option<Value<'_>>| {
            code.is_some_and(|code| words.iter().any(|word| code.is(word)))
        };
        is(&["content_filter", "content_policy_violation"], error.get("code"))
            || is(&["ResponsibleAIPolicyViolation"], inner)
    }
}

/// The most of a vendor's error body that is kept, in bytes.
pub(crate) const REFUSAL_BODY: usize = 64 * 1024;

/// The stage of a call whose time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Name resolution, TCP and TLS.
    Connect,
    /// From the call to the first byte of the answer's body.
    FirstByte,
    /// Between two pieces of the answer.
    Idle,
    /// The whole call, or the caller's own deadline.
    Total,
}

/// Whether any byte of the answer had been handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Nothing: another candidate may be tried without the caller noticing.
    Nothing,
    /// Something: a second answer would contradict the first.
    Something,
}

impl UpstreamError {
    /// A failure before anything was delivered, without a deeper cause.
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, delivered: Delivered::Nothing, source: None }
    }

    /// A failure before anything was delivered.
    pub(crate) fn caused(kind: Kind, source: impl Into<Cause>) -> Self {
        Self { kind, delivered: Delivered::Nothing, source: Some(source.into()) }
    }

    /// Nothing is sent that would mean something else.
    pub(crate) fn unfit(unfit: Unfit) -> Self {
        Self::new(Kind::Unfit(Box::new(unfit)))
    }

    /// A body that the pipeline read, and whose meaning is not known all the same.
    pub(crate) fn unread(fault: &BodyFault) -> Self {
        let field = fault.field().unwrap_or("messages").to_owned();
        Self::unfit(Unfit::new(field, "it is not what the dialect has there"))
    }

    /// The same failure, after `delivered`.
    pub(crate) fn after(mut self, delivered: Delivered) -> Self {
        self.delivered = delivered;
        self
    }

    /// Whether another attempt may help: nothing was delivered, and the failure is a passing one or the endpoint's own.
    ///
    /// | kind | another attempt |
    /// |---|---|
    /// | credential, connect, TLS, timeouts before the answer, reset, protocol, unfit, full | yes |
    /// | status 408, 429, 5xx except 501 | yes |
    /// | status 401: it refuses our credential, and another has another | yes |
    /// | any other status, address refused, too large, total time | no |
    pub(crate) fn retryable(&self) -> bool {
        if self.delivered == Delivered::Something {
            return false;
        }
        match &self.kind {
            Kind::Credential
            | Kind::Connect
            | Kind::Tls
            | Kind::Reset
            | Kind::Protocol
            | Kind::Unfit(_)
            | Kind::Full => true,
            Kind::Timeout(stage) => *stage != Stage::Total,
            Kind::Status(refusal) => passing(refusal.status),
            Kind::AddressRefused | Kind::TooLarge => false,
        }
    }
}

impl Kind {
    /// Whether a vendor, or who gives tokens for it, refuses who we say we are; AWS says it by a 403.
    pub(crate) fn refuses_credential(&self) -> bool {
        match self {
            Self::Status(refusal) => {
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&refusal.status)
            }
            kind => matches!(kind, Self::Credential),
        }
    }

    /// Its name, of few: a label.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Credential => "credential",
            Self::Tls => "tls",
            Self::AddressRefused => "address_refused",
            Self::Timeout(_) => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Unfit(_) => "unfit",
            Self::Full => "full",
            Self::Status(refusal) => match refusal.status.as_u16() {
                429 => "rate_limited",
                400..=499 => "client_error",
                500.. => "server_error",
                _ => "protocol",
            },
        }
    }
}

fn passing(status: StatusCode) -> bool {
    match status.as_u16() {
        401 | 408 | 429 => true,
        501 => false,
        code => code >= 500,
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::FirstByte => "first byte",
            Self::Idle => "idle",
            Self::Total => "total",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> UpstreamError {
        let status = StatusCode::from_u16(code).unwrap();
        UpstreamError::new(Kind::Status(Box::new(Refusal { status, retry_after: None, body: Bytes::new() })))
    }

    #[test]
    fn passing_statuses_are_retryable_and_the_callers_own_faults_are_not() {
        for code in [401, 408, 429, 500, 502, 503, 504, 529] {
            assert!(status(code).retryable(), "{code}");
        }
        for code in [301, 400, 403, 404, 409, 413, 422, 501] {
            assert!(!status(code).retryable(), "{code}");
        }
    }

    #[test]
    fn nothing_is_retryable_once_something_was_delivered() {
        assert!(UpstreamError::new(Kind::Reset).retryable());
        assert!(!UpstreamError::new(Kind::Reset).after(Delivered::Something).retryable());
        assert!(!UpstreamError::new(Kind::Timeout(Stage::Total)).retryable());
    }

    #[test]
    fn the_callers_words_never_repeat_the_cause() {
        let error = UpstreamError::caused(Kind::Connect, "tcp connect to 10.0.0.7:443 refused");
        assert_eq!(error.to_string(), "the upstream could not be reached");
        assert!(error.source().is_some());
        assert_eq!(status(503).to_string(), "the upstream answered with status 503");
    }
}
