//! The control plane's audit log, of which this node is a witness: what it has seen of it stays so.
//!
//! Law: while the log is not shown to go on from what was seen of it, no newer policy is taken; what is enforced is enforced on, and what is
//! taken back or switched off is taken as ever. What was seen outlives the process: it is signed, and verified when it is read. Only a
//! signed policy of a newer epoch, which is an operator's word that a restore was meant, lets go of it: what is shown next is what is
//! seen from then on, and both are told. Such a policy is taken without the log once in an epoch; for each after it the log is shown, as
//! it is for all others. A control plane that never showed anything is followed as it is; one that did, shows the log on each stream
//! before it is followed.
//!
//! | file | holds |
//! |---|---|
//! | `audit` | what was seen last, and the key that is believed |
//! | `audit.refused` | the checkpoint that was found wrong last, for whoever has to prove it |
//! | `audit.before` | what was seen before a newer epoch let go of it |
//!
//! Absent on purpose: what the events of the log say.

mod floor;

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use proto::checkpoint::{Checkpoint, MOST as NOTE};
use proto::code::ErrorCode;
use proto::sync::{AuditCheckpoint, Witnessed};

use super::disk;
use super::state::{Standing, Version};
use floor::{Floor, Step, Wrong};

/// The most of the file that is read, in bytes: a checkpoint and two lines.
const MOST: u64 = (NOTE + (1 << 10)) as u64;

/// The longest text that is told, in bytes; see `Witnessed.inconsistency`.
const TEXT: usize = 512;

/// What this node has seen of the log.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    floor: Option<Floor>,
    /// On the stream that is open the log was shown to be what was seen, or to go on from it.
    shown: bool,
    /// What is wrong with what was shown last.
    wrong: Option<String>,
    /// A policy was refused because the log was not shown, and it was not since.
    missed: bool,
    unsaved: bool,
}

impl Log {
    /// What the file in a directory says. One that can't be read, or is not signed as it says, says nothing and is told.
    pub(crate) fn open(directory: &Path) -> Self {
        let path = directory.join("audit");
        let read = disk::read_text(&path, MOST);
        let floor = match read.map(|text| text.map(|text| parse(&text).ok_or(text))) {
            Ok(None) => None,
            Ok(Some(Ok(floor))) => Some(floor),
            Ok(Some(Err(_))) => {
                tracing::error!(path = %path.display(), "what was seen of the audit log is not as it was written: {FIRST}");
                None
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "what was seen of the audit log can't be read: {FIRST}");
                None
            }
        };
        Self { path, known: Mutex::new(Known { floor, ..Known::default() }) }
    }

    /// How the log stands.
    pub(crate) fn standing(&self) -> Standing {
        let known = self.known.lock();
        let size = known.floor.as_ref().map_or(0, |floor| floor.seen.size);
        Standing { size, inconsistent: known.trouble().is_some() }
    }

    /// Epoch and size of what was seen.
    pub(super) fn place(&self) -> (i64, u64) {
        self.known.lock().floor.as_ref().map_or((0, 0), |floor| (floor.epoch, floor.seen.size))
    }

    /// A stream begins, on which nothing was shown yet.
    pub(super) fn begins(&self) {
        self.known.lock().shown = false;
    }

    /// Holds what is shown to what was seen, while a policy of an epoch is in force, and keeps it. Blocks on the disk.
    pub(super) fn hears(&self, shown: &AuditCheckpoint, epoch: i64) -> Witnessed {
        let mut known = self.known.lock();
        // Also where that policy is lost by now.
        let epoch = known.floor.as_ref().map_or(epoch, |floor| floor.unshown.max(epoch));
        match judged(known.floor.as_ref(), shown, epoch) {
            Ok(Taken::On(floor)) => {
                known.unsaved |= known.floor.as_ref() != Some(&floor);
                known.agrees(Some(floor));
            }
            Ok(Taken::Beginning) => {}
            Ok(Taken::Anew(floor)) => {
                self.lets_go(known.floor.as_ref(), &floor);
                known.unsaved = true;
                known.agrees(Some(floor));
            }
            Err(wrong) => self.alarms(&mut known, &wrong, shown),
        }
        self.save_known(&mut known);
        Witnessed {
            size: known.floor.as_ref().map_or(0, |floor| floor.seen.size),
            inconsistency: known.trouble().unwrap_or_default(),
        }
    }

    /// Whether a newer policy may be taken over, or why not. The first one of a newer epoch may without the log.
    pub(super) fn admits(&self, version: &Version) -> Result<(), String> {
        let mut known = self.known.lock();
        let Some(floor) =
            known.floor.as_ref().filter(|floor| version.epoch <= floor.epoch.max(floor.unshown))
        else {
            return Ok(());
        };
        if known.shown && known.wrong.is_none() {
            return Ok(());
        }
        let seen = floor.words();
        if known.wrong.is_none() && !std::mem::replace(&mut known.missed, true) {
            tracing::error!(
                code = ErrorCode::AuditInconsistent.as_str(),
                seen,
                "the control plane shows its audit log no more: no newer policy is taken from it until it does"
            );
        }
        known.trouble().map_or(Ok(()), Err)
    }

    /// A policy is in force. One of a newer epoch is what the log is held to from now on, if it was shown well on this stream; where it was
    /// not, what is shown next is, and it has to be shown before the next policy is.
    pub(super) fn enters(&self, version: &Version) {
        let mut known = self.known.lock();
        let well = known.shown && known.wrong.is_none();
        let Some(floor) = known.floor.as_mut().filter(|floor| floor.epoch < version.epoch) else { return };
        if well {
            (floor.epoch, floor.unshown) = (version.epoch, 0);
            known.unsaved = true;
        } else if floor.unshown < version.epoch {
            floor.unshown = version.epoch;
            tracing::warn!(
                epoch = version.epoch,
                seen = floor.words(),
                "a policy of a newer epoch is in force without the audit log: what is shown next is believed, and no further policy \
                 before it is shown"
            );
            (known.wrong, known.missed, known.unsaved) = (None, false, true);
        }
        self.save_known(&mut known);
    }

    /// Writes what the disk did not take.
    pub(super) fn save(&self) {
        self.save_known(&mut self.known.lock());
    }

    pub(super) fn is_saved(&self) -> bool {
        !self.known.lock().unsaved
    }

    fn save_known(&self, known: &mut Known) {
        let Some(floor) = known.floor.as_ref().filter(|_| known.unsaved) else { return };
        match disk::replace(&self.path, &[text(floor).as_bytes()]) {
            Ok(()) => known.unsaved = false,
            Err(error) => tracing::error!(path = %self.path.display(), %error,
                "what was seen of the audit log is not on disk: it is written again until it is"),
        }
    }

    /// Says once, loudly, that the log is not what it was.
    fn alarms(&self, known: &mut Known, wrong: &Wrong, shown: &AuditCheckpoint) {
        let mut words = wrong.to_string();
        words.truncate(words.floor_char_boundary(TEXT));
        if known.wrong.replace(words).is_some() {
            return;
        }
        let code = ErrorCode::AuditInconsistent.as_str();
        tracing::error!(code, detail = %wrong,
            "the control plane's audit log is not the one this node has seen: no newer policy is taken from it until it is, or an \
             operator says by a new epoch that a restore was meant (`chancery revisions bump-epoch`)");
        self.keep_evidence("refused", shown.note.get(..NOTE.min(shown.note.len())).unwrap_or_default());
    }

    fn lets_go(&self, before: Option<&Floor>, now: &Floor) {
        let Some(before) = before else {
            tracing::info!(seen = now.words(), key = %now.key, "the audit log is seen for the first time, and held to that from now on");
            return;
        };
        tracing::warn!(code = ErrorCode::AuditInconsistent.as_str(), epoch = now.epoch, before = before.words(), now = now.words(), key = %now.key,
            "the audit log is another one, as an operator's new epoch lets it be: it is held to this from now on");
        self.keep_evidence("before", before.note.as_bytes());
    }

    fn keep_evidence(&self, which: &str, note: &[u8]) {
        let path = self.path.with_extension(which);
        if let Err(error) = disk::replace(&path, &[note]) {
            tracing::warn!(path = %path.display(), %error, "a checkpoint can't be kept as evidence");
        }
    }
}

