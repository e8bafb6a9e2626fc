//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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
    let mut file = create(&temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    Ok(Staged { temporary, path })
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

/// An empty file that its owner alone may read.
fn create(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
