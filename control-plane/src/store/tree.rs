//! The Merkle tree over the audit events, a row for each full subtree, so that any root and proof of the past is a few rows.
//!
//! Law: it grows in the transaction that logs an event; a log that was written before there was a tree is given its own when it is
//! opened. Event `seq` is leaf `seq - 1`. Absent on purpose: what a proof consists of, which `proto::tree` says.

use futures_util::TryStreamExt as _;
use proto::tree::{Full, Hash, Range, consistency, fold, inclusion, node};
use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, digest};

/// The log as it was at a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many events.
    pub size: u64,
    /// The root over their hashes.
    pub root: Hash,
}

impl Store {
    /// How many events there are.
    pub async fn audit_size(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(seq), 0) AS size FROM audit_event");
        let size: i64 = row.fetch_one(&self.reader).await?.try_get("size")?;
        Ok(u64::try_from(size).unwrap_or_default())
    }

    /// The log as it is.
    pub async fn tree_head(&self) -> Result<TreeHead, StoreError> {
        let size = self.audit_size().await?;
        Ok(TreeHead { size, root: self.root_of(Range::all(size)).await? })
    }

    /// The root over the first events; `None` where there are fewer.
    pub async fn root_at(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        match self.audit_size().await? >= size {
            true => Ok(Some(self.root_of(Range::all(size)).await?)),
            false => Ok(None),
        }
    }

    /// What proves that the event at a place from 0 is one of the first `size`; `None` where it is not.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        self.proof(size, inclusion(index, size)).await
    }

    /// What proves that the first `size` events begin with the first `before`; `None` where they are not that many.
    pub async fn consistency(&self, before: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        self.proof(size, consistency(before, size)).await
    }

    async fn proof(&self, size: u64, ranges: Option<Vec<Range>>) -> Result<Option<Vec<Hash>>, StoreError> {
        let Some(ranges) = ranges.filter(|_| size > 0) else { return Ok(None) };
        if self.audit_size().await? < size {
            return Ok(None);
        }
        let mut roots = Vec::with_capacity(ranges.len());
        for range in ranges {
            roots.push(self.root_of(range).await?);
        }
        Ok(Some(roots))
    }

    async fn root_of(&self, range: Range) -> Result<Hash, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let mut full = Vec::new();
        for subtree in range.full() {
            full.push(hash(&mut connection, subtree).await?);
        }
        Ok(fold(&full))
    }
}

/// Adds an event that was just logged, and every subtree that it makes full.
pub(super) async fn grow(tx: &mut SqliteConnection, (seq, leaf): (i64, Hash)) -> Result<(), StoreError> {
    let index = u64::try_from(seq.saturating_sub(1)).unwrap_or_default();
    let (mut full, mut own) = (Full::leaf(index), leaf);
    while let Some((left, above)) = full.completes() {
        own = node(&hash(tx, left).await?, &own);
        full = above;
        sqlx::query("INSERT INTO audit_node (level, position, hash) VALUES ($1, $2, $3)")
            .bind(i64::from(full.level))
            .bind(place(full.index))
            .bind(own.as_slice())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The hash of a full subtree.
async fn hash(connection: &mut SqliteConnection, full: Full) -> Result<Hash, StoreError> {
    let query = match full.level {
        0 => sqlx::query("SELECT hash FROM audit_event WHERE seq = $1 + 1").bind(place(full.index)),
        level => sqlx::query("SELECT hash FROM audit_node WHERE position = $1 AND level = $2")
            .bind(place(full.index))
            .bind(i64::from(level)),
    };
    let row = query.fetch_optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt(format!("an audit tree without its node {full:?}")))?;
    digest(row.try_get("hash")?)
}

fn place(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Gives a log that is older than its tree the tree.
pub(super) async fn complete(writer: &SqlitePool) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COALESCE(MAX(seq), 0) FROM audit_event) AS size, EXISTS (SELECT 1 FROM audit_node) AS has",
    )
    .fetch_one(writer)
    .await?;
    let (size, has): (i64, bool) = (row.try_get("size")?, row.try_get("has")?);
    if size < 2 || has {
        return Ok(());
    }
    let mut all = Vec::new();
    let mut rows = sqlx::query("SELECT seq, hash FROM audit_event ORDER BY seq").fetch(writer);
    while let Some(row) = rows.try_next().await? {
        all.push((row.try_get("seq")?, digest(row.try_get("hash")?)?));
    }
    drop(rows);
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    for event in all {
        grow(&mut tx, event).await?;
    }
    tx.commit().await?;
    tracing::info!(events = size, "the audit log has a tree now");
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto::tree::{empty, extends, includes};

    use super::*;
    use crate::store::{Event, chained};

    async fn log(store: &Store, count: i64) {
        for _ in 0..count {
            let event =
                Event { created_at: 1, revision: 0, body: Box::new(|seq| seq.to_be_bytes().to_vec()) };
            store.log(&event).await.unwrap();
        }
    }

    async fn roots(store: &Store, size: u64) -> Vec<Hash> {
        let mut all = Vec::new();
        for size in 0..=size {
            all.push(store.root_at(size).await.unwrap().unwrap());
        }
        all
    }

    #[tokio::test]
    async fn every_event_and_every_past_is_proved() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        assert_eq!(store.tree_head().await.unwrap(), TreeHead { size: 0, root: empty() });
        log(&store, 21).await;
        let roots = roots(&store, 21).await;
        assert_eq!(store.tree_head().await.unwrap(), TreeHead { size: 21, root: roots[21] });
        for index in 0..21 {
            let event = store.event(index as i64 + 1).await.unwrap().unwrap();
            assert_eq!(event.hash, chained(&event.prev_hash, &event.body));
            assert_eq!(event.hash, proto::tree::leaf(&[&event.prev_hash, event.body.as_slice()].concat()));
            let proof = store.inclusion(index, 21).await.unwrap().unwrap();
            assert!(includes((21, &roots[21]), (index, event.hash), &proof), "{index}");
        }
        for before in 1..=21_u64 {
            let proof = store.consistency(before, 21).await.unwrap().unwrap();
            assert!(extends((before, &roots[before as usize]), (21, &roots[21]), &proof), "{before}");
        }
        assert_eq!(store.inclusion(21, 22).await.unwrap(), None, "a log is no larger than it is");
        assert_eq!(store.inclusion(3, 3).await.unwrap(), None);
        assert_eq!(store.consistency(4, 3).await.unwrap(), None);
        assert_eq!(store.root_at(22).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_log_that_is_older_than_its_tree_is_given_it_and_no_tree_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let store = Store::open(&path).await.unwrap();
        log(&store, 13).await;
        let before = roots(&store, 13).await;
        for refused in ["DELETE FROM audit_node", "UPDATE audit_node SET hash = x'00'"] {
            let error = store.pragma(refused).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
        store.pragma("DROP TRIGGER audit_node_stays").await.unwrap();
        store.pragma("DELETE FROM audit_node").await.unwrap();
        assert!(store.tree_head().await.unwrap_err().to_string().contains("without its node"));
        store.close().await;
        let store = Store::open(&path).await.unwrap();
        assert_eq!(roots(&store, 13).await, before);
        log(&store, 3).await;
        assert_eq!(store.tree_head().await.unwrap().size, 16);
    }
}
