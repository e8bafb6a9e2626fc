//! An ordered map whose copies share what they have in common.
//!
//! Law: it is what a `BTreeMap` with the same entries is; a copy costs nothing, and a change to a copy one chunk and the list of
//! chunks. Sorted chunks behind `Arc` and no tree of them: to walk and to look up is as fast as in a `BTreeMap`, which compiling
//! and projecting want more than a change in logarithmic time.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Index;
use std::slice;
use std::sync::Arc;

/// Entries of a chunk at most.
const FULL: usize = 256;

/// Entries of a chunk of a map that is made at once, so that the next few find room.
const FILLED: usize = 192;

type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// An ordered map. Cloning it is free; changing a clone costs a few hundred entries, whatever its size.
pub struct Map<K, V> {
    /// INVARIANT: none is empty, and keys ascend within a chunk and from one to the next.
    chunks: Arc<Vec<Chunk<K, V>>>,
    length: usize,
}

impl<K: Ord, V> Map<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What is at a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let at = chunk.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        chunk.get(at).map(|(_, value)| value)
    }

    /// Whether there is something at a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Every entry, in the order of the keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { chunks: self.chunks.iter(), here: [].iter() }
    }

    /// Every key, ascending.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Every value, in the order of the keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries from the first key on that is not `before` what is looked for; `before` is true of the first keys only.
    pub fn after(&self, before: impl Fn(&K) -> bool) -> Iter<'_, K, V> {
        let begins = |chunk: &Chunk<K, V>| chunk.last().is_some_and(|(key, _)| before(key));
        let from = self.chunks.partition_point(begins);
        let mut chunks = self.chunks.get(from..).unwrap_or_default().iter();
        let here = chunks.next().map_or(&[][..], |chunk| chunk);
        let at = here.partition_point(|(key, _)| before(key));
        Iter { chunks, here: here.get(at..).unwrap_or_default().iter() }
    }

    /// The last entry before a key.
    pub fn before(&self, key: &K) -> Option<(&K, &V)> {
        let begins = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|(first, _)| first < key);
        let chunk = self.chunks.get(self.chunks.partition_point(begins).checked_sub(1)?)?;
        let at = chunk.partition_point(|(known, _)| known < key).checked_sub(1)?;
        chunk.get(at).map(|(key, value)| (key, value))
    }

    /// The entries of chunks that `other` does not share.
    pub(super) fn unshared<'m>(
        &'m self,
        other: &Self,
    ) -> impl Iterator<Item = (&'m K, &'m V)> + use<'m, K, V> {
        let theirs: HashSet<*const Vec<(K, V)>> = match Arc::ptr_eq(&self.chunks, &other.chunks) {
            true => HashSet::new(),
            false => other.chunks.iter().map(Arc::as_ptr).collect(),
        };
        let mine = if Arc::ptr_eq(&self.chunks, &other.chunks) { &[][..] } else { &self.chunks };
        let mine = mine.iter().filter(move |chunk| !theirs.contains(&Arc::as_ptr(chunk)));
        mine.flat_map(|chunk| chunk.iter()).map(|(key, value)| (key, value))
    }

    /// The chunk that has a key, or would have it.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let begun = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|(first, _)| first.borrow() <= key);
        self.chunks.partition_point(begun).saturating_sub(1)
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// Puts a value at a key and gives what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let at = self.chunk_of(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let last = at + 1 >= chunks.len();
        let Some(chunk) = chunks.get_mut(at).map(Arc::make_mut) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.length = 1;
            return None;
        };
        let place = match chunk.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(found) => return chunk.get_mut(found).map(|(_, held)| std::mem::replace(held, value)),
            Err(place) => place,
        };
        self.length += 1;
        if chunk.len() < FULL {
            chunk.insert(place, (key, value));
            return None;
        }
        // What is filled in ascending order leaves full chunks behind.
        let kept = if last && place == chunk.len() { place } else { chunk.len() / 2 };
        let mut rest = chunk.split_off(kept);
        match place.checked_sub(kept) {
            Some(place) => rest.insert(place, (key, value)),
            None => chunk.insert(place, (key, value)),
        }
        chunks.insert(at + 1, Arc::new(rest));
        None
    }

    /// Takes out what is at a key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.chunk_of(key);
        let place = self.chunks.get(at)?.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let (_, value) = chunk.remove(place);
        if chunk.is_empty() {
            chunks.remove(at);
        }
        self.length -= 1;
        Some(value)
    }

    /// What is at a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.chunk_of(key);
        let place = self.chunks.get(at)?.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
        chunk.get_mut(place).map(|(_, value)| value)
    }

    /// Every value, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let chunks = Arc::make_mut(&mut self.chunks).iter_mut();
        chunks.flat_map(Arc::make_mut).map(|(_, value)| value)
    }

    /// Keeps the entries that are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&K, &V) -> bool) {
        let kept = self.iter().filter(|(key, value)| wanted(key, value));
        *self = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    }

    /// Takes out everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for Map<K, V> {
    type Output = V;
    #[expect(
        clippy::expect_used,
        reason = "as in the maps of std: who indexes by a key says that it is there"
    )]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("no entry for this key")
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), length: self.length }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), length: 0 }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
            || self.length == other.length && self.iter().eq(other.iter())
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    /// Of entries with the same key the last stays.
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut all: Vec<(K, V)> = entries.into_iter().collect();
        if !all.is_sorted_by(|one, next| one.0 < next.0) {
            all.sort_by(|one, next| one.0.cmp(&next.0));
            all.dedup_by(|next, one| {
                let same = next.0 == one.0;
                if same {
                    std::mem::swap(next, one);
                }
                same
            });
        }
        let (length, mut chunks, mut rest) = (all.len(), Vec::new(), all.into_iter());
        while rest.len() > 0 {
            chunks.push(Arc::new(rest.by_ref().take(FILLED).collect()));
        }
        Self { chunks: Arc::new(chunks), length }
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for Map<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, entries: T) {
        entries.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

impl<'m, K: Ord, V> IntoIterator for &'m Map<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = Iter<'m, K, V>;
    fn into_iter(self) -> Iter<'m, K, V> {
        self.iter()
    }
}

