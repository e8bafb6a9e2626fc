//! Sealed secrets: digests of API keys, vendor credentials, scope keys. The store sees ciphertext only.

use sqlx::Row;

use super::{Store, StoreError};

/// A scope key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeKeyRow {
    /// Its id, which travels with every MAC it made.
    pub id: String,
    /// The geo it is for.
    pub geo: String,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

impl Store {
    /// The sealed digest of every API key's secret, by public id.
    pub async fn key_digests(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows =
            sqlx::query("SELECT public_id, sealed_digest FROM api_key").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((row.try_get("public_id")?, row.try_get("sealed_digest")?))).collect()
    }

    /// Every sealed vendor credential, by id.
    pub async fn credentials(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT id, sealed FROM sealed_credential").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("sealed")?))).collect()
    }

    /// Every scope key, oldest first.
    pub async fn scope_keys(&self) -> Result<Vec<ScopeKeyRow>, StoreError> {
        let rows = sqlx::query("SELECT id, geo, sealed FROM scope_key ORDER BY created_at, id")
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ScopeKeyRow {
                    id: row.try_get("id")?,
                    geo: row.try_get("geo")?,
                    sealed: row.try_get("sealed")?,
                })
            })
            .collect()
    }

    /// Keeps a new scope key.
    pub async fn keep_scope_key(&self, key: &ScopeKeyRow, now: i64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO scope_key (id, geo, sealed, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&key.id)
            .bind(&key.geo)
            .bind(&key.sealed)
            .bind(now)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
