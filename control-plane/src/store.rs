//! The only SQL in the house: facts, their history, sealed secrets and the audit log in one SQLite file, and who is who in another.
//!
//! Law: everything one act changes is one transaction of the one writer; readers never wait for it (WAL).
//! Absent on purpose: meaning. The store keeps bytes and digests and knows no kind of resource.

mod audit;
mod between;
mod checkpoints;
mod commit;
mod content_keys;
mod drains;
mod elevations;
mod enrolment;
mod history;
mod holds;
mod kills;
mod nodes;
mod open;
mod page;
mod peaks;
mod proposals;
mod prune;
mod retentions;
mod rollouts;
mod sealed;
mod segments;
mod signers;
mod sought;
mod subjects;
mod tree;
mod trouble;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqlSafeStr};

pub use audit::{Chain, Event, LoggedEvent, chained};
pub use between::{Place, Touch, Version};
pub use checkpoints::{AuditKeyRow, CheckpointRow};
pub use commit::{Batch, Written};
pub use content_keys::ContentKeyRow;
pub use drains::DrainRow;
pub use elevations::ElevationRow;
pub use enrolment::{EnrolmentRow, RevokedRow};
pub use history::{ChangeRow, RevisionRow, ScopeRow};
pub use holds::HoldRow;
pub use kills::{KillChange, KillRow};
pub use nodes::NodeRow;
pub use page::Page;
pub use peaks::PeakRow;
pub use proposals::{ProposalRow, ProposalState, Settled};
pub use prune::Basis;
pub use retentions::RetentionRow;
pub use rollouts::RolloutRow;
pub use sealed::ScopeKeyRow;
pub use segments::{PrunedSegment, SegmentRow};
pub use signers::SignerRow;
pub use sought::{Sought, Touched};
pub use subjects::{SubjectRow, SubjectStore};
pub use tree::TreeHead;
pub(crate) use trouble::is_full;

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// The migrations of the SQLite store, by version.
const MIGRATIONS: [(i64, &str, &str); 23] = [
    (1, "facts and history", include_str!("../migrations/sqlite/0001_facts_and_history.sql")),
    (2, "nodes", include_str!("../migrations/sqlite/0002_nodes.sql")),
    (3, "audit by time", include_str!("../migrations/sqlite/0003_audit_by_time.sql")),
    (4, "enrolment", include_str!("../migrations/sqlite/0004_enrolment.sql")),
    (5, "kills", include_str!("../migrations/sqlite/0005_kills.sql")),
    (6, "signers", include_str!("../migrations/sqlite/0006_signers.sql")),
    (7, "rollouts", include_str!("../migrations/sqlite/0007_rollouts.sql")),
    (8, "proposals", include_str!("../migrations/sqlite/0008_proposals.sql")),
    (9, "enrolment tokens", include_str!("../migrations/sqlite/0009_enrolment_tokens.sql")),
    (10, "proposals expire", include_str!("../migrations/sqlite/0010_proposals_expire.sql")),
    (11, "node drains", include_str!("../migrations/sqlite/0011_node_drains.sql")),
    (12, "audit tree", include_str!("../migrations/sqlite/0012_audit_tree.sql")),
    (13, "revision reasons", include_str!("../migrations/sqlite/0013_revision_reasons.sql")),
    (14, "audit checkpoints", include_str!("../migrations/sqlite/0014_audit_checkpoints.sql")),
    (15, "scope peaks", include_str!("../migrations/sqlite/0015_scope_peaks.sql")),
    (16, "revision proposals", include_str!("../migrations/sqlite/0016_revision_proposals.sql")),
    (19, "decision segments", include_str!("../migrations/sqlite/0019_decision_segments.sql")),
    (20, "lifted kills", include_str!("../migrations/sqlite/0020_lifted_kills.sql")),
    (21, "elevations", include_str!("../migrations/sqlite/0021_elevations.sql")),
    (22, "subjects and holds", include_str!("../migrations/sqlite/0022_subjects_and_holds.sql")),
    (23, "content keys", include_str!("../migrations/sqlite/0023_content_keys.sql")),
    (24, "retentions", include_str!("../migrations/sqlite/0024_retentions.sql")),
    (25, "retentions that ended", include_str!("../migrations/sqlite/0025_retentions_that_ended.sql")),
];

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or can't be reached.
    #[error("the store can't be read or written: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the store's schema can't be brought up to date")]
    Migrate(#[from] MigrateError),
    /// Another process has it to itself.
    #[error(
        "another process has held the store's lock for {0:?} (a backup, a checkpoint, a shell in a transaction): end it there, and \
         start again"
    )]
    Locked(Duration),
    /// Somebody else published in between.
    #[error("the head moved from revision {expected}: another control plane writes to this store")]
    HeadMoved {
        /// The revision the change was based on.
        expected: i64,
    },
    /// Somebody else decided it in between.
    #[error("it is decided already")]
    Decided,
    /// What was read is not what was written.
    #[error("the store holds {0}")]
    Corrupt(String),
}

/// Where history stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The newest revision; 0 before the first.
    pub revision: i64,
    /// The line of succession.
    pub epoch: i64,
}

/// A resource in force, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRow {
    /// `kind:` of the declarative form.
    pub kind: String,
    /// The tenant; empty for the platform's.
    pub tenant: String,
    /// The name.
    pub name: String,
    /// The revision that last changed it.
    pub revision: i64,
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// The encoded message.
    pub bytes: Bytes,
    /// When it was first made, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last changed, likewise.
    pub updated_at: i64,
}

/// An open store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Where history stands.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let row =
            sqlx::query("SELECT revision, epoch FROM head WHERE id = 1").fetch_one(&self.reader).await?;
        Ok(Head { revision: row.try_get("revision")?, epoch: row.try_get("epoch")? })
    }

    /// Every resource in force now, with its bytes.
    pub async fn in_force(&self) -> Result<Vec<ResourceRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.kind, v.tenant, v.name, v.since_revision, v.digest, b.bytes, v.created_at, v.updated_at \
             FROM resource_version v JOIN blob b ON b.digest = v.digest WHERE v.until_revision IS NULL",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(history::resource).collect()
    }

    /// Sets a pragma of the writer, to make it fail as a full or read-only disk does.
    #[cfg(test)]
    pub(crate) async fn pragma(&self, pragma: &'static str) -> Result<(), StoreError> {
        sqlx::query(pragma).execute(&self.writer).await?;
        Ok(())
    }

    /// Waits for what runs and closes the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.head().await.map(drop)
    }
}

fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(
                    *version,
                    Cow::Borrowed(name),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}

fn digest(bytes: Vec<u8>) -> Result<Digest, StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("a digest that is not 32 bytes".to_owned()))
}

#[cfg(test)]
mod tests;
