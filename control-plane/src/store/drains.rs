//! Which nodes are to take no requests, as stored: a change and its audit event in one transaction.

use sqlx::Row;

use super::{Event, Store, StoreError, audit};

/// A drain as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainRow {
    /// Where the node runs.
    pub geo: String,
    /// Its name within the geo.
    pub name: String,
    /// The encoded `NodeDrain`.
    pub body: Vec<u8>,
}

impl Store {
    /// Every drain.
    pub async fn drains(&self) -> Result<Vec<DrainRow>, StoreError> {
        let rows = sqlx::query("SELECT geo, name, body FROM node_drain").fetch_all(&self.reader).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            Ok(DrainRow { geo: row.try_get("geo")?, name: row.try_get("name")?, body: row.try_get("body")? })
        };
        rows.iter().map(row).collect()
    }

    /// Keeps a drain in place of the one before, with the event of who made it where somebody did.
    pub async fn keep_drain(&self, row: &DrainRow, event: Option<&Event<'_>>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO node_drain (geo, name, body) VALUES ($1, $2, $3) \
             ON CONFLICT (geo, name) DO UPDATE SET body = excluded.body",
        )
        .bind(&row.geo)
        .bind(&row.name)
        .bind(&row.body)
        .execute(&mut *tx)
        .await?;
        if let Some(event) = event {
            audit::append(&mut tx, std::slice::from_ref(event)).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a drain.
    pub async fn end_drain(&self, (geo, name): (&str, &str), event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let end = sqlx::query("DELETE FROM node_drain WHERE geo = $1 AND name = $2").bind(geo).bind(name);
        end.execute(&mut *tx).await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }
}
