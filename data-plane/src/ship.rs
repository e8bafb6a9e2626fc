//! Segments of the decision log on their way to the geo's store.
//!
//! Law: a segment is put there under a name that follows from what it is, so that putting it twice is putting it once; its manifest comes
//! after its lines, so that what has a manifest is whole. Nothing waits for the store: while it is away, segments wait on the node's own
//! disk. What is in the store stays as it is, but for lines that are to go (`prune`).

mod bucket;
pub(crate) mod content;
mod dir;
pub(crate) mod prune;
pub(crate) mod source;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::segment::Signed;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::Decisions;
use crate::policy::BackOff;
use crate::record::Shelf;

/// What begins the name of a store that is a directory, and of one that is a bucket.
const DIRECTORY: &str = "dir:";
const BUCKET: &str = "s3://";

use bucket::{Place, S3};

/// Bytes of a manifest at most.
const MOST: u64 = 64 << 10;

/// Where segments of a geo are kept.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// A directory, such as one of a volume that the nodes of a geo share.
    Directory(PathBuf),
    /// A bucket of an S3-compatible service.
    Bucket(Box<S3>),
}

/// Why a segment is not in the store.
#[derive(Debug, Error)]
pub(crate) enum NotShipped {
    /// Its files can't be read here, or not written there.
    #[error("`{path}` can't be read or written")]
    Disk {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The store is not to be reached, or does not take it.
    #[error("`{object}` can't be brought to the store")]
    Away {
        /// Its name there.
        object: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its manifest is none.
    #[error("`{0}` is no manifest of a segment")]
    Manifest(String),
    /// Something else has its name there.
    #[error("`{0}` is in the store already, and is something else: nothing is written over it")]
    Other(String),
}

impl Store {
    /// The store of a configuration: `dir:` and an absolute path, or `s3://` and a bucket, with credentials of `environment`; `None`: there
    /// is none.
    ///
    /// # Errors
    /// Why it is no store.
    pub(crate) fn of(
        decisions: &Decisions,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let Some(text) = decisions.store.as_deref() else { return Ok(None) };
        if let Some(path) = text.strip_prefix(BUCKET) {
            let pem = decisions.store_ca.as_deref().map(std::fs::read_to_string).transpose();
            let pem = pem.map_err(|error| format!("its authorities can't be read: {error}"))?;
            let (endpoint, region) = (decisions.store_endpoint.as_deref(), decisions.store_region.as_deref());
            let place = Place { path, endpoint, region, ca: pem.as_deref() };
            return Ok(Some(Self::Bucket(Box::new(S3::at(&place, environment)?))));
        }
        let path = text.strip_prefix(DIRECTORY).map(PathBuf::from).filter(|path| path.is_absolute());
        let path = path.ok_or("it must be `dir:` and an absolute path, or `s3://bucket/prefix`")?;
        Ok(Some(Self::Directory(path)))
    }

    async fn put(&self, from: &Path, name: &str) -> Result<(), NotShipped> {
        let read = |source| NotShipped::Disk { path: from.display().to_string(), source };
        match self {
            Self::Directory(root) => {
                let (from, to) = (from.to_owned(), root.join(name));
                let put = tokio::task::spawn_blocking(move || dir::put(&from, &to)).await;
                put.unwrap_or_else(|error| Err(read(io::Error::other(error))))
            }
            Self::Bucket(bucket) => bucket.put(name, tokio::fs::read(from).await.map_err(read)?.into()).await,
        }
    }

    /// The names below a prefix, without it, of which the first part is a day: up to this one, and of later ones at least the first.
    async fn list(&self, prefix: &str, up_to: &str) -> Result<Vec<String>, NotShipped> {
        match self {
            Self::Directory(root) => {
                let (root, up_to) = (root.join(prefix), up_to.to_owned());
                blocking(&root.clone(), move || dir::list(&root, Some(&up_to))).await
            }
            Self::Bucket(bucket) => bucket.list(prefix, up_to).await,
        }
    }

    /// What has a name, of so many bytes at most; `None`: nothing has it.
    async fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, NotShipped> {
        match self {
            Self::Directory(root) => {
                let path = root.join(name);
                blocking(&path.clone(), move || crate::policy::disk::read(&path, most)).await
            }
            Self::Bucket(bucket) => bucket.read(name, most).await,
        }
    }

    /// Removes what has a name, where it is there.
    async fn remove(&self, name: &str) -> Result<(), NotShipped> {
        match self {
            Self::Directory(root) => {
                let path = root.join(name);
                blocking(&path.clone(), move || dir::remove(&path)).await
            }
            Self::Bucket(bucket) => bucket.remove(name).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, NotShipped> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| NotShipped::Disk { path: path.display().to_string(), source })
}

/// Brings segments to a store as they are sealed, and removes what is there from here where the newest have more than `keep` bytes; until
/// `stop`.
pub(crate) async fn run(shelf: Arc<Shelf>, (store, keep): (Store, u64), stop: CancellationToken) {
    let mut changed = shelf.follow();
    let (mut back_off, mut is_away) = (BackOff::default(), false);
    loop {
        changed.borrow_and_update();
        let mut result = Ok(());
        while let Some(number) = shelf.unshipped().filter(|_| result.is_ok() && !stop.is_cancelled()) {
            result = ship(&shelf, &store, number).await;
        }
        let pruned = shelf.clone();
        let _ = tokio::task::spawn_blocking(move || pruned.prune(keep)).await;
        let wait = async {
            match &result {
                Ok(()) => drop(changed.changed().await),
                Err(_) => tokio::time::sleep(back_off.pause()).await,
            }
        };
        match &result {
            Ok(()) if std::mem::take(&mut is_away) => tracing::info!("segments are shipped again"),
            Err(error) if !std::mem::replace(&mut is_away, true) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "segments can't be shipped: they wait here"
                );
            }
            _ => {}
        }
        if stop.run_until_cancelled(wait).await.is_none() {
            return;
        }
        if result.is_ok() {
            back_off = BackOff::default();
        }
    }
}

/// Brings what is not in a store there, once.
pub(crate) async fn rest(shelf: &Shelf, store: &Store) -> Result<(), NotShipped> {
    while let Some(number) = shelf.unshipped() {
        ship(shelf, store, number).await?;
    }
    Ok(())
}

/// Puts one segment, its manifest last.
async fn ship(shelf: &Shelf, store: &Store, number: u64) -> Result<(), NotShipped> {
    let Some([lines, manifest]) = shelf.files(number) else { return Ok(()) };
    let shown = manifest.display().to_string();
    let text = crate::policy::disk::read(&manifest, MOST)
        .map_err(|source| NotShipped::Disk { path: shown.clone(), source })?
        .unwrap_or_default();
    let name =
        Signed::read(&text).ok().and_then(|signed| name(&signed)).ok_or(NotShipped::Manifest(shown))?;
    // Those that are gone went because they were to.
    if lines.exists() {
        store.put(&lines, &format!("{name}.jsonl")).await?;
    }
    store.put(&manifest, &format!("{name}.manifest")).await?;
    shelf.shipped(number);
    Ok(())
}

/// What a segment is called in a store: where it was written, by whom, by which process, and from which number on.
fn name(signed: &Signed) -> Option<String> {
    let manifest = &signed.manifest;
    called([&manifest.geo, &manifest.node, &manifest.boot_id], manifest.first_seq)
}

/// The same, of its geo, its node, its process and its first number; `None`: they make no name.
fn called(words: [&str; 3], first_seq: u64) -> Option<String> {
    let is_plain = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
        !word.is_empty() && !word.starts_with('.') && word.bytes().all(fits)
    };
    let [geo, node, boot_id] = words;
    words.iter().all(|word| is_plain(word)).then(|| format!("{geo}/{node}/{boot_id}/{first_seq:020}"))
}

#[cfg(test)]
mod tests;
