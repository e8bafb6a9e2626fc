//! What is switched off, as stored: a change, its number and its audit event in one transaction.
//!
//! Law: the number is allocated inside the transaction from its one row, so that it grows with each change and never without one.

use sqlx::Row;

use super::{Event, Store, StoreError, audit};

/// A kill as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRow {
    /// Its id.
    pub id: String,
    /// The encoded `Kill`.
    pub body: Vec<u8>,
}

/// A change of kills.
#[derive(Debug, Clone, Copy)]
pub enum KillChange<'a> {
    /// One is made at a time, in microseconds since the Unix epoch, in the place of one of its name that has ended.
    Made(&'a KillRow, i64),
    /// One is lifted at a time, likewise; the row is what is kept of it.
    Lifted(&'a KillRow, i64),
}

impl Store {
    /// Every kill in the order of ids, and the number of the newest change; 0 before the first.
    pub async fn kills(&self) -> Result<(i64, Vec<KillRow>), StoreError> {
        let mut tx = self.reader.begin().await?;
        let seq = sqlx::query("SELECT seq FROM kill_head WHERE id = 1").fetch_one(&mut *tx).await?;
        let rows = sqlx::query("SELECT id, body FROM kill ORDER BY id").fetch_all(&mut *tx).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            Ok(KillRow { id: row.try_get("id")?, body: row.try_get("body")? })
        };
        Ok((seq.try_get("seq")?, rows.iter().map(row).collect::<Result<_, StoreError>>()?))
    }

    /// The newest of an id that was lifted; `None` where none was.
    pub async fn lifted_kill(&self, id: &str) -> Result<Option<KillRow>, StoreError> {
        let row = sqlx::query("SELECT id, body FROM kill_lifted WHERE id = $1").bind(id);
        let row = row.fetch_optional(&self.reader).await?;
        row.map(|row| Ok(KillRow { id: row.try_get("id")?, body: row.try_get("body")? })).transpose()
    }

    /// Makes or lifts one, and gives the number of the change.
    pub async fn change_kills(&self, change: KillChange<'_>, event: &Event<'_>) -> Result<i64, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let head = sqlx::query("UPDATE kill_head SET seq = seq + 1 WHERE id = 1 RETURNING seq");
        let seq = head.fetch_one(&mut *tx).await?.try_get("seq")?;
        let change = match change {
            KillChange::Made(row, at) => {
                let made = sqlx::query(
                    "INSERT INTO kill (id, body, created_at) VALUES ($1, $2, $3) \
                     ON CONFLICT (id) DO UPDATE SET body = excluded.body, created_at = excluded.created_at",
                );
                made.bind(row.id.clone()).bind(row.body.clone()).bind(at)
            }
            KillChange::Lifted(row, at) => {
                let kept = sqlx::query(
                    "INSERT INTO kill_lifted (id, body, lifted_at) VALUES ($1, $2, $3) \
                     ON CONFLICT (id) DO UPDATE SET body = excluded.body, lifted_at = excluded.lifted_at",
                );
                kept.bind(&row.id).bind(&row.body).bind(at).execute(&mut *tx).await?;
                sqlx::query("DELETE FROM kill WHERE id = $1").bind(row.id.clone())
            }
        };
        let changed = change.execute(&mut *tx).await?.rows_affected();
        if changed != 1 {
            return Err(StoreError::Corrupt("a kill that is not as it was read".to_owned()));
        }
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(seq)
    }
}
