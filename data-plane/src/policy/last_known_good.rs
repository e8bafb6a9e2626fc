//! The last policies that were enforced, on disk, so that a node starts without the control plane.
//!
//! Law: a frame counts only if every byte of it is what was written; whoever reads one verifies it like a message from the wire.
//! Keeping a change costs what changed: a file is a whole snapshot and the changes that came after it, each in a frame of its own
//! that is flushed before the next, so that what a crash cuts off is at most the last. A file is begun anew when its changes
//! outweigh its beginning.
//!
//! | file | holds |
//! |---|---|
//! | `policy.current` | what is enforced, and on the way to it what was enforced before |
//! | `policy.previous` | the file that was current before that |
//! | `policy.proven` | what a process lived with for a minute after its start |
//!
//! Absent on purpose: opened secrets; what is kept of them is sealed to this node's key.

mod frame;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::disk;
use super::verify::Offer;
use crate::private;
pub(crate) use frame::Journal;
use frame::{Frame, read};

/// Bytes of changes that a file takes however small its beginning is.
const CHANGES: u64 = 1 << 20;

/// Frames of one file; reading it back takes that many steps.
const FRAMES: usize = 256;

/// The directory of the kept policies. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LastKnownGood {
    directory: PathBuf,
    open: Arc<Mutex<Option<Open>>>,
}

/// The current file, as this process wrote it.
#[derive(Debug)]
struct Open {
    file: File,
    /// The digest of what its last frame makes of it.
    tip: Bytes,
    beginning: u64,
    changes: u64,
    frames: usize,
}

/// How a policy was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In its file, or behind what is in it.
    InItsFile,
    /// In a file of its own, and the one that was there is the previous one now.
    InPlaceOfThePrevious,
}

impl LastKnownGood {
    /// Policies kept in this directory, which is made when the first is.
    pub(crate) fn at(directory: &Path) -> Self {
        if directory.is_dir()
            && let Err(error) = private::own_dir(directory)
        {
            tracing::warn!(path = %directory.display(), %error, "the kept policies can't be closed to others");
        }
        Self { directory: directory.to_owned(), open: Arc::default() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("policy.{name}"))
    }

    /// Keeps what is enforced now, under the digest `tip`: as the change that it came as, where what it changes is the end of the
    /// current file, otherwise whole, as `whole` gives it.
    pub(crate) fn keep(
        &self,
        (offer, secrets): (&Offer, &Bytes),
        tip: &[u8],
        whole: impl FnOnce() -> Offer,
    ) -> io::Result<Kept> {
        let mut held = self.open.lock();
        let fitting = held.as_mut().filter(|open| open.takes(offer));
        if let Some(open) = fitting {
            let appended = open.append(&Frame { offer: offer.clone(), secrets: secrets.clone() });
            if appended.is_ok() {
                open.tip = Bytes::copy_from_slice(tip);
                return Ok(Kept::InItsFile);
            }
            // A frame that was cut hides those after it, so nothing is appended behind it.
            *held = None;
        }
        let offer = if offer.base.is_empty() { offer.clone() } else { whole() };
        *held = None;
        let (open, kept) = self.begin(&Frame { offer, secrets: secrets.clone() }, tip)?;
        *held = Some(open);
        Ok(kept)
    }

    /// Begins the current file anew; what it was becomes the previous one. At every moment one of the two is whole.
    fn begin(&self, frame: &Frame, tip: &[u8]) -> io::Result<(Open, Kept)> {
        let (current, written) = (self.file("current"), frame.encoded());
        let staged = disk::stage(&current, &[&written])?;
        let moved = renamed(fs::rename(&current, self.file("previous")))?;
        staged.put()?;
        let file = OpenOptions::new().append(true).open(&current)?;
        let (tip, beginning) = (Bytes::copy_from_slice(tip), written.len() as u64);
        let kept = if moved { Kept::InPlaceOfThePrevious } else { Kept::InItsFile };
        Ok((Open { file, tip, beginning, changes: 0, frames: 1 }, kept))
    }

    /// Puts new secrets beside the policy that is kept; nothing where none is.
    pub(crate) fn renew(&self, secrets: Bytes) -> io::Result<()> {
        let mut held = self.open.lock();
        let frame = Frame { offer: Offer::default(), secrets };
        if let Some(open) = held.as_mut() {
            return open.append(&frame).inspect_err(|_| *held = None);
        }
        match read(&self.file("current")) {
            Some(_) => {
                let mut file = OpenOptions::new().append(true).open(self.file("current"))?;
                file.write_all(&frame.encoded())?;
                file.sync_data()
            }
            None => Ok(()),
        }
    }

    /// Keeps what a process has lived with, apart from what comes and goes.
    pub(crate) fn prove(&self, whole: Offer, secrets: &Bytes) -> io::Result<()> {
        let frame = Frame { offer: whole, secrets: secrets.clone() };
        disk::replace(&self.file("proven"), &[&frame.encoded()])
    }

    /// The kept policies, the current file first, each read when it is its turn. A current one without a beginning is set aside, so
    /// that it never takes the place of the one before it.
    pub(crate) fn load(&self) -> impl Iterator<Item = Journal> + use<> {
        let kept = self.clone();
        ["current", "previous", "proven"].into_iter().filter_map(move |name| {
            let journal = read(&kept.file(name));
            if journal.is_none() && name == "current" {
                kept.set_aside();
            }
            journal
        })
    }

    /// Puts the current file where it is never read: it does not take the place of the one before it.
    pub(crate) fn set_aside(&self) {
        let current = self.file("current");
        if let Err(error) = renamed(fs::rename(&current, self.file("unsound"))) {
            tracing::warn!(path = %current.display(), %error, "a kept policy can't be set aside");
        }
    }
}

impl Open {
    /// Whether an offer is a change of what the file ends with, and there is room for it.
    fn takes(&self, offer: &Offer) -> bool {
        let after = self.changes.saturating_add(offer.contents.len() as u64);
        !offer.base.is_empty()
            && offer.base == self.tip
            && self.frames < FRAMES
            && after <= self.beginning.max(CHANGES)
    }

    fn append(&mut self, frame: &Frame) -> io::Result<()> {
        let written = frame.encoded();
        self.file.write_all(&written)?;
        self.file.sync_data()?;
        self.changes = self.changes.saturating_add(written.len() as u64);
        self.frames += 1;
        Ok(())
    }
}

/// A file that is not there needs no new name; tells whether one was.
fn renamed(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}

#[cfg(test)]
mod tests;
