//! The only SQL in the house: facts, their history, sealed secrets and the audit log in one SQLite file.
//!
//! Law: everything one act changes is one transaction of the one writer; readers never wait for it (WAL).
//! Absent on purpose: meaning. The store keeps bytes and digests and knows no kind of resource.

mod audit;
mod commit;
mod drains;
mod enrolment;
mod history;
mod kills;
mod nodes;
mod page;
mod proposals;
mod rollouts;
mod sealed;
mod signers;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr};

use crate::private;

pub use audit::{Chain, Event, LoggedEvent, chained};
pub use commit::{Batch, Written};
pub use drains::DrainRow;
pub use enrolment::{EnrolmentRow, RevokedRow};
pub use history::{ChangeRow, RevisionRow, ScopeRow};
pub use kills::{KillChange, KillRow};
pub use nodes::NodeRow;
pub use page::Page;
pub use proposals::{ProposalRow, ProposalState, Settled};
pub use rollouts::RolloutRow;
pub use sealed::ScopeKeyRow;
pub use signers::SignerRow;

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// The migrations of the SQLite store, by version.
const MIGRATIONS: [(i64, &str, &str); 11] = [
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
    /// Opens the file, makes it where there is none, and brings its schema up to date. It is for its owner alone, and so are
    /// the files beside it, which SQLite makes with the mode of the first.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        private::own_file(path).map_err(sqlx::Error::Io)?;
        for suffix in ["-wal", "-shm"] {
            let mut beside = path.as_os_str().to_owned();
            beside.push(suffix);
            private::close_file(Path::new(&beside));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        // A transaction whose end failed as well, as on a full disk, is never ended: its connection is not used again.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| {
                let clean = !connection.is_in_transaction();
                Box::pin(async move { Ok(clean) })
            })
            .connect_with(options.clone())
            .await?;
        migrator().run(&writer).await?;
        let reader =
            SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, reader })
    }

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
