//! The board on which each simulated node notes how far it is.

use std::time::Instant;

use parking_lot::Mutex;

/// When something happened.
pub(crate) type At = Instant;

/// How far one node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) revision: i64,
    pub(super) at: At,
    pub(super) bytes: u64,
    /// The head it last heard of, on its present stream.
    pub(super) confirmed: i64,
    pub(super) confirmed_at: At,
}

/// How far every node is.
pub(crate) struct Board(pub(super) Mutex<Vec<Place>>);

impl Board {
    /// A node enforces a revision, which came as so many bytes.
    pub(crate) fn applied(&self, node: usize, revision: i64, bytes: u64) {
        if let Some(place) = self.0.lock().get_mut(node) {
            (place.revision, place.at, place.bytes) = (revision, Instant::now(), bytes);
        }
    }

    /// A node heard how far the head is.
    pub(crate) fn confirmed(&self, node: usize, revision: i64) {
        if let Some(place) = self.0.lock().get_mut(node)
            && place.confirmed < revision
        {
            (place.confirmed, place.confirmed_at) = (revision, Instant::now());
        }
    }
}
