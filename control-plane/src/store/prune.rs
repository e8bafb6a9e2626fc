//! What goes by a retention: bodies of events, and that the lines of segments are to go where they are.
//!
//! Law: what goes and the event that tells of it are one transaction, in which the retention and the holds are still those that it was
//! decided by. What is removed is overwritten, and no journal keeps it. Absent on purpose: what may go (`retention`).

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::audit::{self, logged};
use super::{Digest, Event, LoggedEvent, RetentionRow, Store, StoreError, retentions};

/// By what it was decided that something goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The retention.
    pub retention: RetentionRow,
    /// The ids of the holds that stand, in their order.
    pub holds: Vec<String>,
}

impl Store {
    /// Events after a place that have their body and happened before an instant, in microseconds since the Unix epoch, oldest first, so
    /// many at most.
    pub async fn whole_events_after(
        &self,
        seq: i64,
        before: i64,
        most: i64,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event \
             WHERE seq > $1 AND created_at < $2 AND pruned_by IS NULL ORDER BY seq LIMIT $3",
        )
        .bind(seq)
        .bind(before)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// The nearest events before a place that have their body, the latest first.
    pub async fn whole_events_before(&self, seq: i64, most: usize) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event \
             WHERE seq < $1 AND pruned_by IS NULL ORDER BY seq DESC LIMIT $2",
        )
        .bind(seq)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// Events that may be about retentions, prunings and holds, after a place and up to another, oldest first, so many at most.
    pub async fn events_of_retention(
        &self,
        (after, until): (i64, i64),
        most: i64,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event WHERE seq > $1 AND seq <= $2 \
             AND (instr(body, CAST('RetentionsService/' AS BLOB)) > 0 OR instr(body, CAST('HoldsService/' AS BLOB)) > 0) \
             ORDER BY seq LIMIT $3",
        )
        .bind(after)
        .bind(until)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// The first event after a place that has its body and happened in a span of time, in microseconds since the Unix epoch.
    pub async fn first_whole_within(
        &self,
        seq: i64,
        (since, until): (i64, i64),
    ) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(seq) AS first FROM audit_event \
             WHERE seq > $1 AND created_at >= $2 AND created_at < $3 AND pruned_by IS NULL",
        )
        .bind(seq)
        .bind(since)
        .bind(until)
        .fetch_one(&self.reader)
        .await?;
        Ok(row.try_get("first")?)
    }

    /// Removes the bodies of events that have theirs, and logs the event of it; whether it is still decided by what holds.
    pub async fn prune_events(
        &self,
        basis: &Basis,
        sequences: &[i64],
        event: &Event<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if !stands(&mut tx, basis).await? {
            return Ok(false);
        }
        let chain = audit::append(&mut tx, std::slice::from_ref(event)).await?;
        let mut prune = QueryBuilder::<Sqlite>::new("UPDATE audit_event SET body = X'', pruned_by = ");
        prune.push_bind(chain.seq).push(" WHERE seq IN (");
        let mut places = prune.separated(", ");
        for seq in sequences {
            places.push_bind(*seq);
        }
        prune.push(")");
        let pruned = prune.build().execute(&mut *tx).await?.rows_affected();
        if usize::try_from(pruned) != Ok(sequences.len()) {
            return Err(StoreError::Corrupt("fewer events than were to be pruned".to_owned()));
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps that the lines of segments are to go, and logs the event of it; whether it is still decided by what holds.
    pub async fn prune_segments(
        &self,
        basis: &Basis,
        (hashes, now): (&[Digest], i64),
        event: &Event<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if !stands(&mut tx, basis).await? {
            return Ok(false);
        }
        let chain = audit::append(&mut tx, std::slice::from_ref(event)).await?;
        for hash in hashes {
            sqlx::query("INSERT INTO pruned_segment (hash, pruned_at, audit_seq) VALUES ($1, $2, $3)")
                .bind(hash.as_slice())
                .bind(now)
                .bind(chain.seq)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps that the lines of segments of a geo are gone: of those that were to go, and whose writer is one for which that counts.
    pub async fn segments_are_gone(
        &self,
        (geo, hashes): (&str, &[Digest]),
        now: i64,
        counts: impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for hash in hashes {
            let writer = "SELECT node FROM decision_segment WHERE hash = $1 AND geo = $2";
            let writer = sqlx::query(writer).bind(hash.as_slice()).bind(geo).fetch_optional(&mut *tx).await?;
            let writer: Option<String> = writer.map(|row| row.try_get("node")).transpose()?;
            if writer.is_some_and(|writer| counts(&writer)) {
                let done = "UPDATE pruned_segment SET done_at = $1 WHERE hash = $2 AND done_at IS NULL";
                sqlx::query(done).bind(now).bind(hash.as_slice()).execute(&mut *tx).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Writes what was removed out of the journal; whether nobody read in it meanwhile, so that it is done.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await?;
        Ok(done.try_get::<i64, _>(0)? == 0)
    }
}

/// Whether the retention and the holds are still those that something was decided by.
async fn stands(tx: &mut SqliteConnection, basis: &Basis) -> Result<bool, StoreError> {
    let retention = "SELECT name, body, effective_at FROM retention WHERE name = $1";
    let found = sqlx::query(retention).bind(&basis.retention.name).fetch_optional(&mut *tx).await?;
    let found = found.as_ref().map(retentions::row).transpose()?;
    let holds = "SELECT name FROM hold WHERE released_at IS NULL ORDER BY name";
    let holds = sqlx::query(holds).fetch_all(&mut *tx).await?;
    let holds: Vec<String> =
        holds.iter().map(|row| row.try_get("name")).collect::<Result<_, sqlx::Error>>()?;
    Ok(found.as_ref() == Some(&basis.retention) && holds == basis.holds)
}
