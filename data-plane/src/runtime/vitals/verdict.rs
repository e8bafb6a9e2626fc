//! What a call that gave no answer says about its endpoint.
//!
//! Law: a caller can't make an endpoint look ill: its own wrong requests, its own deadline and its going away say nothing against one.
//! Deliberately absent: what is done about it.
//!
//! | failure | the endpoint | is left alone |
//! |---|---|---|
//! | connect, TLS, reset, out of protocol (200 with an error in it), timeouts | fails | |
//! | the caller's own deadline | | |
//! | 503, 529 | fails | as long as it asks, else shortly |
//! | 408, other 5xx but 501 | fails | |
//! | 429 | is well | as long as it asks, else shortly |
//! | 401, 403, other than 4xx and 5xx | | |
//! | other 4xx, 501 | is well | |
//! | nothing was sent, or too much came | | |

use std::time::Duration;

use crate::upstream::error::{Kind, Stage, UpstreamError};

/// What a failed call says about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How the endpoint is, where that can be told.
    pub(crate) health: Option<Health>,
    /// Whether it is to be left alone.
    pub(crate) rest: Option<Wish>,
}

/// How an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    Ill,
}

/// For how long an endpoint is to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// As long as it asked.
    Asked(Duration),
    /// It did not say.
    Unsaid,
}

impl Verdict {
    /// What a failure says; `own_deadline`: the time in which all must end was the caller's own.
    pub(crate) fn of(error: &UpstreamError, own_deadline: bool) -> Self {
        let health = |health| Self { health: Some(health), rest: None };
        match &error.kind {
            Kind::Connect | Kind::Tls | Kind::Reset | Kind::Protocol => health(Health::Ill),
            Kind::Timeout(Stage::Total) if own_deadline => Self { health: None, rest: None },
            Kind::Timeout(_) => health(Health::Ill),
            Kind::Credential | Kind::AddressRefused | Kind::TooLarge | Kind::Unfit(_) | Kind::Full => {
                Self { health: None, rest: None }
            }
            Kind::Status(refusal) => {
                let rest = || Some(refusal.retry_after.map_or(Wish::Unsaid, Wish::Asked));
                match refusal.status.as_u16() {
                    429 => Self { health: Some(Health::Well), rest: rest() },
                    503 | 529 => Self { health: Some(Health::Ill), rest: rest() },
                    401 | 403 => Self { health: None, rest: None },
                    408 => health(Health::Ill),
                    400..=499 | 501 => health(Health::Well),
                    500.. => health(Health::Ill),
                    _ => Self { health: None, rest: None },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::upstream::error::Refusal;

    fn status(code: u16, retry_after: Option<Duration>) -> Verdict {
        let status = StatusCode::from_u16(code).unwrap();
        let refusal = Refusal { status, retry_after, body: Bytes::new() };
        Verdict::of(&UpstreamError::new(Kind::Status(Box::new(refusal))), false)
    }

    #[test]
    fn what_is_the_callers_own_says_nothing_against_an_endpoint() {
        for code in [400, 404, 409, 413, 422, 429, 501] {
            assert_eq!(status(code, None).health, Some(Health::Well), "{code}");
        }
        for code in [301, 401, 403] {
            assert_eq!(status(code, None).health, None, "{code}");
        }
        let late = UpstreamError::new(Kind::Timeout(Stage::Total));
        assert_eq!(Verdict::of(&late, true).health, None);
        assert_eq!(Verdict::of(&late, false).health, Some(Health::Ill));
    }

    #[test]
    fn case_50_failures_count_and_what_a_vendor_asks_for_is_heard() {
        for code in [408, 500, 502, 503, 504, 529] {
            assert_eq!(status(code, None).health, Some(Health::Ill), "{code}");
        }
        for kind in [Kind::Connect, Kind::Tls, Kind::Reset, Kind::Protocol, Kind::Timeout(Stage::FirstByte)] {
            assert_eq!(Verdict::of(&UpstreamError::new(kind), true).health, Some(Health::Ill));
        }
        let seven = Duration::from_secs(7);
        for code in [429, 503, 529] {
            assert_eq!(status(code, Some(seven)).rest, Some(Wish::Asked(seven)), "{code}");
            assert_eq!(status(code, None).rest, Some(Wish::Unsaid), "{code}");
        }
        assert_eq!(status(500, Some(seven)).rest, None);
    }
}
