//! Proposals as stored: made and settled, each with its audit event in one transaction.
//!
//! Law: a number is allocated inside the transaction and never used again. Only what is pending is settled, and only once.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Event, Page, Store, StoreError, audit};

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// Nothing yet.
    Pending,
    /// A revision.
    Published,
    /// Nothing: somebody rejected it.
    Rejected,
    /// Nothing: what it would change was changed by others.
    Superseded,
}

impl ProposalState {
    /// The word on every surface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Published => "published",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }
}

/// A proposal as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalRow {
    /// Its number.
    pub number: i64,
    /// The encoded `Proposal` without its files.
    pub body: Vec<u8>,
}

/// A proposal that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// It, as it is from now on.
    pub row: ProposalRow,
    /// What became of it.
    pub state: ProposalState,
}

impl Store {
    /// A page of proposals, newest first.
    pub async fn proposals(&self, page: Page) -> Result<Vec<ProposalRow>, StoreError> {
        let rows =
            sqlx::query("SELECT number, body FROM proposal WHERE number < $1 ORDER BY number DESC LIMIT $2")
                .bind(page.bound())
                .bind(page.size)
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(row).collect()
    }

    /// A proposal, and the encoded `Proposal` of its files alone.
    pub async fn proposal(&self, number: i64) -> Result<Option<(ProposalRow, Vec<u8>)>, StoreError> {
        let found = sqlx::query("SELECT number, body, files FROM proposal WHERE number = $1")
            .bind(number)
            .fetch_optional(&self.reader)
            .await?;
        found.map(|found| Ok((row(&found)?, found.try_get("files")?))).transpose()
    }

    /// How many proposals may still be decided.
    pub async fn pending_proposals(&self, now: i64) -> Result<i64, StoreError> {
        let count = "SELECT COUNT(*) AS count FROM proposal \
                     WHERE state = 'pending' AND (expires_at IS NULL OR expires_at > $1)";
        let row = sqlx::query(count).bind(now).fetch_one(&self.reader).await?;
        Ok(row.try_get("count")?)
    }

    /// Keeps a new proposal: `made` gives its encoded `Proposal` by its number, `event` what is logged of it by that.
    pub async fn propose<'a>(
        &self,
        (files, expires_at): (&[u8], i64),
        made: impl FnOnce(i64) -> Vec<u8>,
        event: impl FnOnce(&ProposalRow) -> Event<'a>,
    ) -> Result<ProposalRow, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let next = sqlx::query("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM proposal");
        let number: i64 = next.fetch_one(&mut *tx).await?.try_get("next")?;
        let row = ProposalRow { number, body: made(number) };
        sqlx::query("INSERT INTO proposal (number, state, body, files, expires_at) VALUES ($1, 'pending', $2, $3, $4)")
            .bind(number)
            .bind(&row.body)
            .bind(files)
            .bind(expires_at)
            .execute(&mut *tx)
            .await?;
        audit::append(&mut tx, &[event(&row)]).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Settles a proposal that publishes nothing. Errors where it is not pending.
    pub async fn settle_proposal(&self, settled: &Settled, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        settle(&mut tx, settled).await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Settles a proposal within a transaction. Errors where it is not pending.
pub(super) async fn settle(connection: &mut SqliteConnection, settled: &Settled) -> Result<(), StoreError> {
    let changed =
        sqlx::query("UPDATE proposal SET state = $1, body = $2 WHERE number = $3 AND state = 'pending'")
            .bind(settled.state.as_str())
            .bind(&settled.row.body)
            .bind(settled.row.number)
            .execute(connection)
            .await?;
    if changed.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Decided) }
}

fn row(row: &SqliteRow) -> Result<ProposalRow, StoreError> {
    Ok(ProposalRow { number: row.try_get("number")?, body: row.try_get("body")? })
}
