//! The files of segments below some paths: each manifest with its lines.
//!
//! Law: a file is known by its name's ending; others are not looked at. What is given by name has to be one. Links are followed where they
//! are given and not below.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;

/// How deep directories are gone into: a store is geo, node and process deep.
const DEPTH: usize = 8;

/// What ends the names of the two files of a segment.
const LINES: &str = "jsonl";
const MANIFEST: &str = "manifest";

/// The files of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pair {
    /// Its lines.
    pub(super) lines: Option<PathBuf>,
    /// Its manifest.
    pub(super) manifest: Option<PathBuf>,
}

/// Those below paths, by their names without the endings.
pub(super) fn pairs(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, Pair>, Failure> {
    let mut found = BTreeMap::new();
    for path in paths {
        let unread = |source: io::Error| Failure::File { path: path.clone(), source };
        if fs::metadata(path).map_err(unread)?.is_dir() {
            below(path, DEPTH, &mut found).map_err(unread)?;
        } else if !add(path, &mut found) {
            let name = path.display();
            return Err(Failure::Input(format!(
                "`{name}` is no segment: its name ends in neither .{LINES} nor .{MANIFEST}"
            )));
        } else {
            // One of the two stands for both.
            [LINES, MANIFEST]
                .map(|ending| path.with_extension(ending))
                .iter()
                .filter(|beside| beside.is_file())
                .for_each(|beside| {
                    add(beside, &mut found);
                });
        }
    }
    Ok(found)
}

fn below(directory: &Path, depth: usize, found: &mut BTreeMap<PathBuf, Pair>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            below(&entry.path(), depth - 1, found)?;
        } else if kind.is_file() {
            add(&entry.path(), found);
        }
    }
    Ok(())
}

/// Adds a file, where its name says that it is of a segment; whether it is.
fn add(path: &Path, found: &mut BTreeMap<PathBuf, Pair>) -> bool {
    let mut pair = |place: fn(&mut Pair) -> &mut Option<PathBuf>| {
        *place(found.entry(path.with_extension("")).or_default()) = Some(path.to_owned());
        true
    };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some(LINES) => pair(|pair| &mut pair.lines),
        Some(MANIFEST) => pair(|pair| &mut pair.manifest),
        _ => false,
    }
}
