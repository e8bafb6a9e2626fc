//! Rollouts: the one on its way, and those that ended.

use sqlx::{Row, SqliteConnection};

use super::{Event, Page, Store, StoreError, audit};

/// A rollout as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    /// The revision it leads to.
    pub candidate_revision: i64,
    /// The encoded `Rollout`.
    pub body: Vec<u8>,
    /// It is neither completed nor aborted.
    pub active: bool,
}

impl Store {
    /// A page of rollouts, newest first.
    pub async fn rollouts(&self, page: Page) -> Result<Vec<RolloutRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT candidate_revision, body, active FROM rollout WHERE candidate_revision < $1 \
             ORDER BY candidate_revision DESC LIMIT $2",
        )
        .bind(page.bound())
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// The rollout that is on its way.
    pub async fn active_rollout(&self) -> Result<Option<RolloutRow>, StoreError> {
        let found = sqlx::query("SELECT candidate_revision, body, active FROM rollout WHERE active = 1")
            .fetch_optional(&self.reader)
            .await?;
        found.as_ref().map(row).transpose()
    }

    /// Keeps how a rollout goes on, with the event of the act that made it so, where one did.
    pub async fn keep_rollout(
        &self,
        rollout: &RolloutRow,
        event: Option<&Event<'_>>,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        put(&mut tx, rollout).await?;
        audit::append(&mut tx, event.map(std::slice::from_ref).unwrap_or_default()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Puts a rollout in, in place of what it was.
pub(super) async fn put(connection: &mut SqliteConnection, rollout: &RolloutRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rollout (candidate_revision, body, active) VALUES ($1, $2, $3) \
         ON CONFLICT (candidate_revision) DO UPDATE SET body = excluded.body, active = excluded.active",
    )
    .bind(rollout.candidate_revision)
    .bind(&rollout.body)
    .bind(i64::from(rollout.active))
    .execute(connection)
    .await?;
    Ok(())
}

fn row(row: &sqlx::sqlite::SqliteRow) -> Result<RolloutRow, StoreError> {
    Ok(RolloutRow {
        candidate_revision: row.try_get("candidate_revision")?,
        body: row.try_get("body")?,
        active: row.try_get::<i64, _>("active")? != 0,
    })
}
