//! Files of captured content that are being written: one a tenant and retention, for a minute or so.
//!
//! Law: what is written is sealed. A file has whole lines; one that a full disk tore is cut off at once. It says until when it is kept by its
//! name, from its beginning, and no line of it is kept longer. What a process left open is closed by the next. A disk that takes nothing
//! loses content, which is counted and told, but for tenants that demand it: theirs is tried again, like their records.
//! Deliberately absent: bringing files anywhere.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use policy_engine::vocabulary::{self, Instant, Name};
use proto::captured::{ENDING, OPEN, Part, hash};
use proto::segment::Digest;
use uuid::Uuid;

use super::files::Files;
use super::gather::{Gathered, Lost};
use super::{retention, seal};
use crate::private;

/// Bytes at which a file is closed.
const FULL: u64 = 64 << 20;

/// Files that are open at the same time at most.
const MOST: usize = 256;

/// What became of a request's content, as its record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is there.
    In(Place),
    /// It was lost, and why.
    Lost(&'static str),
}

/// Where content is, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The id of its file.
    pub(crate) file: Arc<str>,
    /// Bytes of its line.
    pub(crate) bytes: usize,
    /// SHA-256 of its line.
    pub(crate) sha256: Digest,
    /// Until when it is kept.
    pub(crate) until: Instant,
    /// What of it is not whole.
    pub(crate) truncated: Vec<Part>,
}

/// The files that are open, below a directory.
#[derive(Debug)]
pub(crate) struct Volumes {
    dir: PathBuf,
    age: Duration,
    open: BTreeMap<(Name, vocabulary::Duration), Volume>,
    files: Arc<Files>,
    /// Whether the disk took what was written last.
    taking: bool,
}

#[derive(Debug)]
struct Volume {
    file: File,
    path: PathBuf,
    id: Arc<str>,
    until: Instant,
    since: Moment,
    bytes: u64,
    dirty: bool,
}

impl Volumes {
    /// Those below a directory, each open for so long; what was left open is closed.
    pub(crate) fn open(dir: PathBuf, age: Duration) -> io::Result<(Self, Arc<Files>)> {
        let files = Arc::new(Files::at(dir.clone()));
        close_below(&dir)?;
        let volumes = Self { dir, age, open: BTreeMap::new(), files: files.clone(), taking: true };
        Ok((volumes, files))
    }

    /// Keeps what was gathered of a request.
    ///
    /// # Errors
    /// The disk does not take it, and its tenant demands it.
    pub(crate) fn keep(&mut self, gathered: &Gathered) -> io::Result<Kept> {
        let whose = gathered.whose();
        let content = match gathered.content() {
            Ok(content) => content,
            Err(lost) => return Ok(self.lose(lost)),
        };
        let until = retention::whole(whose.received.plus(gathered.retention()));
        let Some(line) = seal::line(whose, until, content) else { return Ok(self.lose(Lost::Seal)) };
        match self.append(gathered, &line, until) {
            Ok(file) => {
                self.taking = true;
                self.files.note(true);
                let (sha256, truncated) = (hash(&line), content.cut.clone());
                Ok(Kept::In(Place { file, bytes: line.len(), sha256, until, truncated }))
            }
            Err(error) if whose.demanded => Err(error),
            Err(error) => {
                if std::mem::replace(&mut self.taking, false) {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "captured content can't be written: it is lost, which its records say"
                    );
                }
                Ok(self.lose(Lost::Disk))
            }
        }
    }

    fn lose(&self, lost: Lost) -> Kept {
        self.files.note(false);
        Kept::Lost(lost.as_str())
    }

    /// Appends a line to the file of its tenant and retention; gives the file's id.
    fn append(&mut self, gathered: &Gathered, line: &[u8], until: Instant) -> io::Result<Arc<str>> {
        let of = (gathered.whose().tenant.clone(), gathered.retention());
        let fits = |volume: &Volume| {
            volume.since.elapsed() < self.age && volume.until >= until && volume.bytes < FULL
        };
        if self.open.get(&of).is_some_and(|volume| !fits(volume)) {
            self.close(&of);
        }
        if !self.open.contains_key(&of) {
            if self.open.len() >= MOST {
                self.close_all();
            }
            let volume = self.begin(&of, until)?;
            self.open.insert(of.clone(), volume);
        }
        let Some(volume) = self.open.get_mut(&of) else { return Err(io::ErrorKind::NotFound.into()) };
        volume.append(line)?;
        Ok(volume.id.clone())
    }

    fn begin(&self, (tenant, kept): &(Name, vocabulary::Duration), until: Instant) -> io::Result<Volume> {
        let age = i64::try_from(self.age.as_micros()).unwrap_or(i64::MAX);
        let now = Instant(jiff::Timestamp::now().as_microsecond());
        let over = retention::whole(Instant(now.0.saturating_add(age)).plus(*kept)).max(until);
        let id = Uuid::now_v7().to_string();
        let path = self.dir.join(format!("{}.{OPEN}", retention::name(over, tenant, &id)));
        let create = || {
            private::make_dir(path.parent().unwrap_or(&self.dir))?;
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)
        };
        let file = match create() {
            // What was empty is removed by whoever ships.
            Err(error) if error.kind() == io::ErrorKind::NotFound => create()?,
            file => file?,
        };
        let since = Moment::now();
        Ok(Volume { file, path, id: id.into(), until: over, since, bytes: 0, dirty: false })
    }

    /// Brings to the disk what was written.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        for volume in self.open.values_mut().filter(|volume| volume.dirty) {
            volume.file.sync_data()?;
            volume.dirty = false;
        }
        Ok(())
    }

    /// When the next of them is old.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.open.values().map(|volume| volume.since + self.age).min()
    }

    /// Closes those that are old.
    pub(crate) fn turn(&mut self) {
        let old = self.open.iter().filter(|(_, volume)| volume.since.elapsed() >= self.age);
        let old: Vec<_> = old.map(|(of, _)| of.clone()).collect();
        old.iter().for_each(|of| self.close(of));
    }

    /// Closes them all.
    pub(crate) fn close_all(&mut self) {
        let all: Vec<_> = self.open.keys().cloned().collect();
        all.iter().for_each(|of| self.close(of));
    }

    /// One that can't be closed is closed by the next start.
    fn close(&mut self, of: &(Name, vocabulary::Duration)) {
        let Some(volume) = self.open.remove(of) else { return };
        let closed = volume.file.sync_data().and_then(|()| close(&volume.path));
        match closed {
            Ok(()) => self.files.stir(),
            Err(error) => {
                tracing::warn!(path = %volume.path.display(), %error, "a file of captured content can't be closed");
            }
        }
    }
}

impl Volume {
    /// Appends a whole line. After an error the file is as it was before.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(line);
        if written.is_err() {
            self.file.set_len(self.bytes)?;
            return written;
        }
        self.bytes = self.bytes.saturating_add(line.len() as u64);
        self.dirty = true;
        Ok(())
    }
}

/// Gives a file the name of one that is closed.
fn close(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension(ENDING))
}

/// Closes what was left open: `DAY/TENANT/FILE`.
fn close_below(dir: &Path) -> io::Result<()> {
    private::own_dir(dir)?;
    for path in entries(dir)?.iter().filter(|path| path.is_dir()) {
        for path in entries(path)?.iter().filter(|path| path.is_dir()) {
            for path in entries(path)? {
                private::close_file(&path);
                if path.extension().is_some_and(|ending| ending == OPEN) {
                    close(&path)?;
                }
            }
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}
