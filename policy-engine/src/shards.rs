//! A hash map in shards that copies share.
//!
//! Law: the shard of a key is the same on every machine, so that a change to a copy costs one shard.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Shards of a map.
const SHARDS: usize = 256;

/// A map in shards.
#[derive(Debug, Clone)]
pub(crate) struct Shards<K, V>(Box<[Arc<HashMap<K, V>>]>);

impl<K: Hash + Eq, V> Shards<K, V> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(shard_of(key))?.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.len()).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|shard| shard.iter())
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.0.get_mut(shard_of(&key))?;
        Arc::make_mut(shard).insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let shard = self.0.get_mut(shard_of(key)).filter(|shard| shard.contains_key(key))?;
        Arc::make_mut(shard).remove(key)
    }

    /// What is at a key, made if there is nothing yet.
    pub(crate) fn entry(&mut self, key: K) -> Option<&mut V>
    where
        V: Default,
    {
        let shard = self.0.get_mut(shard_of(&key))?;
        Some(Arc::make_mut(shard).entry(key).or_default())
    }

    /// What is at a key, to be changed.
    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let shard = self.0.get_mut(shard_of(key)).filter(|shard| shard.contains_key(key))?;
        Arc::make_mut(shard).get_mut(key)
    }
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Arc::new(HashMap::new())).collect())
    }
}

fn shard_of<Q: Hash + ?Sized>(key: &Q) -> usize {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    (hasher.finish() % SHARDS as u64) as usize
}

/// FNV-1a.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mix = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 = bytes.iter().fold(self.0, mix);
    }
}
