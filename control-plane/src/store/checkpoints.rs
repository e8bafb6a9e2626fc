//! The checkpoints of the audit log and the keys that sign them.

use proto::tree::Hash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Page, Store, StoreError, digest};

/// A key that signs checkpoints, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKeyRow {
    /// Its generation; the first is 1.
    pub generation: i64,
    /// The log's name.
    pub origin: String,
    /// Its public half, 32 bytes.
    pub public_key: Vec<u8>,
    /// Its private half, sealed.
    pub sealed_key: Vec<u8>,
}

/// A checkpoint as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// How many events.
    pub size: i64,
    /// The root over them.
    pub root: Hash,
    /// The signed text.
    pub note: String,
    /// When it was signed, in microseconds since the Unix epoch.
    pub created_at: i64,
}

impl Store {
    /// Every key that ever signed checkpoints, the newest first.
    pub async fn audit_keys(&self) -> Result<Vec<AuditKeyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT generation, origin, public_key, sealed_key FROM audit_key ORDER BY generation DESC",
        )
        .fetch_all(&self.writer)
        .await?;
        let read = |row: &SqliteRow| {
            Ok(AuditKeyRow {
                generation: row.try_get("generation")?,
                origin: row.try_get("origin")?,
                public_key: row.try_get("public_key")?,
                sealed_key: row.try_get("sealed_key")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps a key, unless there is one of its generation.
    pub async fn keep_audit_key(&self, key: &AuditKeyRow, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit_key (generation, origin, public_key, sealed_key, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(key.generation)
        .bind(&key.origin)
        .bind(&key.public_key)
        .bind(&key.sealed_key)
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// A page of checkpoints, the largest first.
    pub async fn checkpoints(&self, page: Page) -> Result<Vec<CheckpointRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT size, root, note, created_at FROM audit_checkpoint WHERE size < $1 ORDER BY size DESC LIMIT $2",
        )
        .bind(page.bound())
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(checkpoint).collect()
    }

    /// The checkpoint of a size.
    pub async fn checkpoint(&self, size: i64) -> Result<Option<CheckpointRow>, StoreError> {
        let row = sqlx::query("SELECT size, root, note, created_at FROM audit_checkpoint WHERE size = $1")
            .bind(size)
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(checkpoint).transpose()
    }

    /// Keeps a checkpoint; where another replica signed for its size first, that one stays.
    pub async fn keep_checkpoint(&self, checkpoint: &CheckpointRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit_checkpoint (size, root, note, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(checkpoint.size)
        .bind(checkpoint.root.as_slice())
        .bind(&checkpoint.note)
        .bind(checkpoint.created_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn checkpoint(row: &SqliteRow) -> Result<CheckpointRow, StoreError> {
    Ok(CheckpointRow {
        size: row.try_get("size")?,
        root: digest(row.try_get("root")?)?,
        note: row.try_get("note")?,
        created_at: row.try_get("created_at")?,
    })
}
