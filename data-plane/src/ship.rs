//! Segments of the decision log on their way to the geo's store.
//!
//! Law: a segment is put there under a name that follows from what it is, so that putting it twice is putting it once; its manifest comes
//! after its lines, so that what has a manifest is whole. Nothing waits for the store: while it is away, segments wait on the node's own
//! disk. Absent on purpose: what happens to segments in the store.

mod dir;

use std::path::PathBuf;
use std::sync::Arc;

use proto::segment::Signed;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::policy::BackOff;
use crate::record::Shelf;

/// What begins the name of a store that is a directory.
pub(crate) const DIRECTORY: &str = "dir:";

/// Bytes of a manifest at most.
const MOST: u64 = 64 << 10;

/// Where segments of a geo are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// A directory, such as one of a volume that the nodes of a geo share.
    Directory(PathBuf),
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
        source: std::io::Error,
    },
    /// Its manifest is none.
    #[error("`{0}` is no manifest of a segment")]
    Manifest(String),
    /// Something else has its name there.
    #[error("`{0}` is in the store already, and is something else: nothing is written over it")]
    Other(String),
}

impl Store {
    /// The store of a configuration: `dir:` and an absolute path.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let path = PathBuf::from(text.strip_prefix(DIRECTORY)?);
        path.is_absolute().then_some(Self::Directory(path))
    }

    fn put(&self, from: &std::path::Path, name: &str) -> Result<(), NotShipped> {
        match self {
            Self::Directory(root) => dir::put(from, &root.join(name)),
        }
    }
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
            let (from, to) = (shelf.clone(), store.clone());
            let put = tokio::task::spawn_blocking(move || ship(&from, &to, number));
            result = put.await.unwrap_or(Ok(()));
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

/// Puts one segment, its manifest last.
fn ship(shelf: &Shelf, store: &Store, number: u64) -> Result<(), NotShipped> {
    let Some([lines, manifest]) = shelf.files(number) else { return Ok(()) };
    let shown = manifest.display().to_string();
    let text = crate::policy::disk::read(&manifest, MOST)
        .map_err(|source| NotShipped::Disk { path: shown.clone(), source })?
        .unwrap_or_default();
    let name =
        Signed::read(&text).ok().and_then(|signed| name(&signed)).ok_or(NotShipped::Manifest(shown))?;
    store.put(&lines, &format!("{name}.jsonl"))?;
    store.put(&manifest, &format!("{name}.manifest"))?;
    shelf.shipped(number);
    Ok(())
}

/// What a segment is called in a store: where it was written, by whom, by which process, and from which number on.
fn name(signed: &Signed) -> Option<String> {
    let manifest = &signed.manifest;
    let is_plain = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
        !word.is_empty() && !word.starts_with('.') && word.bytes().all(fits)
    };
    let words = [&manifest.geo, &manifest.node, &manifest.boot_id];
    let [geo, node, boot_id] = words;
    words
        .iter()
        .all(|word| is_plain(word))
        .then(|| format!("{geo}/{node}/{boot_id}/{:020}", manifest.first_seq))
}

#[cfg(test)]
mod tests;
