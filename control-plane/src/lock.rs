//! The control plane's own directory is one control plane's alone: two of them would each publish from what it remembers.
//!
//! Law: held from before anything in the directory is opened until the store is closed. The lock is the system's own and
//! dies with the process, so that a start right after a kill finds it free. It is over the directory itself, which nobody takes away
//! under the store that is in it; the file `lock`, which somebody may, says whose it is and keeps out builds that lock it alone.
//! Deliberately absent: waiting, and a lock over the authority, which issues node certificates beside a control plane that runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::private;

/// The name of the file in the directory.
const NAME: &str = "lock";

/// A directory that no other control plane uses while this lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _dir: File,
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
        let held = private::make_dir(dir).and_then(|()| File::open(dir)).map_err(failed)?;
        taken(&held, dir)?;
        let mut file = open(dir).map_err(failed)?;
        taken(&file, dir)?;
        let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        told.map_err(failed)?;
        Ok(Self { _dir: held, _file: file })
    }
}

/// Takes what is open, a directory or the file in it.
fn taken(open: &File, dir: &Path) -> Result<(), LockError> {
    match open.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(source)) => Err(LockError::Io { dir: dir.to_owned(), source }),
        Err(TryLockError::WouldBlock) => Err(LockError::InUse { dir: dir.to_owned(), pid: holder(dir) }),
    }
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(NAME))
}

/// The process that has it, as far as it says so.
fn holder(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join(NAME)).unwrap_or_default();
    let pid: Option<u32> = text.trim().parse().ok();
    pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_stays_one_control_planes_when_its_file_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("control-plane");
        let first = DirLock::take(&dir).unwrap();
        fs::remove_file(dir.join(NAME)).unwrap();
        let refused = DirLock::take(&dir).unwrap_err().to_string();
        assert!(refused.ends_with("is in use by another control plane (pid unknown)"), "{refused}");
        assert!(!dir.join(NAME).exists(), "who is refused leaves nothing");
        drop(first);
        drop(DirLock::take(&dir).unwrap());

        // A control plane of an earlier build has the file alone.
        let earlier = open(&dir).unwrap();
        earlier.try_lock().unwrap();
        assert!(matches!(DirLock::take(&dir), Err(LockError::InUse { .. })));
    }

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
