//! What the control plane says of retention: what is held, and of which segments the lines are to go.
//!
//! Law: what is held is known only while somebody is followed who says so: before, and after, everything is held. What was said on one
//! stream is not known on the next. Absent on purpose: removing anything (`ship`).

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use proto::sync::{PruneSegments, SegmentsPruned};
use tokio::sync::watch;

use crate::captured::{Holds, Named};

/// Segments that are kept in mind at most: of others it is said again.
const GOING: usize = 4_096;

/// Segments that are told of in one message.
const MOST: usize = 256;

/// The hash of a manifest.
pub(crate) type Hash = Vec<u8>;

/// A segment whose lines are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Going {
    /// The hash of its manifest.
    pub(crate) hash: Hash,
    /// The node that wrote it.
    pub(crate) node: String,
    /// The process that wrote it.
    pub(crate) boot_id: String,
    /// The number of its first record.
    pub(crate) first_seq: u64,
}

/// What was said.
#[derive(Debug)]
pub(crate) struct Retained {
    said: Mutex<Said>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Said {
    /// `None`: nothing was said of holds.
    held: Option<Held>,
    going: BTreeMap<Hash, Going>,
    gone: BTreeSet<Hash>,
}

#[derive(Debug)]
struct Held {
    everything: bool,
    tenants: BTreeSet<String>,
}

impl Default for Retained {
    fn default() -> Self {
        Self { said: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Retained {
    /// A stream begins, or has ended: nothing is known.
    pub(crate) fn forget(&self) {
        *self.said.lock() = Said::default();
        self.stir();
    }

    /// Takes in which holds stand.
    pub(crate) fn hold(&self, said: proto::sync::Holds) {
        let held = Held { everything: said.everything, tenants: said.tenants.into_iter().collect() };
        self.said.lock().held = Some(held);
        self.stir();
    }

    /// Takes in which segments' lines are to go.
    pub(crate) fn go(&self, said: PruneSegments) {
        let mut known = self.said.lock();
        for segment in said.segments {
            let (hash, first_seq) = (segment.manifest_hash, segment.first_seq);
            if known.going.len() < GOING || known.going.contains_key(&hash) {
                let (node, boot_id) = (segment.node, segment.boot_id);
                known.going.insert(hash.clone(), Going { hash, node, boot_id, first_seq });
            }
        }
        drop(known);
        self.stir();
    }

    /// Whether lines of segments may go now: holds are known, and none stands, for a segment has records of many.
    pub(crate) fn may_go(&self) -> bool {
        self.said.lock().held.as_ref().is_some_and(|held| !held.everything && held.tenants.is_empty())
    }

    /// The segments whose lines are to go.
    pub(crate) fn to_go(&self) -> Vec<Going> {
        self.said.lock().going.values().cloned().collect()
    }

    /// There is nothing more to do of a segment here; where its lines are gone, that is told.
    pub(crate) fn settle(&self, going: &Going, gone: bool) {
        let mut said = self.said.lock();
        let was_asked = said.going.remove(&going.hash).is_some();
        if gone && was_asked {
            said.gone.insert(going.hash.clone());
        }
        drop(said);
        if gone {
            self.stir();
        }
    }

    /// Follows what changes.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells of lines that are gone, as they go.
    pub(crate) async fn report<F: Future<Output = ()>>(&self, say: impl Fn(SegmentsPruned) -> F) {
        let mut changed = self.follow();
        loop {
            changed.borrow_and_update();
            loop {
                let manifest_hashes = self.next();
                if manifest_hashes.is_empty() {
                    break;
                }
                say(SegmentsPruned { manifest_hashes }).await;
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn next(&self) -> Vec<Hash> {
        let mut said = self.said.lock();
        let first: Vec<Hash> = said.gone.iter().take(MOST).cloned().collect();
        for hash in &first {
            said.gone.remove(hash);
        }
        first
    }

    fn stir(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

impl Holds for Retained {
    fn is_held(&self, file: &Named) -> bool {
        let said = self.said.lock();
        said.held.as_ref().is_none_or(|held| held.everything || held.tenants.contains(file.tenant.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Instant;
    use proto::sync::PrunedSegment;

    use super::*;

    #[test]
    fn everything_is_held_until_somebody_says_what_is() {
        let retained = Retained::default();
        let is_held =
            |tenant: &str| retained.is_held(&Named { tenant: tenant.parse().unwrap(), until: Instant(0) });
        assert!(is_held("acme"));
        let say = |everything: bool, tenants: &[&str]| {
            let tenants = tenants.iter().map(|&tenant| tenant.to_owned()).collect();
            retained.hold(proto::sync::Holds { everything, tenants });
        };
        say(false, &[]);
        assert!(!is_held("acme"));
        say(false, &["acme"]);
        assert!(is_held("acme") && !is_held("rival"));
        say(true, &[]);
        assert!(is_held("rival"));
        say(false, &[]);
        retained.forget();
        assert!(is_held("rival"), "nobody is followed");
    }

    #[tokio::test]
    async fn what_is_gone_is_told_once_and_nothing_of_an_earlier_stream() {
        let retained = Retained::default();
        let segment = |number: u8| PrunedSegment { manifest_hash: vec![number; 32], ..Default::default() };
        retained.go(PruneSegments { segments: vec![segment(1), segment(2), segment(3)] });
        let all = retained.to_go();
        assert_eq!(all.len(), 3);
        retained.settle(&all[0], true);
        retained.settle(&all[1], false);
        assert_eq!(
            (retained.to_go(), retained.next(), retained.next()),
            (vec![all[2].clone()], vec![vec![1; 32]], vec![])
        );
        retained.forget();
        retained.settle(&all[2], true);
        assert_eq!((retained.to_go(), retained.next()), (vec![], vec![]));
        let many = (0..5_000_u32).map(|number| PrunedSegment {
            manifest_hash: number.to_be_bytes().to_vec(),
            ..Default::default()
        });
        retained.go(PruneSegments { segments: many.collect() });
        assert_eq!(retained.to_go().len(), GOING);
    }
}
