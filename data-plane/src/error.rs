//! One refusal, whatever the reason and whichever the door: what it says, and how the request is recorded for it.
//!
//! Law: every failure of a request becomes a [`Rejection`] here and nowhere else, so that all doors tell the same. Nothing in it
//! names a host, a credential or another tenant. Deliberately absent: the forms of the doors (`ingress`).

use std::time::Duration;

use policy_engine::decision::Denial;
use policy_engine::reason::ReasonCode;
use policy_engine::vocabulary::{Currency, Instant, Money};
use proto::code::{ErrorCode, Retry};
use proto::status::{ReachedLimit, Refusal};

use crate::overlay::{self, Cut, Killed};
use crate::quota;
use crate::record::{Outcome, Unnoted};
use crate::upstream::error::{Kind, Stage, UpstreamError};

/// A refusal on its way to the caller. Boxed: it is rare, and everything else should be small.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    /// What it says.
    pub(crate) refusal: Box<Refusal>,
    /// How the request is recorded.
    pub(crate) outcome: Outcome,
    /// How the limit stands that refused, if one did.
    pub(crate) standing: Option<Box<quota::Standing>>,
}

impl Rejection {
    /// A refusal of ours, with a line for the caller.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::refused(Refusal::new(code, message))
    }

    fn refused(refusal: Refusal) -> Self {
        Self { refusal: Box::new(refusal), outcome: Outcome::Refused, standing: None }
    }

    /// A refusal for one wrong field; an empty path is the request as a whole.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::refused(Refusal::field(field, message))
    }

    /// A field that is right but not served.
    pub(crate) fn unsupported(field: &str, message: &str) -> Self {
        let mut rejection = Self::field(field, message);
        rejection.refusal.code = ErrorCode::Unsupported;
        rejection
    }

    /// A defect of ours; the log has the rest.
    pub(crate) fn defect() -> Self {
        let rejection = Self::new(ErrorCode::Internal, "the request met a defect of ours");
        Self { outcome: Outcome::Failed, ..rejection }
    }

    /// What is told of a key that was taken back.
    pub(crate) const REVOKED: &'static str = "the API key was revoked";

    /// Something it uses is switched off. Why is for the operator.
    pub(crate) fn switched_off(met: &Killed, now: Instant) -> Self {
        let line = match met.kind {
            overlay::Kind::Everything => "the gateway is switched off at present",
            overlay::Kind::Geo => "the gateway is switched off in this geo at present",
            overlay::Kind::Tenant => "the gateway is switched off for this tenant at present",
            overlay::Kind::Model => "the model is switched off at present",
            overlay::Kind::Provider | overlay::Kind::Endpoint => {
                "every endpoint that could answer is switched off at present"
            }
        };
        let mut rejection = Self::new(ErrorCode::SwitchedOff, line);
        let left = met.ends.map(|ends| u64::try_from(ends.0.saturating_sub(now.0)).unwrap_or(0));
        rejection.refusal.retry_after = left.map(Duration::from_micros);
        rejection
    }

    /// It may not go on, or not begin any more.
    pub(crate) fn stopped(cut: &Cut, now: Instant) -> Self {
        match cut {
            Cut::Revoked => Self::new(ErrorCode::KeyRevoked, Self::REVOKED),
            Cut::Killed(met) => Self::switched_off(met, now),
        }
    }

    /// Whether it is because of a key that was taken back or of something switched off.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self.code(), ErrorCode::KeyRevoked | ErrorCode::SwitchedOff)
    }

    /// There is no policy to judge by yet.
    pub(crate) fn unready() -> Self {
        Self::new(ErrorCode::PolicyUnavailable, "this node has no policy yet")
    }

    /// The decision is not recorded, and its tenant demands that it is.
    pub(crate) fn unnoted(_: Unnoted) -> Self {
        Self::new(ErrorCode::AuditUnavailable, "the decision cannot be recorded at the moment")
    }

    /// For how long whoever meets policy that is too old is asked to wait.
    const UNTIL_CONFIRMED: Duration = Duration::from_secs(5);

    /// What it would be judged by is too old: keys and roles, or rules.
    pub(crate) fn stale(code: ErrorCode) -> Self {
        let line = "this node has not heard from the control plane for longer than its policy is good for";
        let mut rejection = Self::new(code, line);
        rejection.refusal.retry_after = Some(Self::UNTIL_CONFIRMED);
        rejection
    }

    /// An operator drains the node: another one answers, or this one later.
    pub(crate) fn draining() -> Self {
        let mut rejection = Self::new(ErrorCode::ShuttingDown, "this node takes no requests at present");
        rejection.refusal.retry_after = Some(Self::UNTIL_CONFIRMED);
        rejection
    }

    /// No such model, or not this caller's to know.
    pub(crate) fn unknown_model() -> Self {
        Self::new(ErrorCode::ModelNotFound, ReasonCode::ModelNotFound.message())
    }

    /// The policy said no.
    pub(crate) fn denied(denial: &Denial) -> Self {
        Self::refused(Refusal::denied(&denial.reasons))
    }

    /// The answer held something that policy blocks.
    pub(crate) fn blocked(label: &str) -> Self {
        let line = format!("the answer was ended because it held content of type {label} that policy blocks");
        Self { outcome: Outcome::Blocked, ..Self::new(ErrorCode::ContentBlocked, line) }
    }

    /// A limit said no, whose money is of this currency.
    pub(crate) fn limited(refusal: &quota::Refusal, currency: Option<Currency>) -> Self {
        let code = match refusal.kind {
            quota::RefusalKind::Rate => ErrorCode::RateLimitExceeded,
            quota::RefusalKind::Concurrency => ErrorCode::ConcurrencyLimitExceeded,
            quota::RefusalKind::Budget => ErrorCode::InsufficientQuota,
        };
        let limit = refusal.limit.id.as_str();
        let line = match refusal.retry_after {
            Some(_) => format!("the limit `{limit}` is reached"),
            None => format!("the request alone is more than the limit `{limit}` allows"),
        };
        let mut rejection = Self::new(code, line);
        let message = format!("{} left", left(refusal, currency));
        rejection.refusal.limits.push(ReachedLimit { limit: limit.to_owned(), message });
        rejection.refusal.retry_after = refusal.retry_after;
        rejection.standing = Some(Box::new(refusal.standing()));
        rejection
    }

    /// A vendor gave no answer, or not all of it. `told` is what of its own words may be passed on.
    pub(crate) fn upstream(error: &UpstreamError, told: Option<String>) -> Self {
        let code = match &error.kind {
            Kind::Timeout(Stage::Connect | Stage::FirstByte | Stage::Idle | Stage::Total) => {
                ErrorCode::UpstreamTimeout
            }
            Kind::Status(refusal) => match refusal.status.as_u16() {
                401 | 403 => ErrorCode::UpstreamCredential,
                429 => ErrorCode::UpstreamRateLimited,
                408 => ErrorCode::UpstreamTimeout,
                400 if refusal.is_filtered() => ErrorCode::ContentFiltered,
                400 | 404 | 413 | 422 => ErrorCode::UpstreamRejected,
                _ => ErrorCode::UpstreamError,
            },
            Kind::Unfit(unfit) => {
                return Self::unsupported(&unfit.field, &error.to_string());
            }
            Kind::Credential => ErrorCode::UpstreamCredential,
            Kind::Full => ErrorCode::Overloaded,
            Kind::Connect
            | Kind::Tls
            | Kind::AddressRefused
            | Kind::Reset
            | Kind::Protocol
            | Kind::TooLarge => ErrorCode::UpstreamError,
        };
        let line = match told {
            Some(told) => format!("{error}: {told}"),
            None => error.to_string(),
        };
        let mut rejection = Self { outcome: Outcome::Failed, ..Self::new(code, line) };
        if let Kind::Status(refusal) = &error.kind {
            let unsaid = (code == ErrorCode::UpstreamRateLimited).then_some(Duration::from_secs(1));
            rejection.refusal.retry_after = refusal.retry_after.or(unsaid);
        }
        if error.kind == Kind::Full {
            rejection.refusal.retry_after = Some(Duration::from_secs(1));
        }
        rejection
    }

    /// Every vendor that could answer asked to be left alone, the first of them for so long.
    pub(crate) fn resting(left: Duration) -> Self {
        let line = "every endpoint that could answer asked to be left alone for now";
        let mut rejection = Self::new(ErrorCode::UpstreamRateLimited, line);
        rejection.refusal.retry_after = Some(left);
        Self { outcome: Outcome::Failed, ..rejection }
    }

    /// The caller's own deadline passed.
    pub(crate) fn late() -> Self {
        let rejection = Self::new(ErrorCode::DeadlineExceeded, "the deadline of the request passed");
        Self { outcome: Outcome::Failed, ..rejection }
    }

    /// The same, of an answer that had begun.
    pub(crate) fn midway(self) -> Self {
        let outcome = if self.outcome == Outcome::Failed { Outcome::Cut } else { self.outcome };
        Self { outcome, ..self }
    }

    /// The code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.refusal.code
    }

    /// How long the caller is asked to wait, in whole seconds and at least one, where waiting helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let asked = self.refusal.retry_after.map(round_up);
        match self.code().row().retry {
            Retry::After | Retry::Backoff => asked,
            Retry::Never => None,
        }
    }
}

