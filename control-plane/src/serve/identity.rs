//! The files without which a control plane is not who it was: the master key, under which its store is sealed, and the authority, which
//! vouches for the key that signs what nodes are told.
//!
//! Law: beside a store that was used before none of them is made anew, for nothing would open and no node would believe it; and beside
//! them no store is begun anew where one was used, for who was revoked in it would be let in again. What is gone or is another ends the
//! start, with where it was and what to do. That a store was used says `store.used` in the directory, for files that somebody brought
//! before the first start look like those that were made here. While a control plane runs on what it has read, it tells what became of
//! the files: the next start could not. Absent on purpose: putting anything back, and the files of ports and nodes, which are made anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use crate::ca::{Authority, write_private};
use crate::config::SubjectsConfig;
use crate::publish::Publisher;
use crate::registry::sha256;
use crate::seal::{MASTER_KEY_VARIABLE, Sealer, Use};
use crate::signer::vouched;
use crate::store::{Digest, SignerRow, Store, SubjectStore};
use crate::subjects::{SubjectError, Subjects};

/// What says in the directory that a store was used with it, and where that was.
const USED: &str = "store.used";

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(10);

/// Ends the start where a store was used with the files of the directory, and is gone or empty. Before it is opened, which makes one.
pub(super) fn is_there(own: &Path, store: &Path) -> anyhow::Result<()> {
    let known_by = known_by(own);
    if known_by.is_empty() {
        // Who moved them away begins anew, and a first start has no mark.
        let _no_mark = std::fs::remove_file(own.join(USED));
        return Ok(());
    }
    let what = match std::fs::metadata(store) {
        Ok(found) if found.len() > 0 => return Ok(()),
        Ok(_) => "is empty",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is gone",
        // Opening it says what it is.
        Err(_) => return Ok(()),
    };
    was_used(own, (store, what))?;
    tracing::warn!(store = %store.display(), files = known_by.join(", "),
        "a new store is begun beside files that were there before: if a store was used with them, end this control plane and restore \
         the store from a backup, for nodes that were revoked in it are let in again");
    Ok(())
}

/// Ends the start where a store was used with the files of the directory, and the one that was opened is as good as new; else notes that
/// this one is used, which has a signer.
pub(super) async fn is_used(own: &Path, (path, store): (&Path, &Store)) -> anyhow::Result<()> {
    if store.newest_signer().await?.is_none() {
        return was_used(own, (path, "holds nothing"));
    }
    let (mark, place) = (own.join(USED), format!("{}\n", path.display()));
    if std::fs::read_to_string(&mark).is_ok_and(|noted| noted == place) {
        return Ok(());
    }
    if let Err(error) = write_private(&mark, place.as_bytes()) {
        tracing::warn!(path = %mark.display(), %error, "that a store is used can't be noted: a start without it would begin a new one");
    }
    Ok(())
}

fn was_used(own: &Path, (store, what): (&Path, &str)) -> anyhow::Result<()> {
    let (mark, known_by) = (own.join(USED), known_by(own));
    if known_by.is_empty() || !mark.try_exists().unwrap_or(true) {
        return Ok(());
    }
    let noted = std::fs::read_to_string(&mark).unwrap_or_default();
    let (store, noted) = (store.display().to_string(), noted.trim());
    let moved = match noted.is_empty() || noted == store {
        true => String::new(),
        false => format!(" (the one that was used was `{noted}`)"),
    };
    bail!(
        "the store `{store}` {what}{moved}, and one was used with {}: restore it from a backup; or, to begin anew on purpose, move \
         `{}` and `{}` away, and then enrol every node anew; no new store was begun",
        known_by.join(" and "),
        master_key(own).display(),
        own.join("ca").display()
    );
}

/// The files of the directory that a control plane is known by, as far as they are there.
fn known_by(own: &Path) -> Vec<String> {
    let files = [master_key(own), own.join("ca").join(Authority::FILE)];
    let there = files.into_iter().filter(|path| path.try_exists().unwrap_or(true));
    there.map(|path| format!("`{}`", path.display())).collect()
}

/// The sealer under the master key of the environment or of the directory; made there where there is no store yet.
pub(super) fn sealer(own: &Path, store: &Path) -> anyhow::Result<Sealer> {
    if let Ok(key) = std::env::var(MASTER_KEY_VARIABLE) {
        return Sealer::from_base64(&zeroize::Zeroizing::new(key))
            .context("the master key of the environment");
    }
    let path = master_key(own);
    let used = std::fs::metadata(store).is_ok_and(|found| found.len() > 0);
    if used && !path.try_exists().unwrap_or(true) {
        bail!(
            "the master key `{}` is gone, and the store `{}` is sealed under it: put the file back from a backup, or give the key in \
             `{MASTER_KEY_VARIABLE}`; nothing was made in its place",
            path.display(),
            store.display()
        );
    }
    Sealer::from_file(&path).with_context(|| format!("the master key `{}`", path.display()))
}

