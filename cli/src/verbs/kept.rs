//! A file that somebody keeps: for its owner alone, and there only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::output::Raw;
use crate::verbs::failure::Failure;

/// Where something goes that is written bit by bit: into a file, or, as `-`, to standard output.
#[derive(Debug)]
pub(super) enum Out {
    /// A file.
    Kept(Kept),
    /// Standard output.
    Standard,
}

/// A file that is being written, beside where it will be.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    force: bool,
}

impl Out {
    /// Begins it. What is there already is overwritten by force alone.
    pub(super) fn begin(path: &Path, force: bool) -> Result<Self, Failure> {
        if path.as_os_str() == "-" { Ok(Self::Standard) } else { Kept::begin(path, force).map(Self::Kept) }
    }

    /// Where it is written.
    pub(super) fn writer(&self) -> Box<dyn io::Write + Send + '_> {
        match self {
            Self::Kept(kept) => Box::new(kept.file()),
            Self::Standard => Box::new(Raw),
        }
    }

    /// Puts a file in its place.
    pub(super) fn done(self) -> Result<(), Failure> {
        if let Self::Kept(kept) = self { kept.done() } else { Ok(()) }
    }

    /// It can't be written.
    pub(super) fn failed(&self, source: io::Error) -> Failure {
        match self {
            Self::Kept(kept) => kept.failed(source),
            Self::Standard => Failure::Unwritten { path: "-".into(), source },
        }
    }
}

impl Kept {
    /// Begins one. What is there already is overwritten by force alone.
    pub(super) fn begin(path: &Path, force: bool) -> Result<Self, Failure> {
        let failed = |source| Failure::Unwritten { path: path.to_owned(), source };
        let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        };
        if !force && fs::symlink_metadata(path).is_ok() {
            return Err(Failure::Exists(path.to_owned()));
        }
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        let beside = path.with_file_name(name);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
        Ok(Self { path: path.to_owned(), beside, file, force })
    }

    /// Where it is written.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place.
    pub(super) fn done(self) -> Result<(), Failure> {
        let done = self.file.sync_all().and_then(|()| match self.force {
            true => fs::rename(&self.beside, &self.path),
            // Unlike a renamed file, a linked one does not replace what came there meanwhile.
            false => fs::hard_link(&self.beside, &self.path),
        });
        match done {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Failure::Exists(self.path.clone()))
            }
            done => done.map_err(|source| self.failed(source)),
        }
    }

    /// It can't be written.
    pub(super) fn failed(&self, source: io::Error) -> Failure {
        Failure::Unwritten { path: self.path.clone(), source }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _gone_where_it_was_renamed = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn standard_output_is_no_file() {
        let out = Out::begin(Path::new("-"), false).unwrap();
        assert!(matches!(out, Out::Standard) && out.done().is_ok());
        assert!(!Path::new("-").exists());
    }

    #[test]
    fn a_file_is_there_when_it_is_whole_and_nobody_elses_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept");
        let written = |text: &str, force: bool| {
            let kept = Kept::begin(&path, force)?;
            kept.file().write_all(text.as_bytes()).unwrap();
            Ok::<Kept, Failure>(kept)
        };
        let kept = written("one", false).unwrap();
        assert!(!path.exists());
        kept.done().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(written("two", false), Err(Failure::Exists(_))));
        drop(written("three", true).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        written("four", true).unwrap().done().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four");
        // What came there meanwhile stays.
        fs::remove_file(&path).unwrap();
        let kept = written("five", false).unwrap();
        fs::write(&path, "another's").unwrap();
        assert!(matches!(kept.done(), Err(Failure::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        for bad in [dir.path(), Path::new("/"), &dir.path().join("gone/kept")] {
            assert!(matches!(Kept::begin(bad, true), Err(Failure::Unwritten { .. })), "{bad:?}");
        }
    }
}