/// What is left of a limit, as a person reads it.
fn left(refusal: &quota::Refusal, currency: Option<Currency>) -> String {
    match (currency, &refusal.limit.bound) {
        (Some(currency), quota::Bound::Budget { of: quota::Measure::Spend, .. }) => {
            Money { currency, nanos: i64::try_from(refusal.remaining).unwrap_or(i64::MAX) }.to_string()
        }
        _ => refusal.remaining.to_string(),
    }
}

fn round_up(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::error::Refusal as VendorsRefusal;

    #[test]
    fn a_node_that_has_no_room_is_asked_again_in_a_moment() {
        let rejection = Rejection::upstream(&UpstreamError::new(Kind::Full), None);
        assert_eq!((rejection.code(), rejection.retry_after()), (ErrorCode::Overloaded, Some(1)));
        assert_eq!(rejection.code().row().http, http::StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn what_a_vendors_filter_refuses_is_told_by_the_name_that_its_callers_know() {
        let code = |status: u16, body: &'static str| {
            let status = http::StatusCode::from_u16(status).unwrap();
            let refusal = VendorsRefusal { status, retry_after: None, body: body.into() };
            Rejection::upstream(&UpstreamError::new(Kind::Status(Box::new(refusal))), None).code().to_string()
        };
        let filtered = r#"{"error":{"code":"content_filter","message":"filtered"}}"#;
        assert_eq!(code(400, filtered), "content_filter");
        assert_eq!(code(500, filtered), "upstream_error");
        assert_eq!(code(400, r#"{"error":{"code":"invalid_prompt"}}"#), "upstream_rejected");
    }
}
