//! Rows by position, in chunks that copies share.
//!
//! Law: a copy costs a pointer a chunk, and to change a row of a copy costs one chunk; a row is two loads away.

use std::sync::Arc;

/// Rows of a chunk.
const CHUNK: usize = 64;

/// Rows by position.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    /// INVARIANT: each has [`CHUNK`] rows.
    full: Vec<Arc<[T]>>,
    /// The last rows, fewer than a chunk.
    rest: Vec<T>,
}

impl<T> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.rest.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match self.full.get(at / CHUNK) {
            Some(chunk) => chunk.get(at % CHUNK),
            None => self.rest.get(at.checked_sub(self.full.len() * CHUNK)?),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(&self.rest)
    }

    /// Adds a row and gives its position.
    pub(crate) fn push(&mut self, row: T) -> u32 {
        let at = self.len() as u32;
        self.rest.push(row);
        if self.rest.len() == CHUNK {
            self.full.push(std::mem::take(&mut self.rest).into());
        }
        at
    }

    /// The position of the row that compares as equal, where rows ascend.
    pub(crate) fn find(&self, compare: impl Fn(&T) -> std::cmp::Ordering) -> Option<u32> {
        let ends_before = |chunk: &Arc<[T]>| chunk.last().is_some_and(|row| compare(row).is_lt());
        let chunk = self.full.partition_point(ends_before);
        let rows = self.full.get(chunk).map_or(self.rest.as_slice(), |chunk| chunk);
        let at = rows.binary_search_by(compare).ok()?;
        Some((chunk * CHUNK + at) as u32)
    }
}

impl<T: Clone> Table<T> {
    /// A row to be changed.
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let rest = at.checked_sub(self.full.len() * CHUNK);
        match self.full.get_mut(at / CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).get_mut(at % CHUNK),
            None => self.rest.get_mut(rest?),
        }
    }

    /// Puts a row at a position that there is, or adds it where there is none.
    pub(crate) fn put(&mut self, at: Option<u32>, row: T) -> u32 {
        match at.and_then(|at| Some((at, self.get_mut(at as usize)?))) {
            Some((at, held)) => {
                *held = row;
                at
            }
            None => self.push(row),
        }
    }

    /// Puts what is made of rows in their place, where something is; chunks without such a row stay shared.
    pub(crate) fn change(&mut self, mut new: impl FnMut(&T) -> Option<T>) {
        for at in 0..self.len() {
            if let Some(row) = self.get(at).and_then(&mut new)
                && let Some(held) = self.get_mut(at)
            {
                *held = row;
            }
        }
    }

    /// Takes out a row, and lets the last one take its place.
    pub(crate) fn swap_remove(&mut self, at: usize) {
        let last = match self.rest.pop() {
            Some(last) => Some(last),
            None => {
                self.rest = self.full.pop().map_or_else(Vec::new, |chunk| chunk.to_vec());
                self.rest.pop()
            }
        };
        if let (Some(last), Some(held)) = (last, self.get_mut(at)) {
            *held = last;
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { full: Vec::new(), rest: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_vec_is() {
        let (mut table, mut rows) = (Table::default(), Vec::new());
        for n in 0..300_u32 {
            assert_eq!((table.push(n * 2), table.len()), (n, n as usize + 1));
            rows.push(n * 2);
        }
        let copy = table.clone();
        for at in [299, 0, 63, 64, 127, 250, 5] {
            table.swap_remove(at);
            rows.swap_remove(at);
            assert!(table.iter().eq(&rows), "{at}");
        }
        assert_eq!(table.put(Some(70), 9_000), 70);
        assert_eq!(table.get(70), Some(&9_000));
        assert_eq!((table.get(293), table.get(1_000)), (None, None));
        assert!(copy.iter().copied().eq((0..300).map(|n| n * 2)), "a copy stays what it was");
        for wanted in [0, 126, 128, 598, 1, 600] {
            let expected = (wanted % 2 == 0 && wanted < 600).then_some(wanted / 2);
            assert_eq!(copy.find(|row| row.cmp(&wanted)), expected, "{wanted}");
        }
    }
}
