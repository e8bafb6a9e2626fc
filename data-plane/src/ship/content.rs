//! Files of captured content on their way to the geo's store, and out of it when their time is over.
//!
//! Law: a file is in the store under the name it has here, and goes from here once it is there. What is over goes, here and in the store,
//! by its name, whichever node brought it, unless it is held (`captured::Holds`); nothing else is removed. Nobody waits for any of it.
//! Where there is no store, files stay here until they are over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policy_engine::vocabulary::{Geo, Instant};
use tokio_util::sync::CancellationToken;

use super::{NotShipped, Store, blocking, dir};
use crate::captured::{Files, Holds, Named, day};
use crate::policy::BackOff;
use crate::retained::Retained;

/// How long nothing is looked for at most, and at least.
const REST: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(1)];

/// Where files are kept: each has a name from its day on, below a prefix.
struct Shelf<'s> {
    store: &'s Store,
    /// Empty, or ending in `/`.
    prefix: String,
}

/// Brings files to a store as they are closed, and deletes what is over and not held; until `stop`.
pub(crate) async fn run(
    (files, retained): (Arc<Files>, Arc<Retained>),
    (store, geo): (Option<Store>, Geo),
    stop: CancellationToken,
) {
    let Some(root) = files.dir().map(Path::to_owned) else { return };
    let here = Store::Directory(root.clone());
    let here = Shelf { store: &here, prefix: String::new() };
    let there = store.as_ref().map(|store| Shelf { store, prefix: prefix(&geo) });
    let (mut changed, mut said) = (files.follow(), retained.follow());
    let (mut back_off, mut is_away) = (BackOff::default(), false);
    loop {
        changed.borrow_and_update();
        said.borrow_and_update();
        let turned = turn(&files, &root, (&here, there.as_ref()), retained.as_ref()).await;
        let wait = match &turned {
            Ok(next) => until(*next),
            Err(_) => back_off.pause(),
        };
        match &turned {
            Ok(_) if std::mem::take(&mut is_away) => tracing::info!("captured content is shipped again"),
            Err(error) if !std::mem::replace(&mut is_away, true) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "captured content can't be shipped, or not be deleted: it is tried again"
                );
            }
            _ => {}
        }
        let wait = async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = changed.changed(), if turned.is_ok() => {}
                _ = said.changed(), if turned.is_ok() => {}
            }
        };
        if stop.run_until_cancelled(wait).await.is_none() {
            return;
        }
        if turned.is_ok() {
            back_off = BackOff::default();
        }
    }
}

/// Brings what is closed to a store, once.
pub(crate) async fn rest(files: &Files, store: &Store, geo: &Geo) -> Result<(), NotShipped> {
    let Some(root) = files.dir() else { return Ok(()) };
    Shelf { store, prefix: prefix(geo) }.take_in(root).await
}

/// Where a store has the files of a geo.
fn prefix(geo: &Geo) -> String {
    format!("captured/{geo}/")
}

/// Ships what is closed and deletes what is over; gives when something will be.
async fn turn(
    files: &Files,
    root: &Path,
    (here, there): (&Shelf<'_>, Option<&Shelf<'_>>),
    holds: &dyn Holds,
) -> Result<Option<Instant>, NotShipped> {
    let (mut next, mut gone) = here.sweep(holds).await?;
    let shipped = match there {
        Some(there) => {
            let (shipped, swept) = (there.take_in(root).await, there.sweep(holds).await);
            if let Ok((later, also)) = &swept {
                next = next.into_iter().chain(*later).min();
                gone = gone.saturating_add(*also);
            }
            shipped.and(swept.map(drop))
        }
        None => Ok(()),
    };
    files.note_deleted(gone);
    files.note_waiting(closed(root).await?.len() as u64);
    shipped.map(|()| next)
}

impl Shelf<'_> {
    /// Puts the files of a directory here, each removed there once it is.
    async fn take_in(&self, root: &Path) -> Result<(), NotShipped> {
        for name in closed(root).await? {
            let from = root.join(&name);
            self.store.put(&from, &format!("{}{name}", self.prefix)).await?;
            blocking(&from.clone(), move || dir::remove(&from)).await?;
        }
        Ok(())
    }

    /// Deletes what is over; gives when the next is, as far as that was looked for, and how many went.
    async fn sweep(&self, holds: &dyn Holds) -> Result<(Option<Instant>, u64), NotShipped> {
        let now = Instant(jiff::Timestamp::now().as_microsecond());
        let (mut next, mut gone) = (None::<Instant>, 0_u64);
        for name in self.store.list(&self.prefix, &day(now)).await? {
            let Some(named) = Named::read(&name) else { continue };
            if named.goes(now, holds) {
                self.store.remove(&format!("{}{name}", self.prefix)).await?;
                gone = gone.saturating_add(1);
            } else if named.until > now {
                next = Some(next.map_or(named.until, |next| next.min(named.until)));
            }
        }
        Ok((next, gone))
    }
}

/// The names of the files that are closed, the first that is over first.
async fn closed(root: &Path) -> Result<Vec<String>, NotShipped> {
    let of = root.to_owned();
    let mut names = blocking(root, move || dir::list(&of, None)).await?;
    names.retain(|name| Named::read(name).is_some());
    names.sort();
    Ok(names)
}

/// How long it is until an instant, within bounds.
fn until(next: Option<Instant>) -> Duration {
    let [most, least] = REST;
    let now = jiff::Timestamp::now().as_microsecond();
    let left = next.map(|next| u64::try_from(next.0.saturating_sub(now)).unwrap_or(0));
    left.map_or(most, |left| Duration::from_micros(left).clamp(least, most))
}

#[cfg(test)]
mod tests;
