//! What a limit bounds, and in which unit.
//!
//! Every amount is a whole number: requests, tokens, or money in nano-units of the tenant's one currency. There are no
//! floats here, and nothing that knows where a limit was written or who it applies to.

use std::time::Duration;

use super::window::Period;

/// The tokens of a request that a bound counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// What the caller sends and what the model answers.
    Total,
    /// What the caller sends.
    Input,
    /// What the model answers.
    Output,
}

/// The unit in which a budget is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Requests; one for each, whatever its size.
    Requests,
    /// Tokens of a class.
    Tokens(TokenClass),
    /// Money, in nano-units of the tenant's currency.
    Spend,
}

/// What one limit allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A request rate: GCRA (ITU-T I.371) with a burst of `limit`, refilled evenly over `per`.
    Requests {
        /// Requests in `per`, and the burst.
        limit: u64,
        /// The time in which `limit` requests are refilled; below 1 µs counts as 1 µs.
        per: Duration,
    },
    /// A token rate: a bucket of `limit` tokens, refilled evenly over `per`. Estimates are taken at admission and
    /// corrected when the answer is known.
    Tokens {
        /// Tokens in `per`, and the burst.
        limit: u64,
        /// The time in which `limit` tokens are refilled; below 1 µs counts as 1 µs.
        per: Duration,
        /// The tokens that count.
        class: TokenClass,
    },
    /// Requests in flight at the same time.
    Concurrent {
        /// The most there may be.
        limit: u64,
    },
    /// A budget that starts afresh with every period.
    Budget {
        /// The most that one period may use, in the unit of `of`.
        limit: u128,
        /// The unit.
        of: Measure,
        /// When it starts afresh.
        period: Period,
    },
}

/// What a request takes, or took: estimated at admission, counted at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Tokens the caller sent.
    pub input_tokens: u64,
    /// Tokens the model answered.
    pub output_tokens: u64,
    /// Money, in nano-units of the tenant's currency, rounded once by whoever applied the price.
    pub spend: u128,
}

impl Amounts {
    /// The sum of both, saturating.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
            spend: self.spend.saturating_add(more.spend),
        }
    }
}

impl TokenClass {
    fn of(self, amounts: &Amounts) -> u64 {
        match self {
            Self::Total => amounts.input_tokens.saturating_add(amounts.output_tokens),
            Self::Input => amounts.input_tokens,
            Self::Output => amounts.output_tokens,
        }
    }
}

impl Bound {
    /// What `amounts` are in the unit of this bound; a request is one request.
    #[must_use]
    pub fn measure(&self, amounts: &Amounts) -> u128 {
        match self {
            Self::Requests { .. } | Self::Concurrent { .. } => 1,
            Self::Tokens { class, .. } => u128::from(class.of(amounts)),
            Self::Budget { of: Measure::Requests, .. } => 1,
            Self::Budget { of: Measure::Tokens(class), .. } => u128::from(class.of(amounts)),
            Self::Budget { of: Measure::Spend, .. } => amounts.spend,
        }
    }

    /// Whether what a model answers counts, by its tokens or their price.
    #[must_use]
    pub fn counts_output(&self) -> bool {
        let one = Amounts { output_tokens: 1, spend: 1, ..Amounts::default() };
        matches!(self, Self::Tokens { .. } | Self::Budget { of: Measure::Tokens(_) | Measure::Spend, .. })
            && self.measure(&one) > 0
    }

    /// The number the limit was written with, in the unit of this bound.
    #[must_use]
    pub fn limit(&self) -> u128 {
        match self {
            Self::Requests { limit, .. } | Self::Tokens { limit, .. } | Self::Concurrent { limit } => {
                u128::from(*limit)
            }
            Self::Budget { limit, .. } => *limit,
        }
    }
}
