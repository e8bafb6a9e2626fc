//! Rights that were taken for a while, as stored: their beginning and their end, each with its audit event in one transaction.
//!
//! Law: one that has ended does not begin again.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Event, Page, Store, StoreError, audit};

/// An elevation as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElevationRow {
    /// Its number, from 1.
    pub number: i64,
    /// The encoded `Elevation`.
    pub body: Vec<u8>,
    /// When it ends by itself, in microseconds since the Unix epoch.
    pub expires_at: i64,
    /// When it ended, likewise; `None`: it has not.
    pub ended_at: Option<i64>,
}

impl Store {
    /// A page of them, the newest first.
    pub async fn elevations(&self, page: Page) -> Result<Vec<ElevationRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, body, expires_at, ended_at FROM elevation WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(page.bound())
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// Those that have not ended, the oldest first.
    pub async fn open_elevations(&self) -> Result<Vec<ElevationRow>, StoreError> {
        let open =
            "SELECT number, body, expires_at, ended_at FROM elevation WHERE ended_at IS NULL ORDER BY number";
        sqlx::query(open).fetch_all(&self.reader).await?.iter().map(row).collect()
    }

    /// One of them.
    pub async fn elevation(&self, number: i64) -> Result<Option<ElevationRow>, StoreError> {
        let found = sqlx::query("SELECT number, body, expires_at, ended_at FROM elevation WHERE number = $1")
            .bind(number)
            .fetch_optional(&self.reader)
            .await?;
        found.as_ref().map(row).transpose()
    }

    /// Keeps a new one: `made` gives its encoded `Elevation` by its number, `event` what is logged of it by that.
    pub async fn elevate<'a>(
        &self,
        expires_at: i64,
        made: impl FnOnce(i64) -> Vec<u8>,
        event: impl FnOnce(&ElevationRow) -> Event<'a>,
    ) -> Result<ElevationRow, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let next = sqlx::query("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM elevation");
        let number: i64 = next.fetch_one(&mut *tx).await?.try_get("next")?;
        let row = ElevationRow { number, body: made(number), expires_at, ended_at: None };
        sqlx::query("INSERT INTO elevation (number, body, expires_at) VALUES ($1, $2, $3)")
            .bind(number)
            .bind(&row.body)
            .bind(expires_at)
            .execute(&mut *tx)
            .await?;
        audit::append(&mut tx, &[event(&row)]).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Keeps that one has ended. Errors where it has already.
    pub async fn end_elevation(&self, ended: &ElevationRow, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let change = sqlx::query(
            "UPDATE elevation SET body = $1, ended_at = $2 WHERE number = $3 AND ended_at IS NULL",
        );
        let changed =
            change.bind(&ended.body).bind(ended.ended_at).bind(ended.number).execute(&mut *tx).await?;
        if changed.rows_affected() != 1 {
            return Err(StoreError::Decided);
        }
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn row(row: &SqliteRow) -> Result<ElevationRow, StoreError> {
    Ok(ElevationRow {
        number: row.try_get("number")?,
        body: row.try_get("body")?,
        expires_at: row.try_get("expires_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}
