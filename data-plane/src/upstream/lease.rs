//! What is given for a time and asked for again: tokens, and keys of sessions. Kept until shortly before its end.
//!
//! Law: one asks at a time, whoever else needs it waits for that one; and while the one there is still holds, nobody waits for the next.
//! A failure counts for a moment for all who waited. Absent on purpose: who gives what, and how it is asked for.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use super::error::{Kind, Stage, UpstreamError};

/// How long a failure counts for all.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that is waited for it.
const WAIT: Duration = Duration::from_secs(30);
/// How long before its end it is taken to be over, for clocks and requests on their way.
const SKEW: Duration = Duration::from_secs(10);
/// How long before its end the next is asked for, at most; of short lives, a fifth.
const AHEAD: Duration = Duration::from_secs(300);
/// The longest that it is kept.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What was given, and until when it holds.
pub(super) struct Lease<T> {
    /// What was given.
    pub(super) given: T,
    renew: Instant,
    end: Instant,
}

impl<T> Lease<T> {
    /// What was asked for at a time and holds so long.
    pub(super) fn of(given: T, asked: Instant, lives: Duration) -> Self {
        let lives = lives.min(LONGEST);
        let end = asked + lives.saturating_sub(SKEW.min(lives / 2));
        let renew = end - AHEAD.min(lives / 5);
        Self { given, renew, end }
    }
}

/// Who gives it.
pub(super) trait Lessor: Send + Sync + 'static {
    /// What is given.
    type Given: Send + Sync + 'static;

    /// Asks for the next.
    fn ask(&self) -> impl Future<Output = Result<Lease<Self::Given>, UpstreamError>> + Send;

    /// The host that is asked, for whoever reads the log.
    fn host(&self) -> &str;
}

/// What one endpoint is given.
pub(super) struct Leases<L: Lessor>(Arc<Kept<L>>);

struct Kept<L: Lessor> {
    lessor: L,
    held: ArcSwapOption<Lease<L::Given>>,
    /// Whose turn it is to ask, and what came of the last time if it was nothing.
    turn: Arc<Mutex<Failed>>,
}

type Failed = Option<(Instant, Kind)>;
type Turn = OwnedMutexGuard<Failed>;
type Asked<L> = Result<Arc<Lease<<L as Lessor>::Given>>, UpstreamError>;

impl<L: Lessor> Clone for Leases<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Lessor> Leases<L> {
    /// What this one gives; nothing is asked yet.
    pub(super) fn of(lessor: L) -> Self {
        Self(Arc::new(Kept { lessor, held: ArcSwapOption::empty(), turn: Arc::default() }))
    }

    /// The one of now.
    pub(super) async fn current(&self, deadline: Option<Instant>) -> Asked<L> {
        if let Some(lease) = self.0.held(Instant::now()) {
            self.renew(&lease);
            return Ok(lease);
        }
        let latest = Instant::now() + WAIT;
        let (until, stage) = match deadline.filter(|deadline| *deadline < latest) {
            Some(deadline) => (deadline, Stage::Total),
            None => (latest, Stage::Connect),
        };
        let asked = async {
            let mut turn = Arc::clone(&self.0.turn).lock_owned().await;
            self.0.ask(&mut turn).await
        };
        let asked = timeout_at(until, asked).await;
        asked.unwrap_or_else(|_| Err(UpstreamError::new(Kind::Timeout(stage))))
    }

    /// The vendor does not take this one, whatever its end: the next call asks for another.
    pub(super) fn refused(&self, lease: &Arc<Lease<L::Given>>) {
        let held = self.0.held.load();
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, lease)) {
            self.0.held.compare_and_swap(&held, None);
        }
    }

    /// Has the next asked for where it is time, while this one still serves.
    fn renew(&self, lease: &Lease<L::Given>) {
        if Instant::now() < lease.renew {
            return;
        }
        let Ok(mut turn) = Arc::clone(&self.0.turn).try_lock_owned() else { return };
        if !has_just_failed(&turn) {
            let kept = Arc::clone(&self.0);
            tokio::spawn(async move { kept.renew(&mut turn).await });
        }
    }

    /// Has the next asked for with the next use.
    #[cfg(test)]
    pub(super) fn is_late(&self)
    where
        L::Given: Clone,
    {
        let held = self.0.held.load_full();
        let late = held.map(|held| Lease { given: held.given.clone(), renew: Instant::now(), end: held.end });
        self.0.held.store(late.map(Arc::new));
    }
}

fn has_just_failed(turn: &Turn) -> bool {
    turn.as_ref().is_some_and(|(at, _)| at.elapsed() < PAUSE)
}

impl<L: Lessor> Kept<L> {
    fn held(&self, now: Instant) -> Option<Arc<Lease<L::Given>>> {
        self.held.load_full().filter(|lease| now < lease.end)
    }

    /// The one that came while this one waited, or a new one.
    async fn ask(&self, turn: &mut Turn) -> Asked<L> {
        if let Some(lease) = self.held(Instant::now()) {
            return Ok(lease);
        }
        match turn.as_ref() {
            Some((_, kind)) if has_just_failed(turn) => Err(UpstreamError::new(kind.clone())),
            _ => self.renew(turn).await,
        }
    }

    async fn renew(&self, turn: &mut Turn) -> Asked<L> {
        let asked = self.lessor.ask().await.map(Arc::new);
        match &asked {
            Ok(lease) => {
                **turn = None;
                self.held.store(Some(Arc::clone(lease)));
            }
            Err(error) => {
                // What is behind it is a word of a standard for why, or the library's; never what was answered.
                let because = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                let from = self.lessor.host();
                tracing::warn!(from, why = %error.kind, because, "no token for an endpoint's calls");
                **turn = Some((Instant::now(), error.kind.clone()));
            }
        }
        asked
    }
}
