//! The log of administrative acts: each event is chained to the one before, so that a changed past shows.
//!
//! Law: `hash = SHA-256(0x00 ‖ prev_hash ‖ body)`, the first `prev_hash` being 32 zero bytes. That is what RFC 9162 calls the hash of
//! the leaf `prev_hash ‖ body`: the events are the leaves of a tree (`tree`) as well. Triggers refuse
//! every change but one: that a body goes, as a later event tells (`prune`).

use aws_lc_rs::digest::{Context, SHA256};
use sqlx::{Row, SqliteConnection};

use super::{Digest, Page, Store, StoreError, digest, tree};

/// An event as logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place in the log, from 1.
    pub seq: i64,
    /// When it happened, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// The encoded `AuditEvent`; empty: it was pruned.
    pub body: Vec<u8>,
    /// The hash of the event before.
    pub prev_hash: Digest,
    /// Its own hash.
    pub hash: Digest,
    /// The event that tells that its body was pruned; `None`: it was not.
    pub pruned_by: Option<i64>,
}

/// One event to log; its body is encoded when its place in the log is known.
pub struct Event<'a> {
    /// When it happened, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// The revision it published; 0: none.
    pub revision: i64,
    /// Gives the encoded `AuditEvent` for a sequence number.
    pub body: Box<dyn Fn(i64) -> Vec<u8> + Send + Sync + 'a>,
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// The sequence number of the newest event; 0 before the first.
    pub seq: i64,
    /// Its hash; zero before the first.
    pub hash: Digest,
}

/// The hash of an event with this body after one with this hash.
pub fn chained(prev: &Digest, body: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(prev);
    context.update(body);
    context.finish().as_ref().try_into().unwrap_or_default()
}

impl Store {
    /// A page of events, newest first.
    pub async fn events(&self, page: Page) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        )
        .bind(page.bound())
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// The events after a place, oldest first, so many at most.
    pub async fn events_after(&self, seq: i64, most: i64) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(seq)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// The first and the last place in the log of events from one instant until before another, in microseconds since the
    /// Unix epoch; the last is below the first where there is none.
    pub async fn span(&self, since: i64, until: i64) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE(MIN(seq), 1) AS first, COALESCE(MAX(seq), 0) AS last FROM audit_event \
             WHERE created_at >= $1 AND created_at < $2",
        )
        .bind(since)
        .bind(until)
        .fetch_one(&self.reader)
        .await?;
        Ok((row.try_get("first")?, row.try_get("last")?))
    }

    /// Events later than an instant, in microseconds since the Unix epoch, whose body has these bytes in it, oldest first; of so many of
    /// the newest events of all, and as many at most.
    pub async fn events_with(
        &self,
        after: i64,
        bytes: &[u8],
        (of, most): (i64, i64),
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event WHERE created_at > $1 \
             AND seq > (SELECT COALESCE(MAX(seq), 0) FROM audit_event) - $2 AND instr(body, $3) > 0 ORDER BY seq LIMIT $4",
        )
        .bind(after)
        .bind(of)
        .bind(bytes)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(logged).collect()
    }

    /// One event.
    pub async fn event(&self, seq: i64) -> Result<Option<LoggedEvent>, StoreError> {
        let row = sqlx::query(
            "SELECT seq, created_at, body, prev_hash, hash, pruned_by FROM audit_event WHERE seq = $1",
        )
        .bind(seq)
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(logged).transpose()
    }

    /// Logs an act that changed nothing, such as a refusal.
    pub async fn log(&self, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(super) fn logged(row: &sqlx::sqlite::SqliteRow) -> Result<LoggedEvent, StoreError> {
    Ok(LoggedEvent {
        seq: row.try_get("seq")?,
        created_at: row.try_get("created_at")?,
        body: row.try_get("body")?,
        prev_hash: digest(row.try_get("prev_hash")?)?,
        hash: digest(row.try_get("hash")?)?,
        pruned_by: row.try_get("pruned_by")?,
    })
}

/// Appends events within a transaction that has the write lock, and gives the end of the log.
pub(super) async fn append(tx: &mut SqliteConnection, events: &[Event<'_>]) -> Result<Chain, StoreError> {
    let newest = sqlx::query("SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut *tx)
        .await?;
    let mut chain = match newest {
        Some(row) => Chain { seq: row.try_get("seq")?, hash: digest(row.try_get("hash")?)? },
        None => Chain::default(),
    };
    for event in events {
        let seq = chain.seq.saturating_add(1);
        let body = (event.body)(seq);
        let hash = chained(&chain.hash, &body);
        sqlx::query(
            "INSERT INTO audit_event (seq, created_at, revision, body, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(seq)
        .bind(event.created_at)
        .bind(event.revision)
        .bind(body)
        .bind(chain.hash.as_slice())
        .bind(hash.as_slice())
        .execute(&mut *tx)
        .await?;
        tree::grow(&mut *tx, (seq, hash)).await?;
        chain = Chain { seq, hash };
    }
    Ok(chain)
}
