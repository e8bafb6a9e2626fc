//! When the control plane was last heard, on disk, so that a restart makes nothing fresh.
//!
//! Law: two instants of the wall clock, the one it was heard at and the latest that is known to have come; a clock that is set back
//! before a restart is believed no earlier than the second. It is not flushed: a machine that ends may lose seconds of it, and what
//! can't be read is as old as the newest policy on the disk.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use crate::policy::disk;

/// The most of it that is read, in bytes: far above what is written.
const MOST: u64 = 1 << 10;

/// What is written, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    /// When the control plane was last heard.
    pub(super) heard: i64,
    /// The latest time that is known to have come.
    pub(super) now: i64,
}

/// Where it is written.
#[derive(Debug)]
pub(super) struct Kept(Option<PathBuf>);

impl Kept {
    /// In memory alone.
    pub(super) fn nowhere() -> Self {
        Self(None)
    }

    /// In the file `heard` of a directory.
    pub(super) fn at(directory: &Path) -> Self {
        Self(Some(directory.join("heard")))
    }

    /// What was written; `None` where nothing was and there is no policy either.
    pub(super) fn read(&self) -> Option<Words> {
        let path = self.0.as_deref()?;
        let words = match disk::read_text(path, MOST) {
            Ok(Some(text)) => parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        };
        words.or_else(|error| of_policy(path, error)).ok()
    }

    /// Writes it down; one that can't be is told, and tried again at the next turn.
    pub(super) fn write(&self, words: Words) {
        let Some(path) = &self.0 else { return };
        let text = format!("{} {}\n", words.heard, words.now);
        if let Err(error) = disk::replace_unflushed(path, text.as_bytes()) {
            tracing::warn!(path = %path.display(), %error, "when the control plane was heard can't be written down");
        }
    }
}

fn parse(text: &str) -> Option<Words> {
    let (heard, now) = text.trim_end().split_once(' ')?;
    let words = Words { heard: heard.parse().ok()?, now: now.parse().ok()? };
    (words.heard <= words.now).then_some(words)
}

/// When the newest policy came, which was heard no later than it was kept.
fn of_policy(path: &Path, error: io::Error) -> io::Result<Words> {
    let kept = fs::metadata(path.with_file_name("policy.current"))?.modified()?;
    if error.kind() != io::ErrorKind::NotFound {
        tracing::warn!(path = %path.display(), %error, "when the control plane was heard can't be read");
    }
    let since = kept.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let heard = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Ok(Words { heard, now: heard })
}
