//! Files that are there whole or not at all.
//!
//! Law: what is read and written is a file. A pipe in its place would hold up whoever opens it for ever, and a link that leads nowhere
//! is not a file that was never made: both are errors that say what was found.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::private;

/// A file that is on the disk whole, under a temporary name beside the one it is for.
#[must_use = "it takes its place when it is put there"]
pub(super) struct Staged<'a> {
    temporary: PathBuf,
    path: &'a Path,
}

/// Writes what a file shall hold beside it, readable by the owner alone, and flushes it to the disk.
pub(super) fn stage<'a>(path: &'a Path, parts: &[&[u8]]) -> io::Result<Staged<'a>> {
    private::make_dir(directory(path))?;
    let temporary = path.with_extension("new");
    let file = create(&temporary)?;
    match fill(file, parts) {
        Ok(()) => Ok(Staged { temporary, path }),
        Err(error) => {
            // What is not whole leaves its room to others; that it is still there is what the next attempt finds too.
            drop(fs::remove_file(&temporary));
            Err(error)
        }
    }
}

fn fill(mut file: File, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

impl Staged<'_> {
    /// Takes the file's place, durably.
    pub(super) fn put(self) -> io::Result<()> {
        fs::rename(&self.temporary, self.path)?;
        File::open(directory(self.path))?.sync_all()
    }
}

/// Replaces a file, or leaves it as it is.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    stage(path, parts)?.put()
}

/// Replaces a file whole, without waiting for the disk: a process that ends loses nothing, a machine that does may.
pub(crate) fn replace_unflushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private::make_dir(directory(path))?;
    let temporary = path.with_extension("new");
    create(&temporary)?.write_all(bytes)?;
    fs::rename(&temporary, path)
}

/// A file to be read; `None` where there is none, and an error where it is no file.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    is_there(path)?.then(|| File::open(path)).transpose()
}

/// What a file holds; `None` where there is none, and an error where it holds more than `most` bytes or is no file.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        true => Ok(Some(bytes)),
        false => Err(invalid(format!("it is larger than {most} bytes"))),
    }
}

/// The same of a file of text.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<Option<String>> {
    let text = |bytes| String::from_utf8(bytes).map_err(|error| invalid(error.to_string()));
    read(path, most)?.map(text).transpose()
}

/// Whether there is a file; an error says what else there is.
fn is_there(path: &Path) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?.file_type(),
    };
    let found = match found.is_symlink() {
        true => fs::metadata(path)
            .map_err(|error| invalid(format!("it is a link that leads nowhere: {error}")))?
            .file_type(),
        false => found,
    };
    match found {
        kind if kind.is_file() => Ok(true),
        kind if kind.is_dir() => Err(invalid("it is a directory and not a file")),
        kind if kind.is_fifo() => Err(invalid("it is a pipe and not a file")),
        kind if kind.is_socket() => Err(invalid("it is a socket and not a file")),
        _ => Err(invalid("it is a device and not a file")),
    }
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// An empty file that its owner alone may read.
fn create(path: &Path) -> io::Result<File> {
    is_there(path)?;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_03_what_is_no_file_is_told_and_never_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        assert_eq!(read(&path("none"), 9).unwrap(), None);
        fs::write(path("file"), "text").unwrap();
        assert_eq!(read_text(&path("file"), 4).unwrap().as_deref(), Some("text"));
        assert!(read(&path("file"), 3).is_err());
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        assert_eq!(read_text(&path("link"), 9).unwrap().as_deref(), Some("text"));
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        fs::create_dir(path("dir")).unwrap();
        let _listens = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink(path("none"), path("nowhere")).unwrap();
        for (name, what) in [
            ("pipe", "pipe"),
            ("dir", "directory"),
            ("socket", "socket"),
            ("nowhere", "link that leads nowhere"),
        ] {
            let error = read(&path(name), 9).unwrap_err();
            assert!(error.to_string().contains(what) && error.kind() != io::ErrorKind::NotFound, "{error}");
            // What is written first is written there.
            fs::rename(path(name), path("state.new")).unwrap();
            assert!(replace(&path("state"), &[b"new"]).is_err(), "{name}");
            assert!(replace_unflushed(&path("state"), b"new").is_err(), "{name}");
            fs::rename(path("state.new"), path(name)).unwrap();
        }
    }
}
