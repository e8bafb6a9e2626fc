//! What a counter answers.

use std::time::Duration;

/// Why a counter did not give: how long until it may, or `None` if waiting is of no use.
pub(in crate::quota) type Wait = Option<Duration>;

/// What a counter says about itself, in the unit of its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::quota) struct Level {
    pub(in crate::quota) remaining: u128,
    pub(in crate::quota) reset: Duration,
}
