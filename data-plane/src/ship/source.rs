//! What a simulation reads: the node's outbox, and beside it what the geo's store has.
//!
//! Law: a segment that is both here and in the store is read once. One that goes from here meanwhile is in the store by then: nothing goes
//! before. Absent on purpose: whether segments are as they were written, which `decisions verify` says.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor};
use std::path::{Path, PathBuf};

use proto::segment::{Signed, numbered};
use tokio::runtime::Handle;

use super::{MOST, NotShipped, Store, name};
use crate::policy::disk;
use crate::simulate::source::{Reads, Sealed, Segment, Source};

/// What ends the names of a segment's two files.
const LINES: &str = "jsonl";
const MANIFEST: &str = "manifest";

/// After every name.
const ALL: &str = "\u{10ffff}";

/// Bytes that are read of a file at a time.
const BUFFER: usize = 1 << 16;

/// The node's outbox, and the store of its geo.
pub(crate) struct Kept {
    pub(crate) outbox: PathBuf,
    pub(crate) store: Option<Store>,
    /// The geo, and the node's id in it.
    pub(crate) node: (String, String),
    /// What waits for the store.
    pub(crate) runtime: Handle,
}

impl Source for Kept {
    fn segments(&self, reads: Reads<'_>) -> Result<Vec<Segment>, String> {
        let mut found = self.own().map_err(|error| at(&self.outbox, &error))?;
        if let Some(store) = &self.store {
            let stored = self.stored(store, reads, &found).map_err(|error| told(&error))?;
            found.extend(stored);
        }
        Ok(found)
    }

    fn open(&self, segment: &Segment) -> Result<Option<Box<dyn BufRead + '_>>, String> {
        if let Some(path) = &segment.path
            && let Some(lines) = there(path)?
        {
            return Ok(Some(lines));
        }
        let name = format!("{}.{LINES}", segment.name);
        match &self.store {
            Some(Store::Directory(root)) => there(&root.join(name)),
            Some(store) => {
                let read =
                    self.runtime.block_on(store.read(&name, u64::MAX)).map_err(|error| told(&error))?;
                Ok(read.map(|text| Box::new(Cursor::new(text)) as Box<dyn BufRead>))
            }
            None => Ok(None),
        }
    }
}

/// The lines at a path; `None`: there are none.
fn there(path: &Path) -> Result<Option<Box<dyn BufRead>>, String> {
    match lines(path) {
        Ok(lines) => Ok(Some(lines)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path, &error)),
    }
}

impl Kept {
    /// What the outbox has. A file in which nothing is yet is nothing.
    fn own(&self) -> io::Result<Vec<Segment>> {
        let mut found = Vec::new();
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.outbox)? {
            let path = entry?.path();
            paths.extend(Some(path).filter(|path| path.extension().is_some_and(|ending| ending == LINES)));
        }
        paths.sort();
        for path in paths {
            let signed = disk::read(&path.with_extension(MANIFEST), MOST)?;
            let signed = signed.and_then(|text| Signed::read(&text).ok());
            let name = match &signed {
                Some(signed) => name(signed),
                None => self.begun(&path)?,
            };
            let sealed = signed.as_ref().map(sealed);
            found.extend(name.map(|name| Segment { name, path: Some(path), sealed }));
        }
        Ok(found)
    }

    /// What a segment will be called that is written to still; `None`: nothing is in it yet, or it went.
    fn begun(&self, path: &Path) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        match lines(path) {
            Ok(mut lines) => lines.read_until(b'\n', &mut line)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (geo, node) = &self.node;
        let first = numbered(&line).filter(|_| line.ends_with(b"\n"));
        Ok(first.map(|first| format!("{geo}/{node}/{}/{:020}", first.boot_id, first.seq)))
    }

    /// What the store has beside that.
    fn stored(&self, store: &Store, reads: Reads<'_>, own: &[Segment]) -> Result<Vec<Segment>, NotShipped> {
        let (geo, id) = &self.node;
        let mut found = Vec::new();
        for file in self.runtime.block_on(store.list(&format!("{geo}/"), ALL))? {
            let stem = file.strip_suffix(MANIFEST).and_then(|stem| stem.strip_suffix('.'));
            let parts: Vec<&str> = stem.map(|stem| stem.split('/').collect()).unwrap_or_default();
            let [node, _, _] = parts.as_slice() else { continue };
            let name = format!("{geo}/{}", stem.unwrap_or_default());
            if !reads(id, node) || own.iter().any(|segment| segment.name == name) {
                continue;
            }
            let file = format!("{geo}/{file}");
            let text = self.runtime.block_on(store.read(&file, MOST))?.unwrap_or_default();
            let signed = Signed::read(&text).map_err(|_| NotShipped::Manifest(file))?;
            found.push(Segment { name, path: None, sealed: Some(sealed(&signed)) });
        }
        Ok(found)
    }
}

fn lines(path: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(Box::new(BufReader::with_capacity(BUFFER, File::open(path)?)))
}

fn sealed(signed: &Signed) -> Sealed {
    let manifest = &signed.manifest;
    Sealed { hash: signed.hash(), count: manifest.count, at: manifest.sealed }
}

fn told(error: &NotShipped) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("`{}` can't be read: {error}", path.display())
}
