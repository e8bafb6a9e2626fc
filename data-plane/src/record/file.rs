//! The outbox's files: numbered, appended to, each closed by a manifest beside it.
//!
//! Law: a file holds whole lines only. A line that a crash tore is cut off when the file is opened; one that a full disk tore is
//! cut off at once. What is written goes to the end of the file whatever else writes there, and nobody but the owner reads it.
//! Deliberately absent: what is in a line, and deleting (whoever delivers the records does that).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::policy::disk;

/// What ends the name of a file of lines, and of a manifest.
pub(super) const LINES: &str = "jsonl";
pub(super) const MANIFEST: &str = "manifest";

/// The most of a manifest that is read, in bytes.
pub(super) const MOST: u64 = 64 << 10;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    length: u64,
}

impl Lines {
    /// Opens a file for appending, whole as it is, and makes it where there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Appending is the system's own (O_APPEND): were two to write the same file, neither would overwrite the other's lines.
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        // The new name must be as durable as what will be written under it.
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What it holds, from its beginning.
    pub(super) fn reader(&self) -> io::Result<impl io::BufRead + use<>> {
        use io::Seek as _;
        let mut file = self.file.try_clone()?;
        file.seek(io::SeekFrom::Start(0))?;
        Ok(io::BufReader::with_capacity(1 << 16, file))
    }

    /// Cuts off what is after so many bytes, durably.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        self.file.sync_all()
    }

    /// Appends whole lines. After an error the file is as it was before.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        if written.is_err() {
            self.file.set_len(self.length)?;
            return written;
        }
        self.length = self.length.saturating_add(lines.len() as u64);
        Ok(())
    }

    /// Brings what was appended to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The file of a number, of lines or of a manifest.
pub(super) fn path(dir: &Path, number: u64, ending: &str) -> PathBuf {
    dir.join(format!("{number:010}.{ending}"))
}

/// The numbers of the files with an ending, ascending.
pub(super) fn numbers(dir: &Path, ending: &str) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_suffix(ending)?.strip_suffix('.')?.parse::<u64>().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// Bytes of the files of a number.
pub(super) fn held_by(dir: &Path, number: u64) -> u64 {
    // One that was removed meanwhile holds nothing.
    let length = |ending| fs::metadata(path(dir, number, ending)).map_or(0, |found| found.len());
    length(LINES).saturating_add(length(MANIFEST))
}

/// Bytes of the files with a number.
pub(super) fn held(dir: &Path) -> io::Result<u64> {
    let mut held = 0_u64;
    for ending in [LINES, MANIFEST] {
        for number in numbers(dir, ending)? {
            // One that was removed meanwhile holds nothing.
            held =
                held.saturating_add(fs::metadata(path(dir, number, ending)).map_or(0, |found| found.len()));
        }
    }
    Ok(held)
}

/// A manifest, where there is one.
pub(super) fn manifest(dir: &Path, number: u64) -> io::Result<Option<Vec<u8>>> {
    disk::read(&path(dir, number, MANIFEST), MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_write_the_same_file_overwrite_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), 1, LINES);
        let (mut one, mut two) = (Lines::open(&path).unwrap(), Lines::open(&path).unwrap());
        for _ in 0..3 {
            one.append(b"one\n").unwrap();
            two.append(b"two\n").unwrap();
        }
        assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\n".repeat(3));
    }

    #[test]
    fn files_are_told_by_their_numbers_and_endings() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["0000000012.jsonl", "0000000002.jsonl", "0000000002.manifest", "x.jsonl", "3jsonl"] {
            fs::write(dir.path().join(name), "abc").unwrap();
        }
        assert_eq!(numbers(dir.path(), LINES).unwrap(), [2, 12]);
        assert_eq!(numbers(dir.path(), MANIFEST).unwrap(), [2]);
        assert_eq!(held(dir.path()).unwrap(), 9);
        assert_eq!(manifest(dir.path(), 2).unwrap().unwrap(), b"abc");
        assert_eq!(manifest(dir.path(), 12).unwrap(), None);
    }
}
