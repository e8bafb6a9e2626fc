//! Who waits, so that a change wakes them.
//!
//! Law: a seat is taken once a request waits and given back when it ends; taking one locks the shard its task falls to, not all of
//! them, so that connections don't wait for each other, and makes room only where there is none. Deliberately absent: whose request it is:
//! who is woken looks for itself.

use std::task::Waker;

use parking_lot::Mutex;

/// Shards; more than threads that serve, so that two seldom meet in one.
const SHARDS: usize = 64;

/// Who waits.
pub(super) struct Seats {
    shards: [Shard; SHARDS],
}

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// One's place; it must be given back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    shard: usize,
    row: usize,
}

/// The shard of whoever this wakes: of a task's address the bits that differ, mixed, so that no counter is shared.
fn shard_of(waker: &Waker) -> usize {
    let mixed = (waker.data().addr() as u64 >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 58) as usize % SHARDS
}

impl Default for Seats {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()) }
    }
}

impl Seats {
    /// Takes a seat, or moves who sits on it.
    pub(super) fn sit(&self, seat: Option<Seat>, waker: &Waker) -> Seat {
        let shard = match seat {
            Some(seat) => seat.shard,
            None => shard_of(waker),
        };
        let Some(Shard(rows)) = self.shards.get(shard) else { return Seat { shard, row: 0 } };
        let mut rows = rows.lock();
        let row = match seat {
            Some(seat) => seat.row,
            None => rows.free.pop().unwrap_or_else(|| {
                rows.wakers.push(None);
                rows.wakers.len() - 1
            }),
        };
        if let Some(place) = rows.wakers.get_mut(row) {
            *place = Some(waker.clone());
        }
        Seat { shard, row }
    }

    /// Gives a seat back.
    pub(super) fn leave(&self, seat: Seat) {
        let Some(Shard(rows)) = self.shards.get(seat.shard) else { return };
        let mut rows = rows.lock();
        let left = rows.wakers.get_mut(seat.row).and_then(Option::take);
        if left.is_some() {
            rows.free.push(seat.row);
        }
    }

    /// Wakes all; nobody loses a seat by it.
    pub(super) fn wake(&self) {
        for Shard(rows) in &self.shards {
            // Whoever is woken may come back for this very shard: it is free by then.
            let wakers: Vec<Waker> = rows.lock().wakers.iter().flatten().cloned().collect();
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// How many sit.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.shards.iter().map(|Shard(rows)| rows.lock().wakers.iter().flatten().count()).sum()
    }
}
