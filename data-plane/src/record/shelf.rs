//! Segments that are sealed and still here: what became of each, and which may go.
//!
//! Law: a segment goes once the store has it and the audit log knows of it, and no sooner; the newest stays, for the next one follows it.
//! How far either got is on disk without waiting for it: a start that knows less does both again, which changes nothing. Absent on
//! purpose: bringing segments to a store, and the words with the control plane.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use policy_engine::vocabulary::Instant;
use proto::segment::{Ended, Manifest, Signed};
use proto::sync::{SealedSegment, Segments};
use tokio::sync::watch;
use tokio::time::Instant as Moment;

use super::file::{self, LINES, MANIFEST};
use crate::policy::disk;

/// Segments that are told of in one message.
const MOST: usize = 256;

/// After how long what was not answered is told again.
const AGAIN: Duration = Duration::from_secs(30);

/// The file that says how far anchoring and shipping got.
const MARKS: &str = "marks";

/// The sealed segments of a directory.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// `None`: nothing is kept.
    dir: Option<PathBuf>,
    held: Arc<AtomicU64>,
    kept: Mutex<Kept>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    sealed: BTreeMap<u64, Sealed>,
    marks: Marks,
}

/// Up to which number every segment is anchored, and shipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    anchored: u64,
    shipped: u64,
}

#[derive(Debug)]
struct Sealed {
    /// What is told of it, until it is anchored.
    told: Option<SealedSegment>,
    shipped: bool,
    bytes: u64,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { dir: None, held: Arc::default(), kept: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Shelf {
    /// What is sealed in a directory.
    pub(super) fn open(dir: &Path, held: Arc<AtomicU64>) -> io::Result<Self> {
        let marks = Marks::read(&dir.join(MARKS));
        let mut sealed = BTreeMap::new();
        for number in file::numbers(dir, MANIFEST)? {
            let bytes = file::held_by(dir, number);
            let told = match number > marks.anchored {
                true => file::manifest(dir, number)?.and_then(|text| Signed::read(&text).ok()),
                false => None,
            };
            let told = told.map(|signed| told_of(&signed));
            sealed.insert(number, Sealed { told, shipped: number <= marks.shipped, bytes });
        }
        let kept = Mutex::new(Kept { sealed, marks });
        Ok(Self { dir: Some(dir.to_owned()), held, kept, changed: watch::channel(0).0 })
    }

    /// A segment was sealed.
    pub(super) fn add(&self, number: u64, text: &[u8]) {
        let (Some(dir), Ok(signed)) = (&self.dir, Signed::read(text)) else { return };
        let bytes = file::held_by(dir, number);
        let sealed = Sealed { told: Some(told_of(&signed)), shipped: false, bytes };
        self.kept.lock().sealed.insert(number, sealed);
        self.stir();
    }

    /// Segments that are in the audit log, by the hashes of their manifests.
    pub(crate) fn anchored<'h>(&self, hashes: impl IntoIterator<Item = &'h [u8]>) {
        let mut kept = self.kept.lock();
        for hash in hashes {
            let is_it = |told: &SealedSegment| told.manifest_hash == hash;
            let found = kept.sealed.values_mut().find(|sealed| sealed.told.as_ref().is_some_and(is_it));
            if let Some(sealed) = found {
                sealed.told = None;
            }
        }
        self.mark(&mut kept);
        drop(kept);
        self.stir();
    }

    /// The oldest segment that the store does not have.
    pub(crate) fn unshipped(&self) -> Option<u64> {
        let kept = self.kept.lock();
        kept.sealed.iter().find(|(_, sealed)| !sealed.shipped).map(|(number, _)| *number)
    }

    /// The store has a segment.
    pub(crate) fn shipped(&self, number: u64) {
        let mut kept = self.kept.lock();
        if let Some(sealed) = kept.sealed.get_mut(&number) {
            sealed.shipped = true;
        }
        self.mark(&mut kept);
        drop(kept);
        self.stir();
    }

    /// How many segments wait to be anchored, and to be shipped.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        let count = |waits: fn(&Sealed) -> bool| kept.sealed.values().filter(|sealed| waits(sealed)).count();
        (count(|sealed| sealed.told.is_some()), count(|sealed| !sealed.shipped))
    }

    /// The two files of a segment, lines first.
    pub(crate) fn files(&self, number: u64) -> Option<[PathBuf; 2]> {
        let dir = self.dir.as_deref()?;
        Some([LINES, MANIFEST].map(|ending| file::path(dir, number, ending)))
    }

