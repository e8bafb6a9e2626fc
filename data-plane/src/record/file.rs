//! The outbox's files: numbered, appended to, rotated by size.
//!
//! Law: a file holds whole lines only. A line that a crash tore is cut off when the file is opened; one that a full disk tore is
//! cut off at once. What is written goes to the end of the file whatever else writes there, and nobody but the owner reads it.
//! Deliberately absent: deleting (whoever delivers the records does that) and reading.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::private;

/// How much is read at a time when the last line feed is looked for.
const BLOCK: u64 = 64 * 1024;

/// The file that is appended to.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    number: u64,
    file: File,
    length: u64,
    most: u64,
}

impl Segments {
    /// Opens the latest file of `dir`, or the first, and cuts off what a crash tore.
    pub(super) fn open(dir: &Path, most: u64) -> io::Result<Self> {
        private::own_dir(dir)?;
        let number = latest(dir)?.unwrap_or(1);
        let (file, length) = open_whole(&path(dir, number))?;
        Ok(Self { dir: dir.to_owned(), number, file, length, most })
    }

    /// Appends whole lines. After an error the file is as it was before.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length.saturating_add(lines.len() as u64) > self.most {
            self.rotate()?;
        }
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

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let number = self.number.saturating_add(1);
        let (file, length) = open_whole(&path(&self.dir, number))?;
        (self.number, self.file, self.length) = (number, file, length);
        // The new name must be as durable as what will be written under it.
        File::open(&self.dir)?.sync_all()
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.jsonl"))
}

fn latest(dir: &Path) -> io::Result<Option<u64>> {
    let mut found = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|n| n.parse().ok());
        found = found.max(number);
    }
    Ok(found)
}

/// Opens for appending, after the last whole line.
fn open_whole(path: &Path) -> io::Result<(File, u64)> {
    // Appending is the system's own (O_APPEND): were two to write the same file, neither would overwrite the other's lines.
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut end = length;
    let mut whole = 0;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&file).take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            whole = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok((file, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(dir: &Path, number: u64) -> String {
        fs::read_to_string(path(dir, number)).unwrap()
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_the_rest_kept() {
        let dir = tempfile::tempdir().unwrap();
        for (torn, kept) in [("a\nb\nhalf", "a\nb\n"), ("half", ""), ("", ""), ("a\n", "a\n")] {
            fs::write(path(dir.path(), 1), torn).unwrap();
            let mut segments = Segments::open(dir.path(), 1000).unwrap();
            assert_eq!(lines(dir.path(), 1), kept);
            segments.append(b"next\n").unwrap();
            segments.sync().unwrap();
            assert_eq!(lines(dir.path(), 1), format!("{kept}next\n"));
        }
        let long = "x".repeat(BLOCK as usize * 2 + 5);
        fs::write(path(dir.path(), 1), format!("a\n{long}")).unwrap();
        Segments::open(dir.path(), 1000).unwrap();
        assert_eq!(lines(dir.path(), 1), "a\n");
    }

    #[test]
    fn nobody_but_the_owner_reads_a_record() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("outbox");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        Segments::open(&dir, 10).unwrap().append(b"a\n").unwrap();
        assert_eq!((mode(&dir), mode(&path(&dir, 1))), (0o700, 0o600));
        fs::set_permissions(path(&dir, 1), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let mut segments = Segments::open(&dir, 1).unwrap();
        segments.append(b"b\n").unwrap();
        let all = [dir.clone(), path(&dir, 1), path(&dir, 2)].map(|path| mode(&path));
        assert_eq!(all, [0o700, 0o600, 0o600]);
    }

    #[test]
    fn two_that_write_the_same_file_overwrite_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = Segments::open(dir.path(), 1000).unwrap();
        let mut two = Segments::open(dir.path(), 1000).unwrap();
        for _ in 0..3 {
            one.append(b"one\n").unwrap();
            two.append(b"two\n").unwrap();
        }
        assert_eq!(lines(dir.path(), 1), "one\ntwo\n".repeat(3));
    }

    #[test]
    fn files_rotate_by_size_and_the_latest_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        let mut segments = Segments::open(dir.path(), 10).unwrap();
        for line in [b"12345\n", b"67890\n", b"abcde\n"] {
            segments.append(line).unwrap();
        }
        assert_eq!((lines(dir.path(), 1), lines(dir.path(), 3)), ("12345\n".into(), "abcde\n".into()));
        let mut again = Segments::open(dir.path(), 100).unwrap();
        again.append(b"f\n").unwrap();
        assert_eq!(lines(dir.path(), 3), "abcde\nf\n");
    }
}
