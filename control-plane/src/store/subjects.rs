//! Who is who, in a file of its own: the pseudonyms of people and, sealed, what they stand for.
//!
//! Law: what is removed is overwritten, and no journal keeps it. The file is backed up by itself, for a short time, so that what was
//! erased comes back from no old backup of the store. Absent on purpose: meaning; what is sealed is the caller's.

use std::path::Path;

use sqlx::Row;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::StoreError;
use crate::private;

/// The schema: one row a person.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS subject (\
                      pseudonym TEXT PRIMARY KEY, sealed BLOB NOT NULL, created_at INTEGER NOT NULL\
                      ) STRICT, WITHOUT ROWID";

/// A pseudonym, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// The pseudonym.
    pub pseudonym: String,
    /// The key and the name of the person, sealed.
    pub sealed: Vec<u8>,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_at: i64,
}

/// The file. Clones share it.
#[derive(Debug, Clone)]
pub struct SubjectStore {
    pool: SqlitePool,
}

impl SubjectStore {
    /// Opens the file, makes it, for its owner alone, where there is none.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        private::own_file(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Extra)
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Self { pool })
    }

    /// Every row.
    pub async fn all(&self) -> Result<Vec<SubjectRow>, StoreError> {
        let rows =
            sqlx::query("SELECT pseudonym, sealed, created_at FROM subject").fetch_all(&self.pool).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            Ok(SubjectRow {
                pseudonym: row.try_get("pseudonym")?,
                sealed: row.try_get("sealed")?,
                created_at: row.try_get("created_at")?,
            })
        };
        rows.iter().map(row).collect()
    }

    /// Keeps new rows, all of them or none.
    pub async fn keep(&self, rows: &[SubjectRow]) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        for row in rows {
            sqlx::query("INSERT INTO subject (pseudonym, sealed, created_at) VALUES ($1, $2, $3)")
                .bind(&row.pseudonym)
                .bind(&row.sealed)
                .bind(row.created_at)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Removes a row for good; it need not be there.
    pub async fn erase(&self, pseudonym: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM subject WHERE pseudonym = $1").bind(pseudonym).execute(&self.pool).await?;
        Ok(())
    }

    /// Waits for what is written, and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
