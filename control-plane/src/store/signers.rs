//! The keys that sign what nodes are told, sealed, by generation.

use sqlx::Row;

use super::{Store, StoreError};

/// A signer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerRow {
    /// Its generation; the first is 1.
    pub generation: u64,
    /// DER of its certificate.
    pub certificate: Vec<u8>,
    /// Its private key, sealed.
    pub sealed_key: Vec<u8>,
}

impl Store {
    /// The signer of the newest generation; `None` before the first.
    pub async fn newest_signer(&self) -> Result<Option<SignerRow>, StoreError> {
        let row = sqlx::query(
            "SELECT generation, certificate, sealed_key FROM signer ORDER BY generation DESC LIMIT 1",
        )
        .fetch_optional(&self.writer)
        .await?;
        let read = |row: sqlx::sqlite::SqliteRow| {
            Ok(SignerRow {
                generation: u64::try_from(row.try_get::<i64, _>("generation")?).unwrap_or_default(),
                certificate: row.try_get("certificate")?,
                sealed_key: row.try_get("sealed_key")?,
            })
        };
        row.map(read).transpose()
    }

    /// Keeps a signer, unless there is one of its generation.
    pub async fn keep_signer(&self, signer: &SignerRow, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO signer (generation, certificate, sealed_key, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(i64::try_from(signer.generation).unwrap_or(i64::MAX))
        .bind(&signer.certificate)
        .bind(&signer.sealed_key)
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
