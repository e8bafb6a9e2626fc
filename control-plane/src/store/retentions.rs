//! For how long what is recorded is kept: what holds now, each change with its audit event in one transaction.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Event, Store, StoreError, audit};

/// A retention as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRow {
    /// Its id.
    pub name: String,
    /// The encoded `Retention`.
    pub body: Vec<u8>,
    /// Nothing goes by it before, in microseconds since the Unix epoch.
    pub effective_at: i64,
}

impl Store {
    /// Every retention, in the order of their ids.
    pub async fn retentions(&self) -> Result<Vec<RetentionRow>, StoreError> {
        let select = "SELECT name, body, effective_at FROM retention ORDER BY name";
        // Of the writer: what was set before must be seen.
        let rows = sqlx::query(select).fetch_all(&self.writer).await?;
        rows.iter().map(row).collect()
    }

    /// One retention.
    pub async fn retention(&self, name: &str) -> Result<Option<RetentionRow>, StoreError> {
        let select = "SELECT name, body, effective_at FROM retention WHERE name = $1";
        let found = sqlx::query(select).bind(name).fetch_optional(&self.writer).await?;
        found.as_ref().map(row).transpose()
    }

    /// Keeps one in the place of the one there is.
    pub async fn set_retention(&self, set: &RetentionRow, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let put = "INSERT INTO retention (name, body, effective_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET body = excluded.body, effective_at = excluded.effective_at";
        sqlx::query(put).bind(&set.name).bind(&set.body).bind(set.effective_at).execute(&mut *tx).await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        Ok(tx.commit().await?)
    }

    /// Until when nothing goes by what is left in the place of one that was deleted, in microseconds since the Unix epoch; `None`: it never
    /// was.
    pub async fn retention_ended(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let select = "SELECT effective_at FROM retention_ended WHERE name = $1";
        let found = sqlx::query(select).bind(name).fetch_optional(&self.writer).await?;
        Ok(found.map(|row| row.try_get("effective_at")).transpose()?)
    }

    /// Removes one; whether it was there. What is left takes its place then, in microseconds since the Unix epoch.
    pub async fn delete_retention(
        &self,
        (name, effective_at): (&str, i64),
        event: &Event<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let gone = sqlx::query("DELETE FROM retention WHERE name = $1").bind(name).execute(&mut *tx).await?;
        if gone.rows_affected() != 1 {
            return Ok(false);
        }
        let ended = "INSERT INTO retention_ended (name, effective_at) VALUES ($1, $2) \
                     ON CONFLICT (name) DO UPDATE SET effective_at = excluded.effective_at";
        sqlx::query(ended).bind(name).bind(effective_at).execute(&mut *tx).await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

pub(super) fn row(row: &SqliteRow) -> Result<RetentionRow, StoreError> {
    Ok(RetentionRow {
        name: row.try_get("name")?,
        body: row.try_get("body")?,
        effective_at: row.try_get("effective_at")?,
    })
}
