//! Which refusals a candidate may have caused: the others are the caller's own, and speak neither for it nor against it.
//!
//! Law: what a caller can have refused at will by asking wrongly counts only where the candidate changes what could cause it, or any key
//! could take any rollout back. Whatever is not listed here counts, and so does what a node's build does not tell by code.
//!
//! | refused with | counts where the candidate changes |
//! |---|---|
//! | `model_not_found`, `not_entitled`, `key_scope` | who may reach what: models, endpoints, providers, roles, grants, and who there is |
//! | `rate_limit_exceeded`, `concurrency_limit_exceeded` | limits |
//! | `insufficient_quota` | limits, or prices |

use policy_engine::vocabulary::Kind;
use proto::admin::{NodeTally, Rollout, RolloutTally};
use proto::code::ErrorCode;

/// What became of requests, as far as it says something of what a rollout changes.
pub(super) fn counted(rollout: &Rollout, tally: &NodeTally) -> RolloutTally {
    let mut sum = RolloutTally { requests: tally.requests, errors: tally.errors, denials: tally.denials };
    for refused in &tally.refusals {
        let Ok(code) = refused.code.parse::<ErrorCode>() else { continue };
        match (is_caused(rollout, code), code.is_denial()) {
            (true, true) => {}
            // A node counts what limits refuse among the requests alone.
            (true, false) => sum.denials = sum.denials.saturating_add(refused.requests),
            (false, is_denial) => {
                sum.requests = sum.requests.saturating_sub(refused.requests);
                if is_denial {
                    sum.denials = sum.denials.saturating_sub(refused.requests);
                }
            }
        }
    }
    sum
}

/// Whether what a rollout changes could be why a request is refused with a code.
fn is_caused(rollout: &Rollout, code: ErrorCode) -> bool {
    let Some(causes) = causes(code) else { return true };
    rollout.changes.iter().any(|change| causes.iter().any(|kind| kind.as_str() == change.kind))
}

/// The kinds that a refusal of a caller's own could come of all the same; `None`: it is not the caller's own.
fn causes(code: ErrorCode) -> Option<&'static [Kind]> {
    match code {
        ErrorCode::ModelNotFound | ErrorCode::NotEntitled | ErrorCode::KeyScope => Some(&[
            Kind::Model,
            Kind::Endpoint,
            Kind::Provider,
            Kind::Role,
            Kind::Grant,
            Kind::Tenant,
            Kind::Team,
            Kind::Principal,
            Kind::Key,
        ]),
        ErrorCode::RateLimitExceeded | ErrorCode::ConcurrencyLimitExceeded => Some(&[Kind::Limit]),
        ErrorCode::InsufficientQuota => Some(&[Kind::Limit, Kind::Price]),
        _ => None,
    }
}