/// The authority of the directory, once it is known that the store is sealed under this master key and that nodes will believe what its
/// signer signs; made where there is no signer yet, or where one of a later generation is to replace it.
pub(super) async fn authority(
    own: &Path,
    (store, sealer): (&Store, &Sealer),
    least: u64,
) -> anyhow::Result<Authority> {
    let dir = own.join("ca");
    let Some(newest) = store.newest_signer().await? else { return Ok(Authority::open_or_create(&dir)?) };
    if sealer.open(Use::Signer(&newest.generation.to_string()), &newest.sealed_key).is_err() {
        bail!(
            "the store is not sealed under this master key (`{MASTER_KEY_VARIABLE}`, or else `{}`): give the key that it was sealed \
             under, from a backup; nothing was changed",
            master_key(own).display()
        );
    }
    if newest.generation < least {
        return Ok(Authority::open_or_create(&dir)?);
    }
    held(&dir, &newest)
}

/// The authority that the nodes know, and no other.
fn held(dir: &Path, newest: &SignerRow) -> anyhow::Result<Authority> {
    let path = dir.join(Authority::FILE);
    let anew = format!(
        "put the file back from a backup; or, if another authority is meant, set `sync.signer_generation` to {} and give every node a \
         certificate of it",
        newest.generation.saturating_add(1)
    );
    if !path.try_exists().unwrap_or(true) {
        bail!("the authority `{}` is gone, and nodes trust no other: {anew}", path.display());
    }
    let authority = Authority::open(dir)?;
    if !vouched(newest, &authority) {
        bail!(
            "the authority `{}` is not the one whose signer the nodes trust, unless this machine's clock is wrong: {anew}",
            path.display()
        );
    }
    Ok(authority)
}

/// Who is who, of the file beside the store, without those who were erased since it was backed up.
pub(super) async fn subjects(
    (config, own): (&SubjectsConfig, &Path),
    store: &Store,
    sealer: Arc<Sealer>,
) -> anyhow::Result<Subjects> {
    let path = config.path.clone().unwrap_or_else(|| own.join("subjects.db"));
    let open = async {
        let subjects = Subjects::open(SubjectStore::open(&path).await?, sealer).await?;
        for pseudonym in store.erased().await? {
            subjects.erase(&pseudonym).await?;
        }
        Ok::<_, SubjectError>(subjects)
    };
    open.await.with_context(|| format!("the file of who is who `{}` can't be opened", path.display()))
}

/// Ends the start where the file of who is who does not know the principals in force, unless that is meant.
pub(super) async fn knows_its_people(config: &SubjectsConfig, publisher: &Publisher) -> anyhow::Result<()> {
    let erased = publisher.store().erased().await?;
    match publisher.subjects().settle(&publisher.current().facts, &erased) {
        Err(error @ SubjectError::Gone { .. }) if config.nameless => {
            tracing::warn!(%error, "people are known by their pseudonyms alone");
            Ok(())
        }
        settled => Ok(settled?),
    }
}

fn master_key(own: &Path) -> PathBuf {
    own.join("master.key")
}

/// The files as they were read.
pub(super) struct Read(Vec<(PathBuf, Option<Digest>)>);

impl Read {
    /// Those of the directory, now.
    pub(super) fn of(own: &Path) -> Self {
        let key = std::env::var_os(MASTER_KEY_VARIABLE).is_none().then(|| master_key(own));
        let paths = key.into_iter().chain([own.join("ca").join(Authority::FILE)]);
        Self(paths.map(|path| (path.clone(), digest(&path))).collect())
    }

    /// Looks at them until `stop`, and tells what became of each, once.
    pub(super) async fn watch(self, stop: CancellationToken) {
        let mut told = Vec::new();
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let now = self.amiss();
            for (path, what) in now.iter().filter(|amiss| !told.contains(*amiss)) {
                tracing::error!(path = %path.display(), what, "this control plane runs on what it has read, and the next start will \
                    not: put the file back as it was, from a backup");
            }
            for (path, _) in told.iter().filter(|(path, _)| now.iter().all(|(amiss, _)| amiss != path)) {
                tracing::info!(path = %path.display(), "the file is as it was again");
            }
            told = now;
        }
    }

    /// Those that are not as they were read, and what they are.
    fn amiss(&self) -> Vec<(PathBuf, &'static str)> {
        let amiss = |(path, then): &(PathBuf, Option<Digest>)| match digest(path) {
            now if now == *then => None,
            None => Some((path.clone(), "gone")),
            Some(_) => Some((path.clone(), "changed")),
        };
        self.0.iter().filter_map(amiss).collect()
    }
}

/// Of what a file holds; `None` where it can't be read.
fn digest(path: &Path) -> Option<Digest> {
    std::fs::read(path).ok().map(|bytes| sha256(&zeroize::Zeroizing::new(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_the_files_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path();
        std::fs::create_dir(own.join("ca")).unwrap();
        let (key, authority) = (master_key(own), own.join("ca").join(Authority::FILE));
        for path in [&key, &authority] {
            std::fs::write(path, "as it was").unwrap();
        }
        let read = Read::of(own);
        assert_eq!(read.amiss(), []);
        std::fs::remove_file(&authority).unwrap();
        std::fs::write(&key, "another").unwrap();
        assert_eq!(read.amiss(), [(key.clone(), "changed"), (authority.clone(), "gone")]);
        for path in [&key, &authority] {
            std::fs::write(path, "as it was").unwrap();
        }
        assert_eq!(read.amiss(), []);
    }
}
