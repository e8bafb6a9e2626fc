//! A certificate renewed in good time, for as long as the node lives.
//!
//! Law: each certificate is for a new key. What fails here changes nothing: the node serves on, and tries again, more and more
//! rarely but often enough for what is left. A certificate that has ended is told of, for only a new token helps.

use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use tokio_util::sync::CancellationToken;

use super::call::{self, Failure};
use super::kept::Kept;
use super::once;
use super::token::Token;
use crate::freshness::Freshness;
use crate::policy::jitter;
use crate::tls::Way;
use crate::validity::validity;

/// The longest between two looks at the clock, which may be set.
const LOOK: Duration = Duration::from_secs(60);

/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(300));

/// What renews a node's certificate.
pub(crate) struct Renewal {
    pub(super) way: Arc<Way>,
    pub(super) kept: Kept,
    /// A token for a new identity that could not be used yet.
    pub(super) pending: Option<Token>,
    /// What time it is: this machine's clock may have been set back.
    pub(super) freshness: Arc<Freshness>,
}

/// The life of a certificate, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
struct Life {
    begin: i64,
    end: i64,
}

impl Renewal {
    /// Renews until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0_u32;
        let mut early = even();
        loop {
            let wait = self.wait(failures, early);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait.min(LOOK)) => {}
            }
            if wait > LOOK {
                continue;
            }
            match self.turn().await {
                Ok(()) => (failures, early) = (self.failures_after(failures), even()),
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    self.tell(&failure);
                }
            }
        }
    }

    /// Of so many failures, those that count once it is renewed. What is due again at once, by a clock that is ahead of the control
    /// plane's, is not asked for again at once.
    fn failures_after(&self, failures: u32) -> u32 {
        let is_due = self.life().is_none_or(|life| life.due(0.0) <= self.freshness.reckoned());
        if is_due { failures.saturating_add(1) } else { 0 }
    }

    /// How long to wait for the next try.
    fn wait(&self, failures: u32, early: f64) -> Duration {
        let life = self.life();
        match failures.checked_sub(1) {
            None if self.pending.is_some() => Duration::ZERO,
            None => life.map_or(PAUSES.1, |life| life.due(early).saturating_sub(self.freshness.reckoned())),
            Some(before) => {
                let left = life.map_or(Duration::ZERO, |life| life.left(self.freshness.reckoned()));
                let pause = PAUSES.0.saturating_mul(2_u32.saturating_pow(before.min(16))).min(PAUSES.1);
                // What is left is not waited away; what has ended is not hurried.
                let pause = if left.is_zero() { pause } else { pause.min(left / 8) };
                pause / 2 + jitter(pause / 2)
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Failure> {
        if let Some(token) = &self.pending {
            once(self.way.url(), &self.kept, token).await?;
            self.pending = None;
        } else {
            let key = KeyPair::generate().map_err(|error| Failure::Away(error.to_string()))?;
            let granted = call::renew(&self.way, &key).await?;
            self.kept.take(&granted, &key, None).map_err(Failure::kept)?;
        }
        // Read at once: it says when it ends, and the next stream shows it.
        let _ = self.way.endpoint();
        tracing::info!(end = self.life().map_or(0, |life| life.end), "the node's certificate is renewed");
        Ok(())
    }

    fn tell(&mut self, failure: &Failure) {
        let left = self.life().map_or(0, |life| life.left(self.freshness.reckoned()).as_secs());
        match failure {
            Failure::Refused(why) if self.pending.is_some() => {
                self.pending = None;
                tracing::error!(
                    why,
                    "the new token is not taken: the node goes on with the certificate it has"
                );
            }
            Failure::Refused(reason) | Failure::Away(reason) if left == 0 => tracing::error!(
                reason,
                "the node's certificate has ended: it serves the policy it has and hears of no other; make a token by \
                 `chancery nodes enrol`, give it as `control.enrolment_token`, and start again"
            ),
            Failure::Refused(reason) => {
                tracing::error!(reason, left_seconds = left, "the node's certificate is not renewed");
            }
            Failure::Away(reason) => {
                tracing::warn!(reason, left_seconds = left, "the node's certificate can't be renewed yet");
            }
        }
    }

    fn life(&self) -> Option<Life> {
        let (begin, end) = validity(&self.kept.certificate()?)?;
        Some(Life { begin, end })
    }
}

impl Life {
    /// When it is renewed, since the Unix epoch: when a third is left, and up to a twentieth sooner, so that not all come at once.
    fn due(self, early: f64) -> Duration {
        let whole = f64::from(u32::try_from(self.end.saturating_sub(self.begin)).unwrap_or_default());
        let before = whole * (1.0 / 3.0 + early / 20.0);
        seconds(self.end).saturating_sub(Duration::from_secs_f64(before))
    }

    fn left(self, now: Duration) -> Duration {
        seconds(self.end).saturating_sub(now)
    }
}

/// A number drawn evenly between 0 and 1.
fn even() -> f64 {
    jitter(Duration::from_secs(1)).as_secs_f64()
}

fn seconds(since_epoch: i64) -> Duration {
    Duration::from_secs(u64::try_from(since_epoch).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freshness::AtMost;
    use crate::freshness::tests::written;

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left_and_not_by_all_at_once() {
        let day = Life { begin: 0, end: 86_400 };
        assert_eq!(day.due(0.0).as_secs(), 57_600);
        assert_eq!(day.due(1.0).as_secs(), 53_280);
        let drawn: Vec<f64> = (0..50).map(|_| even()).collect();
        assert!(drawn.iter().all(|early| (0.0..=1.0).contains(early)));
        assert!(drawn.iter().any(|early| *early != drawn[0]));
        assert_eq!(day.left(seconds(80_000)).as_secs(), 6_400);
        assert_eq!(day.left(seconds(90_000)), Duration::ZERO);
        assert!(Life { begin: 5, end: 5 }.due(1.0).as_secs() == 5);
    }

    #[test]
    fn case_100_a_clock_that_was_set_back_puts_off_no_renewal() {
        const DAY: Duration = Duration::from_secs(86_400);
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::at(home.path());
        let (epoch, wall) =
            (rcgen::date_time_ymd(1970, 1, 1), Freshness::open(home.path(), AtMost::default()));
        let wall = wall.reckoned();
        let key = KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        let name = "spiffe://chancery/geo/eu/node/a".try_into().unwrap();
        params.subject_alt_names = vec![rcgen::SanType::URI(name)];
        (params.not_before, params.not_after) = (epoch + wall, epoch + wall + 9 * DAY);
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(home.path().join("ca.pem"), &pem).unwrap();
        std::fs::write(home.path().join("node.pem"), format!("{pem}{}", key.serialize_pem())).unwrap();
        let at = |latest: Duration| {
            let freshness = Arc::new(written(home.path(), latest));
            let way = Way::open("https://127.0.0.1:1", kept.files(), freshness.clone()).unwrap();
            Renewal { way: Arc::new(way), kept: kept.clone(), pending: None, freshness }
        };
        let due = at(wall).wait(0, 0.0);
        assert!(due > 5 * DAY && due <= 6 * DAY, "{due:?}");
        assert_eq!(at(wall + 7 * DAY).wait(0, 0.0), Duration::ZERO);
        // One that is renewed is good for days, or due again at once by a clock that is ahead.
        assert_eq!(at(wall).failures_after(3), 0);
        assert_eq!(at(wall + 30 * DAY).failures_after(3), 4);
        assert!(at(wall + 30 * DAY).wait(4, 0.0) >= PAUSES.0);
    }
}
