//! What the last revisions changed, for whoever follows and missed some of them.
//!
//! Law: what is given is complete, or nothing is given. Absent on purpose: history, which is the store's.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use policy_engine::Change;

/// Revisions that are remembered.
const REVISIONS: usize = 256;

/// The changes of the last revisions, the newest last.
#[derive(Debug, Default)]
pub(super) struct Trail(Mutex<VecDeque<(i64, Arc<[Change]>)>>);

impl Trail {
    /// A revision changed these.
    pub(super) fn leave(&self, revision: i64, changes: Vec<Change>) {
        let mut trail = self.0.lock();
        trail.push_back((revision, changes.into()));
        let surplus = trail.len().saturating_sub(REVISIONS);
        trail.drain(..surplus);
    }

    /// Everything that changed after a revision, up to another, each once; `None` where a revision between is not remembered.
    pub(super) fn since(&self, after: i64, to: i64) -> Option<Vec<Change>> {
        let trail = self.0.lock();
        let between = trail.iter().filter(|(revision, _)| *revision > after && *revision <= to);
        let (mut count, mut found) = (0, BTreeSet::new());
        for (_, changes) in between {
            count += 1;
            found.extend(changes.iter().cloned());
        }
        (count == to.saturating_sub(after)).then(|| found.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::{Id, Kind};

    use super::*;

    fn change(name: &str) -> Change {
        Change { kind: Kind::Role, id: Id::platform(name.parse().unwrap()) }
    }

    #[test]
    fn it_is_complete_or_nothing() {
        let trail = Trail::default();
        assert_eq!(trail.since(7, 7), Some(vec![]));
        assert_eq!(trail.since(7, 8), None);
        trail.leave(8, vec![change("b"), change("a")]);
        trail.leave(9, vec![change("b")]);
        assert_eq!(trail.since(7, 9), Some(vec![change("a"), change("b")]));
        assert_eq!(trail.since(8, 9), Some(vec![change("b")]));
        assert_eq!(trail.since(6, 9), None);
        for revision in 10..10 + 256 {
            trail.leave(revision, vec![]);
        }
        assert_eq!(trail.since(8, 9), None);
    }
}
