//! A directory as the store of a geo.
//!
//! Law: a file is there whole or not at all, and is never written over.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::NotShipped;
use crate::private;

/// Copies a file there, unless it is there already.
pub(super) fn put(from: &Path, to: &Path) -> Result<(), NotShipped> {
    let disk = |path: &Path| {
        let path = path.display().to_string();
        move |source| NotShipped::Disk { path, source }
    };
    match is_same(from, to) {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(NotShipped::Other(to.display().to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && from.exists() => {}
        Err(error) => return Err(disk(from)(error)),
    }
    copy(from, to).map_err(disk(to))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(Path::new("."));
    private::make_dir(directory)?;
    // Named after the process, so that two nodes that share a directory by mistake do not write one file.
    let temporary = to.with_extension(format!("{}.new", std::process::id()));
    fs::copy(from, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, to)?;
    File::open(directory)?.sync_all()
}

/// The files below a directory by their names `DAY/PART/FILE`: of every day, or of those up to one and of the first after it. None where there
/// is no directory.
pub(super) fn list(root: &Path, up_to: Option<&str>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for day in entries(root)? {
        let is_later = up_to.is_some_and(|up_to| day.as_str() > up_to);
        let before = names.len();
        for part in entries(&root.join(&day))? {
            let files = entries(&root.join(&day).join(&part))?;
            names.extend(files.into_iter().map(|file| format!("{day}/{part}/{file}")));
        }
        if is_later && names.len() > before {
            break;
        }
    }
    Ok(names)
}

/// The names in a directory, ascending; none where there is none, or it is no directory.
fn entries(path: &Path) -> io::Result<Vec<String>> {
    let found = match fs::read_dir(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        found => found?,
    };
    let names = found.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let mut names: Vec<String> = names.filter_map(io::Result::transpose).collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Removes a file, where it is there, and the directories of its name that it leaves empty.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for directory in path.ancestors().skip(1).take(2) {
        // One that is not empty stays.
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
    Ok(())
}

/// Whether two files hold the same.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left.get(..length) != right.get(..length) {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(length);
        other.consume(length);
    }
}
