//! What a verb that waits tells of it as it goes on.
//!
//! Law: each thing once, on standard error, and not where errors are JSON: that stays alone there.

use std::time::{Duration, Instant};

use super::Shown;

/// What is told of a wait as it goes on, each thing once.
#[derive(Debug)]
pub(super) struct Progress {
    shown: Shown,
    /// Until then nothing is told: most waits are over sooner.
    silent: Instant,
    last: String,
}

impl Progress {
    /// Of a wait that begins now.
    pub(super) fn of(shown: Shown, silence: Duration) -> Self {
        Self { shown, silent: Instant::now() + silence, last: String::new() }
    }

    /// Tells what is waited for, where that is news.
    pub(super) fn tell(&mut self, line: String) {
        if line != self.last && Instant::now() >= self.silent {
            self.shown.lead(&line);
            self.last = line;
        }
    }
}
