//! The claim on a state directory: one house at a time keeps its things there.
//!
//! Law: the claim is the operating system's lock on a file and ends with the process, however that ends. The process id in
//! the file is for people; nothing is decided by it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file's name within the state directory.
const NAME: &str = "lock";

/// A state directory that is this process' own for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

/// Why a state directory is not ours.
#[derive(Debug, Error)]
pub(super) enum LockError {
    /// Another process has it.
    #[error("`{}` is in use by another chancery{}", .dir.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Taken {
        /// The directory.
        dir: PathBuf,
        /// The process, where it has said which one it is.
        pid: Option<u32>,
    },
    /// It can't be written to.
    #[error("the state directory `{}` can't be used", .dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Claims a state directory, which is made where there is none.
pub(super) fn take(dir: &Path) -> Result<Lock, LockError> {
    let unusable = |source| LockError::Unusable { dir: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(unusable)?;
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(NAME));
    let mut file = opened.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(LockError::Taken { dir: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unusable)?;
    Ok(Lock { _held: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_and_another_after_it() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state");
        let held = take(&dir).unwrap();
        let refused = take(&dir).unwrap_err().to_string();
        let pid = std::process::id();
        assert_eq!(refused, format!("`{}` is in use by another chancery (pid {pid})", dir.display()));
        drop(held);
        fs::write(dir.join(NAME), "4711 and whatever was left\n").unwrap();
        let held = take(&dir).unwrap();
        assert_eq!(fs::read_to_string(dir.join(NAME)).unwrap(), format!("{pid}\n"));
        drop(held);
        fs::write(home.path().join("file"), "").unwrap();
        assert!(matches!(take(&home.path().join("file")), Err(LockError::Unusable { .. })));
    }
}
