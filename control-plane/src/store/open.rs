//! Opening the store's file, which another process may have to itself for a while: a backup, a checkpoint, somebody's shell.
//!
//! Law: a start waits for the lock, tells that it does, and gives up in time with the reason. Deliberately absent: waiting for anything
//! else; a file that is damaged or a disk that is full is an error at once.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use super::{Store, StoreError, migrator, tree, trouble};
use crate::private;

/// How long a start waits for another process to let go of the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one look at the lock lasts.
const LOOK: Duration = Duration::from_secs(1);

/// Between two looks, where one ends at once.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a statement waits for the lock once the store is open.
const BUSY: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the file, makes it where there is none, and brings its schema up to date. It is for its owner alone, and so are
    /// the files beside it, which SQLite makes with the mode of the first. Another process that holds the lock is waited for, 30 s at
    /// most.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, PATIENCE).await
    }

    pub(super) async fn open_within(path: &Path, patience: Duration) -> Result<Self, StoreError> {
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
            .pragma("secure_delete", "ON")
            .foreign_keys(true);
        let begun = Instant::now();
        let mut told = false;
        loop {
            let opened = match looked(&options).await {
                Ok(()) => opened(options.clone().busy_timeout(BUSY)).await,
                Err(error) => Err(error),
            };
            match opened {
                Err(error) if trouble::is_locked(&error) => {}
                opened => return opened,
            }
            if begun.elapsed() >= patience {
                return Err(StoreError::Locked(patience));
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(path = %path.display(), within = ?patience,
                    "another process holds the store's lock: the start waits for it");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether the file can be written now; what it finds is an error in a second, not in five.
async fn looked(options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::connect_with(&options.clone().busy_timeout(LOOK)).await?;
    connection.begin_with("BEGIN IMMEDIATE").await?.rollback().await?;
    connection.close().await?;
    Ok(())
}

async fn opened(options: SqliteConnectOptions) -> Result<Store, StoreError> {
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
    tree::complete(&writer).await?;
    let reader = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
    Ok(Store { writer, reader })
}