/// Entries in the order of their keys.
#[derive(Debug)]
pub struct Iter<'m, K, V> {
    chunks: slice::Iter<'m, Chunk<K, V>>,
    here: slice::Iter<'m, (K, V)>,
}

impl<'m, K, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.here.next() {
                return Some((key, value));
            }
            self.here = self.chunks.next()?.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Numbers close together, so that chunks fill, split and empty; copies on the way stay what they were.
        #[test]
        fn it_is_what_a_btree_map_is(acts in prop::collection::vec((0..6_u8, 0..900_u16), 1..3_000)) {
            let (mut map, mut model) = (Map::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (n, (act, key)) in acts.into_iter().enumerate() {
                match act {
                    0..4 => prop_assert_eq!(map.insert(key, n), model.insert(key, n)),
                    4 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    _ => prop_assert_eq!(map.get_mut(&key).map(|held| *held += 1), model.get_mut(&key).map(|held| *held += 1)),
                }
                prop_assert_eq!((map.get(&key), map.len()), (model.get(&key), model.len()));
                if n % 500 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
            }
            copies.push((model.clone().into_iter().collect(), model));
            for (map, model) in &copies {
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.after(|key| *key < 450).eq(model.range(450..)));
                for key in [0, 1, 450, 899] {
                    prop_assert_eq!(map.before(&key), model.range(..key).next_back());
                }
            }
        }

        #[test]
        fn of_one_key_the_last_entry_stays(entries in prop::collection::vec((0..20_u8, any::<u8>()), 0..60)) {
            let (map, model): (Map<_, _>, BTreeMap<_, _>) = (entries.iter().copied().collect(), entries.into_iter().collect());
            prop_assert!(map.iter().eq(model.iter()));
        }
    }
}