impl Known {
    /// Why no newer policy is taken.
    fn trouble(&self) -> Option<String> {
        let seen = self.floor.as_ref().filter(|_| self.missed);
        let missed = || {
            seen.map(|floor| {
                format!("the audit log is not shown any more, which was seen at {}", floor.words())
            })
        };
        self.wrong.clone().or_else(missed)
    }

    fn agrees(&mut self, floor: Option<Floor>) {
        self.floor = floor;
        self.shown = true;
        let missed = std::mem::take(&mut self.missed);
        if self.wrong.take().is_some() || missed {
            tracing::info!("the audit log is again the one this node has seen, or goes on from it");
        }
    }
}

/// What follows when nothing was seen or what was seen is not known.
const FIRST: &str = "what is shown next is believed as at first";

/// What becomes of what is shown.
enum Taken {
    On(Floor),
    Beginning,
    /// It is the first, or takes the place of what was seen.
    Anew(Floor),
}

fn judged(floor: Option<&Floor>, shown: &AuditCheckpoint, epoch: i64) -> Result<Taken, Wrong> {
    if !shown.fault.is_empty() {
        return Err(Wrong::Admitted(shown.fault.clone()));
    }
    let Some(floor) = floor else { return Floor::first(shown, epoch).map(Taken::Anew) };
    match floor.step(shown, epoch) {
        Ok(Step::On(floor)) => Ok(Taken::On(floor)),
        Ok(Step::Beginning) => Ok(Taken::Beginning),
        Err(_) if floor.epoch < epoch => Floor::first(shown, epoch).map(Taken::Anew),
        Err(wrong) => Err(wrong),
    }
}

/// What the file begins with.
const MARK: &str = "chancery/audit/v1";

/// What begins the line of an epoch that was entered while the log was not shown; there is none where none was.
const UNSHOWN: &str = "unshown ";

fn text(floor: &Floor) -> String {
    let unshown = match floor.unshown {
        0 => String::new(),
        epoch => format!("{UNSHOWN}{epoch}\n"),
    };
    format!("{MARK}\n{}\n{}\n{unshown}\n{}", floor.epoch, floor.key, floor.note)
}

fn parse(text: &str) -> Option<Floor> {
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.lines();
    let known = lines.next() == Some(MARK);
    let (epoch, key) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
    let unshown = lines.find_map(|line| line.strip_prefix(UNSHOWN)?.parse().ok()).unwrap_or_default();
    let seen = Checkpoint::verified(note, &key).ok().filter(|_| known)?;
    Some(Floor { key, seen, note: note.to_owned(), epoch, unshown })
}

#[cfg(test)]
pub(super) mod tests;
