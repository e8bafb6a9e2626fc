//! What a window came to.

use std::time::Duration;

use super::histogram::Histogram;

/// Counts and latencies of one window, or of one worker in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Requests that were sent, failed ones included.
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// What went wrong first.
    pub(crate) first_error: Option<String>,
    /// `data:` events that were read.
    pub(crate) events: u64,
    /// Requests whose content named a person.
    pub(crate) personal: u64,
    /// Until the last byte.
    pub(crate) whole: Histogram,
    /// Until the first byte of the body.
    pub(crate) first_byte: Histogram,
    pub(crate) elapsed: Duration,
    /// A bit for every key that was used.
    pub(crate) keys: Vec<u64>,
}

/// How one request went.
pub(crate) struct Outcome {
    /// Number of the key that was drawn.
    pub(crate) key: usize,
    pub(crate) personal: bool,
    pub(crate) answer: anyhow::Result<Timed>,
}

/// How long an answer took, in nanoseconds, and how many events it had.
pub(crate) struct Timed {
    pub(crate) whole: u64,
    pub(crate) first_byte: u64,
    pub(crate) events: u64,
}

impl Tally {
    /// Counts one request.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        self.requests += 1;
        self.personal += u64::from(outcome.personal);
        self.used(outcome.key);
        match outcome.answer {
            Ok(timed) => {
                self.whole.record(timed.whole);
                self.first_byte.record(timed.first_byte);
                self.events += timed.events;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn used(&mut self, key: usize) {
        let word = key / 64;
        if self.keys.len() <= word {
            self.keys.resize(word + 1, 0);
        }
        if let Some(bits) = self.keys.get_mut(word) {
            *bits |= 1 << (key % 64);
        }
    }

    /// Counts a failure and keeps the first one's words.
    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    /// How many keys were used at least once.
    pub(crate) fn distinct_keys(&self) -> u32 {
        self.keys.iter().map(|bits| bits.count_ones()).sum()
    }

    /// Adds what ran beside it: counts add up, the longer time stands.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.events += other.events;
        self.personal += other.personal;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.whole.merge(&other.whole);
        self.first_byte.merge(&other.first_byte);
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        if self.keys.len() < other.keys.len() {
            self.keys.resize(other.keys.len(), 0);
        }
        for (bits, more) in self.keys.iter_mut().zip(&other.keys) {
            *bits |= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut first = Tally { requests: 2, ..Tally::default() };
        let mut second = Tally { requests: 3, elapsed: Duration::from_secs(1), ..Tally::default() };
        first.used(1);
        second.used(1);
        second.used(200);
        second.failed(&anyhow::anyhow!("cut"));
        first.merge(&second);
        assert_eq!((first.requests, first.errors, first.distinct_keys()), (5, 1, 2));
        assert_eq!((first.elapsed, first.first_error.as_deref()), (Duration::from_secs(1), Some("cut")));
    }
}
