//! Files of keys and certificates: written whole or not at all, and keys for the owner's eyes alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::CaError;

/// Where a certificate and its key were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// PEM of the certificate.
    pub certificate: PathBuf,
    /// PEM of the private key.
    pub key: PathBuf,
}

/// Writes a file that its owner alone may read (mode 0600); a reader sees the old content or the new, never a part.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    replace(path, bytes, 0o600)
}

/// Likewise, for everybody to read.
pub(super) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    replace(path, bytes, 0o644)
}

/// Writes a private file where there is none; where another process was first, its file stays.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    let made = || -> io::Result<()> {
        let beside = beside(path, bytes, 0o600)?;
        let linked = fs::hard_link(&beside, path);
        fs::remove_file(&beside)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync_directory(path),
        }
    };
    made().map_err(|source| CaError::File { path: path.to_owned(), source })
}

/// Makes a directory that its owner alone may enter, and those above it.
pub(super) fn create_dir(path: &Path) -> Result<(), CaError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| CaError::File { path: path.to_owned(), source })
}

/// Reads a text file.
pub(super) fn read(path: &Path) -> Result<String, CaError> {
    fs::read_to_string(path).map_err(|source| CaError::File { path: path.to_owned(), source })
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CaError> {
    let written = || -> io::Result<()> {
        fs::rename(beside(path, bytes, mode)?, path)?;
        sync_directory(path)
    };
    written().map_err(|source| CaError::File { path: path.to_owned(), source })
}

/// A new file of that content beside the path, on disk.
fn beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", uuid::Uuid::now_v7().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(beside)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
