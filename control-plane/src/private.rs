//! Files and directories that are for their owner alone: directories 0700, files 0600.
//!
//! Law: they are made so, never made and then changed, and what an earlier start left open is closed at the next. What can't be
//! closed, because it is another user's, is told and not an error. Absent on purpose: links, which lead to others' files, and
//! directories that may be shared with others.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// What others may do with a file, in its mode.
const OTHERS: u32 = 0o077;

/// Makes a directory, and those above it, where there is none.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a directory that is ours alone, or closes it and the files in it.
pub(crate) fn own_dir(path: &Path) -> io::Result<()> {
    make_dir(path)?;
    close(path);
    for entry in fs::read_dir(path)? {
        close_file(&entry?.path());
    }
    Ok(())
}

/// Makes an empty file, or closes the one that is there.
pub(crate) fn own_file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            close_file(path);
            Ok(())
        }
        made => made.map(drop),
    }
}

/// Closes a file to others, where it is one.
pub(crate) fn close_file(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        close(path);
    }
}

fn close(path: &Path) {
    let closed = fs::metadata(path).map(|found| found.permissions().mode()).and_then(|mode| {
        if mode & OTHERS == 0 {
            Ok(())
        } else {
            fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
        }
    });
    if let Err(error) = closed {
        tracing::warn!(path = %path.display(), %error, "others may read this, and it can't be changed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open_to_all(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_and_what_was_there_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("a/b");
        own_dir(&dir).unwrap();
        assert_eq!((mode(&dir), mode(&home.path().join("a"))), (0o700, 0o700));

        let (file, elsewhere) = (dir.join("file"), home.path().join("elsewhere"));
        for path in [&file, &elsewhere] {
            fs::write(path, "x").unwrap();
            open_to_all(path, 0o644);
        }
        std::os::unix::fs::symlink(&elsewhere, dir.join("link")).unwrap();
        open_to_all(&dir, 0o755);
        own_dir(&dir).unwrap();
        assert_eq!((mode(&dir), mode(&file), mode(&elsewhere)), (0o700, 0o600, 0o644));

        open_to_all(&file, 0o666);
        own_file(&file).unwrap();
        assert_eq!((mode(&file), fs::read_to_string(&file).unwrap().as_str()), (0o600, "x"));
        own_file(&dir.join("new")).unwrap();
        assert_eq!(mode(&dir.join("new")), 0o600);
    }
}
