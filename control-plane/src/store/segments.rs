//! Segments of the decision log, as nodes told of them: what is kept and the audit event that anchors it are one transaction.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Digest, Event, Page, Store, StoreError, audit, digest};

/// Segments that one event anchors at most.
const EVENT: usize = 1_000;

/// A segment as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// In which order it was anchored; 0 before it is.
    pub place: i64,
    /// The hash of its manifest.
    pub hash: Digest,
    /// Where the node runs.
    pub geo: String,
    /// Its name there.
    pub node: String,
    /// The process.
    pub boot_id: String,
    /// The number of its first record, and the last that was given.
    pub seqs: (i64, i64),
    /// Records in it.
    pub count: i64,
    /// The hash of the manifest before.
    pub previous: Digest,
    /// How it ended.
    pub ended: String,
    /// When it was sealed, in microseconds since the Unix epoch.
    pub sealed_at: i64,
    /// When it was anchored, likewise; 0 before it is.
    pub anchored_at: i64,
    /// The event that anchors it; 0 before it is.
    pub audit_seq: i64,
    /// That its lines are to go; `None`: they stay.
    pub pruned: Option<PrunedSegment>,
}

/// That the lines of a segment are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrunedSegment {
    /// When that was decided, in microseconds since the Unix epoch.
    pub pruned_at: i64,
    /// The event that tells of it.
    pub audit_seq: i64,
    /// When a node of the geo told that they are gone; `None`: none did yet.
    pub done_at: Option<i64>,
}

impl Store {
    /// Keeps those that are not kept yet, each anchored by the event that is made of it and those around it.
    pub async fn anchor<'e>(
        &self,
        segments: &[SegmentRow],
        now: i64,
        event: impl Fn(&[SegmentRow]) -> Event<'e>,
    ) -> Result<usize, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut fresh: Vec<SegmentRow> = Vec::new();
        for segment in segments {
            let known = sqlx::query("SELECT place FROM decision_segment WHERE hash = $1")
                .bind(segment.hash.as_slice())
                .fetch_optional(&mut *tx)
                .await?;
            if known.is_none() && fresh.iter().all(|other| other.hash != segment.hash) {
                fresh.push(segment.clone());
            }
        }
        for part in fresh.chunks(EVENT) {
            let chain = audit::append(&mut tx, &[event(part)]).await?;
            for segment in part {
                sqlx::query(
                    "INSERT INTO decision_segment (hash, geo, node, boot_id, first_seq, last_seq, count, previous, ended, \
                     sealed_at, anchored_at, audit_seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                )
                .bind(segment.hash.as_slice())
                .bind(&segment.geo)
                .bind(&segment.node)
                .bind(&segment.boot_id)
                .bind(segment.seqs.0)
                .bind(segment.seqs.1)
                .bind(segment.count)
                .bind(segment.previous.as_slice())
                .bind(&segment.ended)
                .bind(segment.sealed_at)
                .bind(now)
                .bind(chain.seq)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(fresh.len())
    }

    /// A page of segments, those first that were anchored last, of a geo and a node where they are not empty.
    pub async fn segments(
        &self,
        (geo, node): (&str, &str),
        page: Page,
    ) -> Result<Vec<SegmentRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.place, s.hash, s.geo, s.node, s.boot_id, s.first_seq, s.last_seq, s.count, s.previous, s.ended, s.sealed_at, \
             s.anchored_at, s.audit_seq, p.pruned_at, p.audit_seq AS pruned_by, p.done_at \
             FROM decision_segment s LEFT JOIN pruned_segment p ON p.hash = s.hash \
             WHERE s.place < $1 AND ($2 = '' OR s.geo = $2) AND ($3 = '' OR s.node = $3) ORDER BY s.place DESC LIMIT $4",
        )
        .bind(page.bound())
        .bind(geo)
        .bind(node)
        .bind(page.size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Segments of a geo that were sealed before an instant, and told of before it, for a node's clock may be wrong, and whose lines are
    /// not to go yet, the oldest first, so many at most.
    pub async fn segments_over(
        &self,
        geo: &str,
        before: i64,
        most: i64,
    ) -> Result<Vec<SegmentRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.place, s.hash, s.geo, s.node, s.boot_id, s.first_seq, s.last_seq, s.count, s.previous, s.ended, s.sealed_at, \
             s.anchored_at, s.audit_seq, p.pruned_at, p.audit_seq AS pruned_by, p.done_at \
             FROM decision_segment s LEFT JOIN pruned_segment p ON p.hash = s.hash \
             WHERE s.geo = $1 AND s.sealed_at < $2 AND s.anchored_at < $2 AND p.hash IS NULL ORDER BY s.place LIMIT $3",
        )
        .bind(geo)
        .bind(before)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }

    /// The geos of which there are segments.
    pub async fn geos_of_segments(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT geo FROM decision_segment ORDER BY geo");
        rows.fetch_all(&self.reader).await?.iter().map(|row| Ok(row.try_get("geo")?)).collect()
    }

    /// A geo's segments after a place whose lines are to go and of which nobody told that they are gone, in their order, so many at most.
    pub async fn segments_to_go(
        &self,
        geo: &str,
        (after, most): (i64, i64),
    ) -> Result<Vec<SegmentRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.place, s.hash, s.geo, s.node, s.boot_id, s.first_seq, s.last_seq, s.count, s.previous, s.ended, s.sealed_at, \
             s.anchored_at, s.audit_seq, p.pruned_at, p.audit_seq AS pruned_by, p.done_at \
             FROM pruned_segment p JOIN decision_segment s ON s.hash = p.hash \
             WHERE p.done_at IS NULL AND s.place > $2 AND s.geo = $1 ORDER BY s.place LIMIT $3",
        )
        .bind(geo)
        .bind(after)
        .bind(most)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<SegmentRow, StoreError> {
    Ok(SegmentRow {
        place: row.try_get("place")?,
        hash: digest(row.try_get("hash")?)?,
        geo: row.try_get("geo")?,
        node: row.try_get("node")?,
        boot_id: row.try_get("boot_id")?,
        seqs: (row.try_get("first_seq")?, row.try_get("last_seq")?),
        count: row.try_get("count")?,
        previous: digest(row.try_get("previous")?)?,
        ended: row.try_get("ended")?,
        sealed_at: row.try_get("sealed_at")?,
        anchored_at: row.try_get("anchored_at")?,
        audit_seq: row.try_get("audit_seq")?,
        pruned: pruned(row)?,
    })
}

fn pruned(row: &SqliteRow) -> Result<Option<PrunedSegment>, StoreError> {
    let Some(pruned_at) = row.try_get("pruned_at")? else { return Ok(None) };
    let (audit_seq, done_at) = (row.try_get("pruned_by")?, row.try_get("done_at")?);
    Ok(Some(PrunedSegment { pruned_at, audit_seq, done_at }))
}
