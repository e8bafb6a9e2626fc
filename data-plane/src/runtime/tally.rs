//! What became of the requests that each snapshot judged, and how many runtimes are in memory.
//!
//! Law: a request counts once, when it ends, for the snapshot it was judged by: a revision may be two, one a line of succession. What
//! stands above every snapshot (a kill, a key that was taken back, the age of the policy, the end of the process) is held against none:
//! a request that was refused by it does not count. Only the newest are remembered. A runtime that nobody holds any more is gone: one
//! that stays shows in [`Revisions::alive`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use proto::code::ErrorCode;
use proto::sync::{CodeTally, RevisionTally};

use super::Runtime;
use crate::policy::Version;

/// Snapshots that are remembered.
const REMEMBERED: usize = 8;

/// What became of the requests that one snapshot judged.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    errors: AtomicU64,
    denials: AtomicU64,
    /// What policy and limits refused, by code.
    refusals: Mutex<BTreeMap<ErrorCode, u64>>,
}

impl Tally {
    /// A request ended, with this code where it was not answered.
    pub(crate) fn count(&self, code: Option<ErrorCode>) {
        if code.is_some_and(is_above) {
            return;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Some(code) = code else { return };
        if code.is_denial() || code.is_of_limits() {
            let mut refusals = self.refusals.lock();
            let count = refusals.entry(code).or_default();
            *count = count.saturating_add(1);
        }
        if code.is_denial() {
            self.denials.fetch_add(1, Ordering::Relaxed);
        } else if is_error(code) {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn told(&self, version: &Version) -> RevisionTally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RevisionTally {
            revision: version.revision,
            requests: read(&self.requests),
            errors: read(&self.errors),
            denials: read(&self.denials),
            digest: version.digest.to_vec(),
            refusals: self.refusals.lock().iter().map(told).collect(),
        }
    }
}

fn told((code, requests): (&ErrorCode, &u64)) -> CodeTally {
    CodeTally { code: code.as_str().to_owned(), requests: *requests }
}

/// Whether it was refused by something that no snapshot says, so that its refusal tells nothing of one.
fn is_above(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SwitchedOff
            | ErrorCode::KeyRevoked
            | ErrorCode::AuthStale
            | ErrorCode::RulesStale
            | ErrorCode::PolicyUnavailable
            | ErrorCode::ShuttingDown
    )
}

/// Whether it failed for a reason that is not the caller's: a deadline of its own is.
fn is_error(code: ErrorCode) -> bool {
    code.row().http.is_server_error() && code != ErrorCode::DeadlineExceeded
}

/// The snapshots a node judged by.
#[derive(Default)]
pub(crate) struct Revisions(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// The newest last.
    tallies: Vec<(Version, Arc<Tally>)>,
    runtimes: Vec<Weak<Runtime>>,
}

impl Revisions {
    /// A runtime is put in force.
    pub(crate) fn begin(&self, runtime: &Arc<Runtime>) {
        let mut held = self.0.lock();
        held.runtimes.retain(|runtime| runtime.strong_count() > 0);
        held.runtimes.push(Arc::downgrade(runtime));
        let version = runtime.version;
        // The numbers of an earlier epoch may be given again, to something else.
        held.tallies.retain(|(known, _)| known.epoch == version.epoch && *known != version);
        held.tallies.push((version, runtime.tally().clone()));
        let surplus = held.tallies.len().saturating_sub(REMEMBERED);
        held.tallies.drain(..surplus);
    }

    /// A request ended that a snapshot judged which is not in force any more.
    pub(crate) fn count(&self, version: &Version, code: Option<ErrorCode>) {
        let tally = self.0.lock().tallies.iter().find(|(known, _)| known == version).map(|(_, t)| t.clone());
        if let Some(tally) = tally {
            tally.count(code);
        }
    }

    /// Runtimes in memory: the one in force, and each older one that a request still holds.
    pub(crate) fn alive(&self) -> usize {
        self.0.lock().runtimes.iter().filter(|runtime| runtime.strong_count() > 0).count()
    }

    /// What became of the requests of the newest snapshots, the newest first.
    pub(crate) fn told(&self) -> Vec<RevisionTally> {
        self.0.lock().tallies.iter().rev().map(|(version, tally)| tally.told(version)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_callers_own_is_no_error_and_no_denial() {
        let tally = Tally::default();
        for code in [
            None,
            Some(ErrorCode::InvalidRequest),
            Some(ErrorCode::InvalidApiKey),
            Some(ErrorCode::RateLimitExceeded),
            Some(ErrorCode::DeadlineExceeded),
            Some(ErrorCode::Cancelled),
            Some(ErrorCode::UpstreamRejected),
        ] {
            tally.count(code);
        }
        let version = Version { epoch: 1, revision: 3, digest: [9; 32] };
        let told = |[requests, errors, denials]: [u64; 3], codes: &[ErrorCode]| {
            let one = |code: &ErrorCode| CodeTally { code: code.to_string(), requests: 1 };
            let (digest, refusals) = (version.digest.to_vec(), codes.iter().map(one).collect());
            RevisionTally { revision: 3, requests, errors, denials, digest, refusals }
        };
        let limit = ErrorCode::RateLimitExceeded;
        assert_eq!(tally.told(&version), told([7, 0, 0], &[limit]));
        for code in [ErrorCode::UpstreamError, ErrorCode::Internal, ErrorCode::UpstreamCredential] {
            tally.count(Some(code));
        }
        for code in [ErrorCode::RuleForbids, ErrorCode::ModelNotFound, ErrorCode::NotEntitled] {
            tally.count(Some(code));
        }
        // What policy and limits refused is told by code, so that what the callers did themselves can be told from the rest.
        let codes = [ErrorCode::ModelNotFound, ErrorCode::NotEntitled, ErrorCode::RuleForbids, limit];
        assert_eq!(tally.told(&version), told([13, 3, 3], &codes));
        // What stands above every snapshot says nothing of one.
        for code in [
            ErrorCode::SwitchedOff,
            ErrorCode::KeyRevoked,
            ErrorCode::AuthStale,
            ErrorCode::RulesStale,
            ErrorCode::PolicyUnavailable,
            ErrorCode::ShuttingDown,
        ] {
            tally.count(Some(code));
        }
        assert_eq!(tally.told(&version), told([13, 3, 3], &codes));
    }

    #[test]
    fn an_epoch_that_gives_numbers_again_counts_anew() {
        let house = crate::house::House::new(|_| ());
        let facts = crate::house::world::facts();
        house.enforce(20, &facts);
        let told =
            || -> Vec<i64> { house.node.revisions.told().iter().map(|tally| tally.revision).collect() };
        assert_eq!(told().first(), Some(&20));
        let mut runtime = Arc::into_inner(house.node.runtime.swap(None).unwrap()).unwrap();
        runtime.version = Version { epoch: 2, revision: 12, ..runtime.version };
        house.node.enforce(Arc::new(runtime));
        assert_eq!(told(), [12]);
        house.close();
    }
}