    /// Removes the oldest segments that may go, until what is left has at most so many bytes.
    pub(crate) fn prune(&self, most: u64) {
        loop {
            let mut kept = self.kept.lock();
            let bytes: u64 = kept.sealed.values().map(|sealed| sealed.bytes).sum();
            let oldest = kept.sealed.first_key_value().filter(|_| kept.sealed.len() > 1 && bytes > most);
            let goes = oldest.filter(|(_, sealed)| sealed.shipped && sealed.told.is_none());
            let Some(number) = goes.map(|(number, _)| *number) else { return };
            for path in self.files(number).into_iter().flatten() {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(path = %path.display(), %error, "a segment that is shipped can't be removed");
                        return;
                    }
                    _ => {}
                }
            }
            let gone = kept.sealed.remove(&number).map_or(0, |sealed| sealed.bytes);
            self.held.fetch_sub(gone, Ordering::Relaxed);
        }
    }

    /// The segments by the hashes of their manifests.
    pub(crate) fn by_hash(&self) -> io::Result<BTreeMap<Vec<u8>, u64>> {
        let Some(dir) = &self.dir else { return Ok(BTreeMap::new()) };
        let numbers: Vec<u64> = self.kept.lock().sealed.keys().copied().collect();
        let mut found = BTreeMap::new();
        for number in numbers {
            let signed = file::manifest(dir, number)?.and_then(|text| Signed::read(&text).ok());
            found.extend(signed.map(|signed| (signed.hash().to_vec(), number)));
        }
        Ok(found)
    }

    /// Removes the lines of a segment, and leaves its manifest; whether they are gone. They stay while the audit log does not know of it,
    /// or the store, where there is one.
    pub(crate) fn remove_lines(&self, number: u64, is_stored: bool) -> io::Result<bool> {
        let Some(dir) = &self.dir else { return Ok(false) };
        let mut kept = self.kept.lock();
        let Some(sealed) = kept.sealed.get_mut(&number) else { return Ok(true) };
        if sealed.told.is_some() || (is_stored && !sealed.shipped) {
            return Ok(false);
        }
        match fs::remove_file(file::path(dir, number, LINES)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let left = file::held_by(dir, number);
        self.held.fetch_sub(sealed.bytes.saturating_sub(left), Ordering::Relaxed);
        sealed.bytes = left;
        Ok(true)
    }

    /// Follows what changes: segments that are sealed, shipped or anchored.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells of segments until each is anchored, once the control plane is known to be able to.
    pub(crate) async fn report<F: Future<Output = ()>>(
        &self,
        mut able: watch::Receiver<bool>,
        say: impl Fn(Segments) -> F,
    ) {
        if able.wait_for(|able| *able).await.is_err() {
            return;
        }
        let mut changed = self.changed.subscribe();
        let mut said: BTreeMap<Vec<u8>, Moment> = BTreeMap::new();
        loop {
            changed.borrow_and_update();
            let unanchored = self.unanchored();
            said.retain(|hash, at| {
                at.elapsed() < AGAIN && unanchored.iter().any(|told| told.manifest_hash == *hash)
            });
            let fresh: Vec<_> =
                unanchored.into_iter().filter(|told| !said.contains_key(&told.manifest_hash)).collect();
            said.extend(fresh.iter().map(|told| (told.manifest_hash.clone(), Moment::now())));
            if !fresh.is_empty() {
                say(Segments { segments: fresh }).await;
            }
            let again = async {
                match said.is_empty() {
                    true => std::future::pending().await,
                    false => tokio::time::sleep(AGAIN).await,
                }
            };
            tokio::select! {
                changed = changed.changed() => if changed.is_err() { return },
                () = again => {}
            }
        }
    }

    /// The oldest segments that are not known to be in the audit log.
    pub(super) fn unanchored(&self) -> Vec<SealedSegment> {
        let kept = self.kept.lock();
        kept.sealed.values().filter_map(|sealed| sealed.told.clone()).take(MOST).collect()
    }

    /// Notes how far both got, where that is news.
    fn mark(&self, kept: &mut Kept) {
        let up_to = |before: u64, done: fn(&Sealed) -> bool| {
            kept.sealed
                .iter()
                .take_while(|(_, sealed)| done(sealed))
                .map(|(number, _)| *number)
                .last()
                .unwrap_or(before)
        };
        let marks = Marks {
            anchored: up_to(kept.marks.anchored, |sealed| sealed.told.is_none()),
            shipped: up_to(kept.marks.shipped, |sealed| sealed.shipped),
        };
        if marks == kept.marks {
            return;
        }
        kept.marks = marks;
        let Some(dir) = &self.dir else { return };
        let text = format!("anchored {}\nshipped {}\n", marks.anchored, marks.shipped);
        if let Err(error) = disk::replace_unflushed(&dir.join(MARKS), text.as_bytes()) {
            tracing::warn!(%error, "how far segments got can't be noted: a start would do it again");
        }
    }

    fn stir(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

impl Marks {
    fn read(path: &Path) -> Self {
        let text = disk::read_text(path, file::MOST).ok().flatten().unwrap_or_default();
        let of = |word: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
            line.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Self { anchored: of("anchored"), shipped: of("shipped") }
    }
}

/// What is told of a segment.
fn told_of(signed: &Signed) -> SealedSegment {
    let Manifest { boot_id, first_seq, last_seq, count, previous, sealed, ended, .. } = &signed.manifest;
    let ended = match ended {
        Ended::Full => "full",
        Ended::Time => "time",
        Ended::Shutdown => "shutdown",
        Ended::Recovered => "recovered",
    };
    SealedSegment {
        manifest_hash: signed.hash().to_vec(),
        previous_hash: previous.to_vec(),
        boot_id: boot_id.clone(),
        first_seq: *first_seq,
        last_seq: *last_seq,
        count: *count,
        seal_time: Some(proto::convert::timestamp(Instant(sealed.0))),
        ended: ended.to_owned(),
    }
}
