//! Which API keys were taken back, as nodes are told at once, above any snapshot.
//!
//! Law: the newest are kept in an index that each publication carries on, so that no publication walks all keys; what the index has no
//! room for is in snapshots. A key is told by a digest of its public id, which says nothing to who does not have it. Deliberately
//! absent: signing and sending (`api::sync`).

use std::cmp::Reverse;
use std::sync::Arc;

use policy_engine::facts::{Facts, Geos, Key};
use policy_engine::vocabulary::{Geo, Id, Kind, Name};
use proto::sync::{RevocationSet, Scope};

use crate::registry::{Registry, sha256};
use crate::store::{Head, Written};

/// Keys a statement holds at most.
const MOST: usize = 4_096;

/// The keys that were taken back last.
#[derive(Debug, Clone, Default)]
pub struct Revoked {
    /// The newest first; of one revision, in the order of digests.
    newest: Vec<One>,
    /// The revision of the newest that is left out; 0 where none is.
    left_out: i64,
}

#[derive(Debug, Clone)]
struct One {
    revision: i64,
    key: [u8; 16],
    /// The only geos it ever worked in; empty: every geo.
    geos: Geos,
}

impl One {
    fn of(public_id: &Name, key: &Key, revision: i64) -> Self {
        let digest = sha256(public_id.as_str().as_bytes());
        Self { revision, key: digest.first_chunk().copied().unwrap_or_default(), geos: key.geos.clone() }
    }
}

impl Revoked {
    /// All of a registry's: the one walk over all keys, when a store is opened.
    pub(crate) fn of(registry: &Registry, facts: &Facts) -> Self {
        let revoked = facts.keys.iter().filter(|(_, key)| key.revoked).map(|(public_id, key)| {
            let id = Id { tenant: Some(key.tenant.clone()), name: public_id.clone() };
            let platforms = || registry.get(Kind::Key, &Id::platform(public_id.clone()));
            let stored = registry.get(Kind::Key, &id).or_else(platforms);
            One::of(public_id, key, stored.map_or(0, |stored| stored.revision))
        });
        Self { newest: revoked.collect(), left_out: 0 }.settled()
    }

    /// Whether nothing was ever taken back.
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// The revision of the newest, whichever geo it was in; 0 before the first.
    pub(crate) fn seq(&self) -> u64 {
        u64::try_from(self.newest.first().map_or(0, |one| one.revision)).unwrap_or_default()
    }

    /// The same after a publication.
    pub(crate) fn after(self: &Arc<Self>, written: &[Written], facts: &Facts, revision: i64) -> Arc<Self> {
        let keys = written.iter().filter(|w| w.kind == Kind::Key.as_str() && w.after.is_some());
        let revoked = keys.filter_map(|w| {
            let public_id = Name::new(&w.name).ok()?;
            let key = facts.keys.get(&public_id).filter(|key| key.revoked)?;
            Some(One::of(&public_id, key, revision))
        });
        let mut newest: Vec<One> = revoked.collect();
        if newest.is_empty() {
            return self.clone();
        }
        newest.extend(self.newest.iter().cloned());
        Arc::new(Self { newest, left_out: self.left_out }.settled())
    }

    /// Each once, the newest first, and no more than there is room for.
    fn settled(mut self) -> Self {
        self.newest.sort_by_key(|one| (one.key, Reverse(one.revision)));
        self.newest.dedup_by_key(|one| one.key);
        self.newest.sort_by_key(|one| (Reverse(one.revision), one.key));
        if let Some(first) = self.newest.get(MOST) {
            self.left_out = self.left_out.max(first.revision);
            self.newest.truncate(MOST);
        }
        self
    }
}

/// What nodes of a geo are to be told of what was taken back at a head or before. The seq is the revision of the newest revocation,
/// whichever geo it was in; 0 before the first.
pub fn revocations(revoked: &Revoked, head: Head, geo: &Geo) -> RevocationSet {
    let here = revoked.newest.iter().filter(|one| one.geos.is_empty() || one.geos.contains(geo));
    let mut keys: Vec<Vec<u8>> = here.map(|one| one.key.to_vec()).collect();
    keys.sort_unstable();
    RevocationSet {
        seq: revoked.seq(),
        epoch: head.epoch,
        scope: Some(Scope { geo: geo.to_string(), node_class: String::new() }),
        base_revision: revoked.left_out,
        keys,
    }
}

#[cfg(test)]
mod tests;
