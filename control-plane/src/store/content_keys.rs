//! The key pairs to which captured content is sealed. The store sees the private halves sealed.

use sqlx::Row;

use super::{Store, StoreError};

/// A tenant's key pair as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentKeyRow {
    /// Its id, which stands in what is sealed to it.
    pub id: String,
    /// The tenant.
    pub tenant: String,
    /// The public half.
    pub public_key: Vec<u8>,
    /// The private half, sealed; `None`: it was destroyed.
    pub sealed: Option<Vec<u8>>,
}

impl Store {
    /// Every pair that can still be opened, oldest first.
    pub async fn content_keys(&self) -> Result<Vec<ContentKeyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, tenant, public_key, sealed FROM content_key WHERE sealed IS NOT NULL ORDER BY created_at, id",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }

    /// A pair.
    pub async fn content_key(&self, id: &str) -> Result<Option<ContentKeyRow>, StoreError> {
        let row = sqlx::query("SELECT id, tenant, public_key, sealed FROM content_key WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Keeps new pairs, all or none.
    pub async fn keep_content_keys(&self, keys: &[ContentKeyRow], now: i64) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for key in keys {
            sqlx::query(
                "INSERT INTO content_key (id, tenant, public_key, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(&key.id)
            .bind(&key.tenant)
            .bind(&key.public_key)
            .bind(&key.sealed)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Destroys every private half of a tenant; how many there were.
    pub async fn shred_content_keys(&self, tenant: &str) -> Result<u64, StoreError> {
        let done =
            sqlx::query("UPDATE content_key SET sealed = NULL WHERE tenant = $1 AND sealed IS NOT NULL")
                .bind(tenant)
                .execute(&self.writer)
                .await?;
        Ok(done.rows_affected())
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<ContentKeyRow, StoreError> {
    Ok(ContentKeyRow {
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        public_key: row.try_get("public_key")?,
        sealed: row.try_get("sealed")?,
    })
}
