//! Where the counters lie: maps behind locks, chosen by the hash of a line.
//!
//! Memory is bounded by what is in use: when a map has doubled, the counters that are idle in it are forgotten.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use parking_lot::{Mutex, MutexGuard};

use crate::quota::{
    cell::{Cell, Level},
    hold::Standing,
    line::Line,
};

/// A power of two, many times the threads there will be.
const SHARDS: usize = 256;

/// Counters in a shard below which nobody looks for idle ones.
const FEW: usize = 64;

#[derive(Debug)]
pub(super) struct Shards(Box<[Mutex<Shard>]>);

/// Counters behind one lock; on cache lines of their own, so that shards do not slow each other down.
#[derive(Debug)]
#[repr(align(64))]
struct Shard {
    cells: HashMap<Line, Cell, BuildHasherDefault<Spread>>,
    /// When there are so many, it is time to look for idle ones.
    crowded: usize,
}

/// The shards of some lines, locked.
pub(super) struct Locked<'a>(Vec<(usize, MutexGuard<'a, Shard>)>);

/// Passes on the hash that a line brings along.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The shard of a line; of bits that the maps look at last.
fn shard(line: &Line) -> usize {
    usize::try_from(line.place() >> 40).unwrap_or(0) % SHARDS
}

impl Shards {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(Shard::new())).collect())
    }

    /// Locks the shards of all lines, each once and in ascending order.
    pub(super) fn lock<'a>(&'a self, lines: &[Line], more: &[Line]) -> Locked<'a> {
        let mut locked = Vec::with_capacity(lines.len().saturating_add(more.len()));
        let mut from = 0;
        while let Some(next) = lines.iter().chain(more).map(shard).filter(|index| *index >= from).min() {
            if let Some(shard) = self.0.get(next) {
                locked.push((next, shard.lock()));
            }
            from = next.saturating_add(1);
        }
        Locked(locked)
    }

    /// Runs `step` on the counter of one line.
    pub(super) fn with<T>(&self, line: &Line, now: i64, step: impl FnOnce(&mut Cell) -> T) -> T {
        match self.0.get(shard(line)) {
            Some(shard) => shard.lock().with(line, now, step),
            None => step(&mut Cell::fresh(&line.limit.bound, now)),
        }
    }

    /// Sets every counter to a clock that is sure of the time, and forgets those that are idle.
    pub(super) fn sweep(&self, now: i64) {
        for shard in &self.0 {
            let mut shard = shard.lock();
            shard.cells.values_mut().for_each(|cell| cell.set_back(now));
            shard.reclaim(now);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().cells.len()).sum()
    }
}

impl Locked<'_> {
    /// Runs `step` on the counter of a line, one of those that were locked.
    pub(super) fn with<T>(&mut self, line: &Line, now: i64, step: impl FnOnce(&mut Cell) -> T) -> T {
        let index = shard(line);
        match self.0.iter_mut().find(|(locked, _)| *locked == index) {
            Some((_, shard)) => shard.with(line, now, step),
            None => step(&mut Cell::fresh(&line.limit.bound, now)),
        }
    }

    /// How the limits stand; looking changes nothing.
    pub(super) fn standings(&self, lines: &[Line], now: i64) -> Vec<Standing> {
        lines.iter().map(|line| Standing::new(&line.limit, self.level(line, now))).collect()
    }

    fn level(&self, line: &Line, now: i64) -> Level {
        let index = shard(line);
        let bound = &line.limit.bound;
        let found = self.0.iter().find(|(locked, _)| *locked == index);
        let mut cell = found
            .and_then(|(_, shard)| shard.cells.get(line).copied())
            .unwrap_or_else(|| Cell::fresh(bound, now));
        cell.advance(bound, now);
        cell.level(bound, now)
    }
}

impl Shard {
    fn new() -> Self {
        Self { cells: HashMap::default(), crowded: FEW }
    }

    fn with<T>(&mut self, line: &Line, now: i64, step: impl FnOnce(&mut Cell) -> T) -> T {
        if let Some(cell) = self.cells.get_mut(line) {
            return step(cell);
        }
        let mut cell = Cell::fresh(&line.limit.bound, now);
        let answer = step(&mut cell);
        if !cell.is_idle(now) {
            if self.cells.len() >= self.crowded {
                self.reclaim(now);
            }
            self.cells.insert(line.clone(), cell);
        }
        answer
    }

    fn reclaim(&mut self, now: i64) {
        self.cells.retain(|_, cell| !cell.is_idle(now));
        self.crowded = self.cells.len().saturating_mul(2).max(FEW);
        self.cells.shrink_to(self.crowded);
    }
}
