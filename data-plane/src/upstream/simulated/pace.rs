//! How fast the simulated vendor answers.
//!
//! Law: the default is at once; pace changes when bytes come, never which. Deliberately absent: randomness.

use std::time::Duration;

/// Delays of one simulated endpoint; all zero by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Before the head of an answer.
    pub(crate) latency: Duration,
    /// Between the head of a stream and its first event.
    pub(crate) first_token: Duration,
    /// How many tokens a second a stream gives after that; zero is as many as are read.
    pub(crate) tokens_per_second: u32,
}

impl Pace {
    /// How long `tokens` tokens of a stream take.
    pub(crate) fn of_tokens(&self, tokens: u32) -> Duration {
        match self.tokens_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(u64::from(tokens)) / rate,
        }
    }
}
