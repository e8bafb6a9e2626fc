//! What the operator's log is told while the control plane is away: at once, and then at growing intervals.
//!
//! Law: one line when it goes away, whatever the number of attempts; while it stays away lines come ever more rarely, and each
//! says since when. Deliberately absent: the attempts themselves.

use std::error::Error;
use std::time::{Duration, Instant};

use tonic::{Code, Status};

use crate::tls::{ELSEWHERE, hinted};

/// The first and the longest silence between two lines.
const SILENCE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1800));

/// One time of being away.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<Away>);

#[derive(Debug)]
struct Away {
    since: Instant,
    attempts: u64,
    silence: Duration,
    next: Instant,
}

/// How long it has been away, and what was tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Since it was last followed, or since the start.
    pub(super) away: Duration,
    /// Attempts that failed, this one included.
    pub(super) attempts: u64,
}

impl Outage {
    /// It is followed again.
    pub(super) fn over(&mut self) {
        self.0 = None;
    }

    /// An attempt failed, or the stream ended; what is to be told of it, if anything.
    pub(super) fn again(&mut self, now: Instant) -> Option<Told> {
        let away = self.0.get_or_insert(Away { since: now, attempts: 0, silence: SILENCE.0, next: now });
        away.attempts = away.attempts.saturating_add(1);
        if now < away.next {
            return None;
        }
        away.next = now.checked_add(away.silence).unwrap_or(now);
        away.silence = away.silence.saturating_mul(2).min(SILENCE.1);
        Some(Told { away: now.saturating_duration_since(away.since), attempts: away.attempts })
    }
}

/// Whether a stream ended by its connection, and not by a word of the control plane.
pub(super) fn broke(status: &Status) -> bool {
    status.source().is_some()
}

/// An error with all that led to it, outermost first. Of an answer, the words are told alone: a connection that broke has none.
pub(super) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    let words = causes.filter_map(|cause| match cause.downcast_ref::<Status>() {
        Some(status) if broke(status) => None,
        Some(status) if status.message().is_empty() => Some(status.code().to_string()),
        Some(status) => Some(status.message().to_owned()),
        None => Some(cause.to_string()),
    });
    let told = [error.to_string()].into_iter().chain(words).collect::<Vec<_>>().join(": ");
    if unserved(error) { format!("{told} ({ELSEWHERE})") } else { hinted(told) }
}

/// Whether there is such a server, and no such call.
fn unserved(error: &dyn Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&error| error.source());
    causes.any(|cause| {
        cause.downcast_ref::<Status>().is_some_and(|status| status.code() == Code::Unimplemented)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_it_begins_and_then_ever_more_rarely() {
        let start = Instant::now();
        let mut outage = Outage::default();
        let hour = 0..3600_u64;
        let told: Vec<u64> =
            hour.filter(|s| outage.again(start + Duration::from_secs(*s)).is_some()).collect();
        assert_eq!(told, [0, 30, 90, 210, 450, 930, 1890]);
        let later = start + Duration::from_secs(3690);
        let expected = Told { away: Duration::from_secs(3690), attempts: 3601 };
        assert_eq!(outage.again(later), Some(expected));
        outage.over();
        assert_eq!(outage.again(later), Some(Told { away: Duration::ZERO, attempts: 1 }));
        assert_eq!(outage.again(later), None);
    }

    #[test]
    fn the_whole_chain_is_told() {
        let inner = std::io::Error::other("connection refused");
        let outer = crate::config::ConfigError::Read { path: "f".into(), source: inner };
        assert_eq!(chain(&outer), "the configuration `f` can't be read: connection refused");
    }
    #[test]
    fn of_an_answer_the_words_are_told_and_of_a_connection_that_broke_what_broke_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("no stream")]
        struct Ended(#[source] Status);
        let told = |status: Status| chain(&Ended(status));
        assert_eq!(told(Status::unavailable("it goes away")), "no stream: it goes away");
        let elsewhere = told(Status::unimplemented("unknown service"));
        assert!(elsewhere.starts_with("no stream: unknown service (that is no sync port"), "{elsewhere}");
        assert_eq!(told(Status::unavailable("")), "no stream: The service is currently unavailable");
        let inner = std::io::Error::other("broken pipe");
        let broken = Status::from_error(Box::new(crate::config::ConfigError::Read {
            path: "f".into(),
            source: inner,
        }));
        assert!(broke(&broken));
        let expected = "no stream: the configuration `f` can't be read: broken pipe";
        assert_eq!(told(broken), expected);
    }
}
