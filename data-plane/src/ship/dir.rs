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
