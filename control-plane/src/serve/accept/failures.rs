//! Connections that could not be accepted: told, but not each.
//!
//! Law: one line a second at most, with how many there were; and a pause after each that is not the connection's own fault,
//! because a listener whose process has no file descriptors left is ready at once, again and again.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two lines.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long nothing is accepted after a failure of ours.
const PAUSE: Duration = Duration::from_millis(50);

/// What is known of failures on one port.
#[derive(Debug, Default)]
pub(super) struct Failures {
    untold: u64,
    told: Option<Instant>,
}

impl Failures {
    /// Takes note of a failure, tells of it where it is time, and waits as long as is good.
    pub(super) async fn note(&mut self, error: &Error) {
        if let Some(failures) = self.due(Instant::now()) {
            tracing::warn!(%error, failures, "connections can't be accepted");
        }
        if !of_the_connection(error) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How many there were since the last line, where the next is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.untold = self.untold.saturating_add(1);
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < BETWEEN) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Whether only that one connection is gone.
fn of_the_connection(error: &Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_97_a_line_a_second_and_no_failure_forgotten() {
        let (mut failures, begun) = (Failures::default(), Instant::now());
        let mut told = Vec::new();
        for at in 0..101 {
            told.extend(failures.due(begun + Duration::from_millis(at * 25)));
        }
        assert_eq!(told, [1, 40, 40]);
        assert_eq!(failures.untold, 20);
    }

    #[tokio::test]
    async fn case_97_a_failure_of_ours_is_waited_out() {
        let mut failures = Failures::default();
        let begun = Instant::now();
        failures.note(&Error::from(ErrorKind::ConnectionAborted)).await;
        assert!(begun.elapsed() < PAUSE, "the next connection may be there already");
        failures.note(&Error::other("too many open files")).await;
        assert!(begun.elapsed() >= PAUSE);
    }
}
