//! Publishing, as the store sees it: new versions, the revision, its audit events and new secrets, in one transaction.
//!
//! Law: the revision is allocated inside the transaction from the head's row, and only if the head is where the change
//! was based on; a crash at any point leaves all of it or nothing.

use bytes::Bytes;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{
    Chain, Digest, Event, Head, PeakRow, RolloutRow, Settled, Store, StoreError, audit, peaks, proposals,
    rollouts,
};

/// Rows of one statement; six values each stay well below SQLite's 32,766.
const ROWS: usize = 1_000;

/// One resource's new version, or its end.
#[derive(Debug, Clone)]
pub struct Written {
    /// `kind:` of the declarative form.
    pub kind: &'static str,
    /// The tenant; empty for the platform's.
    pub tenant: String,
    /// The name.
    pub name: String,
    /// What is in force from now on; `None` ends it.
    pub after: Option<(Digest, Bytes)>,
    /// When it was first made, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// Whether a version of it is in force that this one ends.
    pub replaces: bool,
}

/// Everything one act changes.
pub struct Batch<'a> {
    /// Where history must stand.
    pub base: Head,
    /// The line of succession afterwards.
    pub epoch: i64,
    /// SHA-256 of everything in force afterwards.
    pub digest: Digest,
    /// Who acted.
    pub actor: &'a str,
    /// The call.
    pub action: &'a str,
    /// Why, and the ticket behind it; each empty where nobody said.
    pub why: (&'a str, &'a str),
    /// When, in microseconds since the Unix epoch.
    pub now: i64,
    /// The resources it changes.
    pub written: &'a [Written],
    /// The events it logs.
    pub events: &'a [Event<'a>],
    /// Sealed digests of new API keys, by public id.
    pub keys: &'a [(String, Vec<u8>)],
    /// Sealed credentials that are new, by id.
    pub credentials: &'a [(String, Vec<u8>)],
    /// Its author said that much less may be in force afterwards.
    pub may_shrink: bool,
    /// The most that the policy of each geo held, where that is another from now on.
    pub peaks: &'a [PeakRow],
    /// The rollout that begins, goes on or ends with it.
    pub rollout: Option<&'a RolloutRow>,
    /// The proposal whose approval it is, and who made that.
    pub proposal: Option<(&'a Settled, &'a str)>,
}

impl Store {
    /// Writes the batch and gives the new head and the end of the audit log.
    pub async fn commit(&self, batch: &Batch<'_>) -> Result<(Head, Chain), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let row = sqlx::query(
            "UPDATE head SET revision = revision + 1, epoch = $3 WHERE id = 1 AND revision = $1 AND epoch = $2 \
             RETURNING revision, epoch",
        )
        .bind(batch.base.revision)
        .bind(batch.base.epoch)
        .bind(batch.epoch)
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or(StoreError::HeadMoved { expected: batch.base.revision })?;
        let head = Head { revision: row.try_get("revision")?, epoch: row.try_get("epoch")? };
        insert_revision(&mut tx, batch, head).await?;
        insert_versions(&mut tx, batch, head).await?;
        for rows in batch.keys.chunks(ROWS) {
            insert_sealed(
                &mut tx,
                "INSERT INTO api_key (public_id, sealed_digest, created_at) ",
                rows,
                batch.now,
            )
            .await?;
        }
        for rows in batch.credentials.chunks(ROWS) {
            insert_sealed(
                &mut tx,
                "INSERT INTO sealed_credential (id, sealed, created_at) ",
                rows,
                batch.now,
            )
            .await?;
        }
        if let Some(rollout) = batch.rollout {
            rollouts::put(&mut tx, rollout).await?;
        }
        if let Some((proposal, _)) = batch.proposal {
            proposals::settle(&mut tx, proposal).await?;
        }
        for peak in batch.peaks {
            peaks::put(&mut tx, peak).await?;
        }
        let chain = audit::append(&mut tx, batch.events).await?;
        tx.commit().await?;
        Ok((head, chain))
    }
}

async fn insert_revision(tx: &mut SqliteConnection, batch: &Batch<'_>, head: Head) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO revision (revision, epoch, digest, actor, action, changes, created_at, may_shrink, reason, ticket, \
         proposal, proposer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(head.revision)
    .bind(head.epoch)
    .bind(batch.digest.as_slice())
    .bind(batch.actor)
    .bind(batch.action)
    .bind(i64::try_from(batch.written.len()).unwrap_or(i64::MAX))
    .bind(batch.now)
    .bind(i64::from(batch.may_shrink))
    .bind(batch.why.0)
    .bind(batch.why.1)
    .bind(batch.proposal.map(|(proposal, _)| proposal.row.number))
    .bind(batch.proposal.map(|(_, proposer)| proposer).unwrap_or_default())
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn insert_versions(tx: &mut SqliteConnection, batch: &Batch<'_>, head: Head) -> Result<(), StoreError> {
    for old in batch.written.iter().filter(|w| w.replaces) {
        let ended = sqlx::query(
            "UPDATE resource_version SET until_revision = $1 \
             WHERE kind = $2 AND tenant = $3 AND name = $4 AND until_revision IS NULL",
        )
        .bind(head.revision)
        .bind(old.kind)
        .bind(&old.tenant)
        .bind(&old.name)
        .execute(&mut *tx)
        .await?;
        if ended.rows_affected() != 1 {
            return Err(StoreError::Corrupt(format!("no version in force of {} `{}`", old.kind, old.name)));
        }
    }
    let new: Vec<(&Written, &Digest, &Bytes)> = batch
        .written
        .iter()
        .filter_map(|w| w.after.as_ref().map(|(digest, bytes)| (w, digest, bytes)))
        .collect();
    for rows in new.chunks(ROWS) {
        let mut blobs = QueryBuilder::<Sqlite>::new("INSERT INTO blob (digest, bytes) ");
        blobs.push_values(rows, |mut row, (_, digest, bytes)| {
            row.push_bind(digest.to_vec()).push_bind(bytes.to_vec());
        });
        blobs.push(" ON CONFLICT DO NOTHING").build().execute(&mut *tx).await?;
        let mut versions = QueryBuilder::<Sqlite>::new(
            "INSERT INTO resource_version (kind, tenant, name, since_revision, digest, created_at, updated_at) ",
        );
        versions.push_values(rows, |mut row, (written, digest, _)| {
            row.push_bind(written.kind)
                .push_bind(written.tenant.clone())
                .push_bind(written.name.clone())
                .push_bind(head.revision)
                .push_bind(digest.to_vec())
                .push_bind(written.created_at)
                .push_bind(batch.now);
        });
        versions.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_sealed(
    tx: &mut SqliteConnection,
    into: &'static str,
    rows: &[(String, Vec<u8>)],
    now: i64,
) -> Result<(), StoreError> {
    let mut insert = QueryBuilder::<Sqlite>::new(into);
    insert.push_values(rows, |mut row, (id, sealed)| {
        row.push_bind(id.clone()).push_bind(sealed.clone()).push_bind(now);
    });
    insert.build().execute(&mut *tx).await?;
    Ok(())
}
