//! Legal holds and erasures as stored, each with its audit event in one transaction.
//!
//! Law: a hold changes once, when it is released; an erasure never does. Absent on purpose: what a hold means.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Event, Store, StoreError, audit};

/// A hold as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// Its id.
    pub name: String,
    /// The encoded `Hold`.
    pub body: Vec<u8>,
    /// When it was released, in microseconds since the Unix epoch; `None`: it holds.
    pub released_at: Option<i64>,
}

impl Store {
    /// Holds in the order of their ids, after one, so many at most.
    pub async fn holds(&self, after: &str, most: i64) -> Result<Vec<HoldRow>, StoreError> {
        let select = "SELECT name, body, released_at FROM hold WHERE name > $1 ORDER BY name LIMIT $2";
        let rows = sqlx::query(select).bind(after).bind(most).fetch_all(&self.reader).await?;
        rows.iter().map(row).collect()
    }

    /// Every hold that was not released.
    pub async fn standing_holds(&self) -> Result<Vec<HoldRow>, StoreError> {
        let select = "SELECT name, body, released_at FROM hold WHERE released_at IS NULL ORDER BY name";
        // Of the writer: what was placed before must be seen.
        let rows = sqlx::query(select).fetch_all(&self.writer).await?;
        rows.iter().map(row).collect()
    }

    /// One hold.
    pub async fn hold(&self, name: &str) -> Result<Option<HoldRow>, StoreError> {
        let select = "SELECT name, body, released_at FROM hold WHERE name = $1";
        let found = sqlx::query(select).bind(name).fetch_optional(&self.reader).await?;
        found.as_ref().map(row).transpose()
    }

    /// Keeps a new one; tells whether there was none of the name.
    pub async fn place_hold(&self, hold: &HoldRow, event: &Event<'_>) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let insert = "INSERT INTO hold (name, body) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let placed = sqlx::query(insert).bind(&hold.name).bind(&hold.body).execute(&mut *tx).await?;
        if placed.rows_affected() != 1 {
            return Ok(false);
        }
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps that one was released. Errors where it was already.
    pub async fn release_hold(&self, hold: &HoldRow, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let update = "UPDATE hold SET body = $1, released_at = $2 WHERE name = $3 AND released_at IS NULL";
        let update = sqlx::query(update).bind(&hold.body).bind(hold.released_at).bind(&hold.name);
        if update.execute(&mut *tx).await?.rows_affected() != 1 {
            return Err(StoreError::Decided);
        }
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everybody who was erased, by pseudonym.
    pub async fn erased(&self) -> Result<HashSet<String>, StoreError> {
        let rows = sqlx::query("SELECT pseudonym FROM erasure").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok(row.try_get("pseudonym")?)).collect()
    }

    /// Everybody who was erased, by pseudonym, after one, and when, in microseconds since the Unix epoch.
    pub async fn erasures(&self, after: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let select = "SELECT pseudonym, erased_at FROM erasure WHERE pseudonym > $1 ORDER BY pseudonym";
        let rows = sqlx::query(select).bind(after).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((row.try_get("pseudonym")?, row.try_get("erased_at")?))).collect()
    }

    /// When somebody was erased, in microseconds since the Unix epoch; `None`: it was not.
    pub async fn erased_at(&self, pseudonym: &str) -> Result<Option<i64>, StoreError> {
        let select = sqlx::query("SELECT erased_at FROM erasure WHERE pseudonym = $1").bind(pseudonym);
        Ok(select.fetch_optional(&self.reader).await?.map(|row| row.try_get("erased_at")).transpose()?)
    }

    /// The tenants in whose history there is a principal of this id; empty is the platform.
    pub async fn tenants_of_principal(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let select = "SELECT DISTINCT tenant FROM resource_version WHERE kind = 'Principal' AND name = $1";
        let rows = sqlx::query(select).bind(name).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok(row.try_get("tenant")?)).collect()
    }

    /// The first proposal that waits and whose files say this text.
    pub async fn proposal_that_says(&self, text: &str) -> Result<Option<i64>, StoreError> {
        let select = "SELECT number FROM proposal WHERE state = 'pending' AND instr(files, CAST($1 AS BLOB)) > 0 LIMIT 1";
        let found = sqlx::query(select).bind(text).fetch_optional(&self.writer).await?;
        Ok(found.map(|row| row.try_get("number")).transpose()?)
    }

    /// Keeps that somebody is erased, where nothing in force and no proposal that waits names it, and removes the files of proposals that are decided and say its name, from the journal too.
    pub async fn erase(
        &self,
        (pseudonym, name): (&str, &str),
        now: i64,
        event: &Event<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let known = "SELECT EXISTS (SELECT 1 FROM resource_version WHERE kind = 'Principal' AND name = $1 AND until_revision IS NULL) \
                     OR EXISTS (SELECT 1 FROM proposal WHERE state = 'pending' AND $2 <> '' AND instr(files, CAST($2 AS BLOB)) > 0) AS known";
        let known = sqlx::query(known).bind(pseudonym).bind(name).fetch_one(&mut *tx).await?;
        if known.try_get("known")? {
            return Err(StoreError::Decided);
        }
        sqlx::query("INSERT INTO erasure (pseudonym, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(pseudonym)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        let blank = "UPDATE proposal SET files = X'' \
                     WHERE state <> 'pending' AND instr(files, CAST($1 AS BLOB)) > 0";
        let blanked = sqlx::query(blank).bind(name).execute(&mut *tx).await?.rows_affected();
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        if blanked > 0 {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await?;
        }
        Ok(())
    }
}

fn row(row: &SqliteRow) -> Result<HoldRow, StoreError> {
    Ok(HoldRow {
        name: row.try_get("name")?,
        body: row.try_get("body")?,
        released_at: row.try_get("released_at")?,
    })
}
