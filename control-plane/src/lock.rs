//! The control plane's own directory is one control plane's alone: two of them would each publish from what it remembers.
//!
//! Law: held from before anything in the directory is opened until the store is closed. The lock is the system's own and
//! dies with the process, so that a start right after a kill finds it free; the file itself stays. Deliberately absent: waiting,
//! and a lock over the authority, which issues node certificates beside a control plane that runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::private;

/// The name of the file in the directory.
const NAME: &str = "lock";

/// A directory that no other control plane uses while this lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

/// Why a directory can't be had.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// Another process has it, or another control plane in this one.
    #[error("`{dir}` is in use by another control plane (pid {pid})")]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Whose it is, as that process wrote it down.
        pid: String,
    },
    /// It can't be made, or its file system has no locks.
    #[error("`{dir}` can't be locked")]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DirLock {
    /// Makes the directory if it is not there, takes it, and writes down whose it is.
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { dir: dir.to_owned(), source };
        let mut file = open(dir).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::InUse { dir: dir.to_owned(), pid: holder(&file) });
            }
        }
        let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        told.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn open(dir: &Path) -> io::Result<File> {
    private::make_dir(dir)?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(NAME))
}

/// The process that has it, as far as it says so.
fn holder(mut file: &File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let pid: Option<u32> = text.trim().parse().ok();
    pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_is_one_control_planes_until_it_ends() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("new/control-plane");
        let first = DirLock::take(&dir).unwrap();
        let refused = DirLock::take(&dir).unwrap_err().to_string();
        let pid = std::process::id();
        assert_eq!(refused, format!("`{}` is in use by another control plane (pid {pid})", dir.display()));
        drop(first);

        // What a killed process leaves is a file with its pid, and no lock.
        fs::write(dir.join(NAME), "4294967295\n").unwrap();
        let again = DirLock::take(&dir).unwrap();
        assert_eq!(fs::read_to_string(dir.join(NAME)).unwrap(), format!("{pid}\n"));
        drop(again);

        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(DirLock::take(&file).unwrap_err().to_string().ends_with("can't be locked"));
    }
}
