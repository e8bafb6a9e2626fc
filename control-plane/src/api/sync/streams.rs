//! The streams that are open, by node.
//!
//! Law: one node has a few streams at most: its own, the one before it that nobody saw end, and as much again for a second
//! process of its name. Beyond that the oldest ends, so that whoever starts again always gets in, and no certificate is worth
//! more room than these few.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::peer::NodeId;

/// The most streams of one node.
const MOST: usize = 4;

/// By node, the number of each and what ends it, oldest first.
type Open = HashMap<String, VecDeque<(u64, CancellationToken)>>;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Streams {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<Open>,
    begun: AtomicU64,
}

/// A stream while it is open; dropped, it has ended.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    node: String,
    number: u64,
    /// Cancelled once the node has opened too many newer ones.
    pub(super) crowded_out: CancellationToken,
}

impl Streams {
    /// Opens one more of a node. Where that is too many, its oldest is told to end, and counts no more.
    pub(super) fn open(&self, node: &NodeId) -> Place {
        let number = self.shared.begun.fetch_add(1, Ordering::Relaxed);
        let (node, crowded_out) = (node.spiffe_id(), CancellationToken::new());
        let mut open = self.shared.open.lock();
        let here = open.entry(node.clone()).or_default();
        here.push_back((number, crowded_out.clone()));
        let surplus = here.len().saturating_sub(MOST);
        here.drain(..surplus).for_each(|(_, oldest)| oldest.cancel());
        drop(open);
        Place { shared: self.shared.clone(), node, number, crowded_out }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock();
        let Some(here) = open.get_mut(&self.node) else { return };
        here.retain(|(number, _)| *number != self.number);
        if here.is_empty() {
            open.remove(&self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_streams_of_a_node_the_oldest_ends() {
        let node = |geo: &str| NodeId { geo: geo.parse().unwrap(), name: "a".parse().unwrap() };
        let streams = Streams::default();
        let elsewhere = streams.open(&node("us"));
        let mut all: Vec<Place> = (0..MOST).map(|_| streams.open(&node("eu"))).collect();
        let ended = |all: &[Place]| all.iter().filter(|place| place.crowded_out.is_cancelled()).count();
        assert_eq!(ended(&all), 0);
        all.push(streams.open(&node("eu")));
        assert!(all[0].crowded_out.is_cancelled() && ended(&all) == 1);
        // Its end makes no room, that of another does.
        all.remove(0);
        all.remove(1);
        all.push(streams.open(&node("eu")));
        assert_eq!(ended(&all), 0);
        all.push(streams.open(&node("eu")));
        assert!(all[0].crowded_out.is_cancelled() && ended(&all) == 1);
        assert!(!elsewhere.crowded_out.is_cancelled(), "another node's are its own");
        drop((all, elsewhere));
        assert!(streams.shared.open.lock().is_empty(), "who is gone leaves nothing");
    }
}
