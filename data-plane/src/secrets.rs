//! The secret port: credentials that are kept elsewhere or in files, fetched before anybody needs them, and fetched again as they change.
//!
//! | what happens | what becomes of the value |
//! |---|---|
//! | it is fetched, and is another | the new one is in force for requests that begin after that |
//! | its keeper does not answer, or answers what can't be read | the last good one stays, for `secrets.keep_seconds` |
//! | its keeper says that it is not there | it is dropped at once: that is how it is taken back |
//! | a vendor refuses it | it is asked for again, at most every ten seconds |
//!
//! Law: no request waits for a keeper. A value is in memory alone, wiped when it is let go, and told to nobody: logs name the reference. Who
//! the keepers are, and what they know this node by, is the node's own configuration; policy names a place in them and nothing else.

mod asker;
mod aws;
mod file;
mod keeper;
mod refresh;
mod vault;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use policy_engine::facts::Credential;
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::config;
use crate::policy::jitter;
use asker::NotFetched;
pub(crate) use asker::Unfit;
pub(crate) use file::read;
use keeper::Keepers;
pub(crate) use refresh::{Renew, run};

/// A value, shared by whoever uses it and wiped with the last of them.
type Value = Arc<Zeroizing<String>>;

/// The least time between two questions for one secret that a vendor refused.
const REFUSED: Duration = Duration::from_secs(10);

/// The first pause after a keeper did not give a secret; it doubles up to the usual interval.
const FIRST: Duration = Duration::from_secs(1);

/// The secrets that policy names and that are kept elsewhere, or in files that may be written anew.
pub(crate) struct Remote {
    keepers: Keepers,
    every: Duration,
    keep: Duration,
    known: Mutex<HashMap<Credential, Known>>,
    /// Something is due sooner than it was.
    sooner: Notify,
}

/// What is known of one.
struct Known {
    /// The last good value, and when it was.
    good: Option<(Value, Instant)>,
    /// When it is asked for again.
    due: Instant,
    /// When a vendor's refusal last made it be asked for.
    refused: Option<Instant>,
    /// The pause after the last question, while questions fail.
    failing: Option<Duration>,
}

/// What a question changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Another value is in force, or none any more.
    Changed,
    /// All is as it was.
    Same,
}

impl Remote {
    /// Nothing fetched yet.
    ///
    /// # Errors
    /// What of the configuration is of no use.
    pub(crate) fn of(config: &config::Secrets) -> Result<Self, Unfit> {
        Ok(Self::with(Keepers::of(config)?, config))
    }

    fn with(keepers: Keepers, config: &config::Secrets) -> Self {
        Self {
            keepers,
            every: Duration::from_secs(config.refresh_seconds),
            keep: Duration::from_secs(config.keep_seconds),
            known: Mutex::default(),
            sooner: Notify::new(),
        }
    }

    /// Whether a credential may become another while the same policy is in force: what is kept elsewhere, and what is in a file.
    pub(crate) fn keeps(credential: &Credential) -> bool {
        Self::fetches(credential) || matches!(credential, Credential::File(_))
    }

    /// Whether a credential is one that is kept elsewhere, so that it comes after the policy that names it.
    pub(crate) fn fetches(credential: &Credential) -> bool {
        matches!(credential, Credential::Vault(_) | Credential::Aws(_))
    }

    /// Says which are named now: those that are new are asked for at once, those that are gone are let go.
    pub(crate) fn want(&self, named: &HashSet<Credential>) {
        let mut known = self.known.lock();
        known.retain(|reference, _| named.contains(reference));
        for reference in named.iter().filter(|reference| Self::keeps(reference)) {
            known.entry(reference.clone()).or_insert_with(|| {
                self.sooner.notify_one();
                Known { good: None, due: Instant::now(), refused: None, failing: None }
            });
        }
    }

    /// The value of one, where there is a good one.
    pub(crate) fn open(&self, reference: &Credential) -> Option<Value> {
        self.known.lock().get(reference)?.good.as_ref().map(|(value, _)| value.clone())
    }

    /// A vendor refused it: it may have been changed.
    pub(crate) fn refused(&self, reference: &Credential) {
        let now = Instant::now();
        let mut known = self.known.lock();
        let Some(one) = known.get_mut(reference) else { return };
        let soonest = one.refused.map_or(now, |before| before + REFUSED).max(now);
        if soonest < one.due {
            (one.due, one.refused) = (soonest, Some(soonest));
            self.sooner.notify_one();
        }
    }

    /// Those that are due, and when the next one is.
    fn due(&self, now: Instant) -> (Vec<Credential>, Option<Instant>) {
        let mut known = self.known.lock();
        let mut due = Vec::new();
        for (reference, one) in known.iter_mut().filter(|(_, one)| one.due <= now) {
            // Until the answer is there; then it is said anew.
            one.due = now + self.every;
            due.push(reference.clone());
        }
        (due, known.values().map(|one| one.due).min())
    }

    /// Takes what a keeper answered, and tells the operator where that is worth it.
    fn settle(
        &self,
        reference: &Credential,
        answer: Result<Zeroizing<String>, NotFetched>,
        now: Instant,
    ) -> Settled {
        let mut known = self.known.lock();
        // It is not named any more.
        let Some(one) = known.get_mut(reference) else { return Settled::Same };
        let error = match answer {
            Ok(value) => return one.fetched(reference, value, (now, self.every)),
            Err(error) => error,
        };
        let pause = one.failing.map_or(FIRST, |pause| pause.saturating_mul(2)).min(self.every);
        if one.failing.replace(pause).is_none() {
            tracing::warn!(credential = %reference, %error, "a secret can't be fetched");
        }
        one.due = now + pause;
        let is_over = |since: Instant| now.saturating_duration_since(since) >= self.keep;
        match &one.good {
            Some(_) if error.is_gone() => {
                tracing::error!(credential = %reference, %error, "a secret was taken away and is used no more")
            }
            Some((_, since)) if is_over(*since) => {
                tracing::error!(credential = %reference, %error, "a secret was not confirmed for too long and is used no more");
            }
            _ => return Settled::Same,
        }
        one.good = None;
        Settled::Changed
    }
}

impl Known {
    fn fetched(
        &mut self,
        reference: &Credential,
        value: Zeroizing<String>,
        (now, every): (Instant, Duration),
    ) -> Settled {
        // A tenth more or less, so that nodes that began together do not ask together for ever.
        self.due = now + every.mul_f64(0.9) + jitter(every.mul_f64(0.2));
        if self.failing.take().is_some() {
            tracing::info!(credential = %reference, "a secret is fetched again");
        }
        let same =
            self.good.as_ref().filter(|(before, _)| **before == value).map(|(before, _)| before.clone());
        let settled = if same.is_some() { Settled::Same } else { Settled::Changed };
        if settled == Settled::Changed && self.good.is_some() {
            tracing::info!(credential = %reference, "a secret was changed");
        }
        self.good = Some((same.unwrap_or_else(|| Arc::new(value)), now));
        settled
    }
}

#[cfg(test)]
mod tests;
