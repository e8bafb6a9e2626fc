//! The outbox as segments: lines are numbered and chained, and a segment is sealed when it is full, old, or at the end.
//!
//! Law: a number is given once in a process, also to a record that had no place, whose number is then in no line. A segment follows the
//! one before it by the hash of its manifest, over restarts as well. What can't be sealed stays open and is written on; what a crash
//! left open is sealed by the next start before anything else is written. Deliberately absent: bringing segments anywhere.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::segment::{Digest, Ended, NOTHING, Signed};

use super::Record;
use super::file::{self, LINES, Lines, MANIFEST};
use super::line;
use super::recover::{Left, Recovered, recover};
use super::seal::{Closed, Seal};
use super::shelf::Shelf;
use super::sink::{Settings, Sink};
use super::tally::{Counted, Tally};
use crate::captured::{Files, Kept, Volumes};
use crate::policy::disk;
use crate::private;

/// How long a segment that can't be sealed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Where captured content is, in the directory of segments.
const CONTENT: &str = "captured";

/// Where segments are kept, and by whom.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// A new one with each start.
    pub(crate) boot_id: String,
    /// Who seals them.
    pub(crate) seal: Seal,
}

/// The segments of a directory.
#[derive(Debug)]
pub(super) struct Segments {
    keeping: Keeping,
    settings: Settings,
    /// Of the newest manifest.
    previous: Digest,
    /// Of the segment that is open, or comes next.
    number: u64,
    open: Option<Open>,
    /// The last number that was given, and records that were lost when it was.
    seq: u64,
    lost: u64,
    /// Whether the last manifest says that the process has ended.
    over: bool,
    /// Records of a batch that are written already, though the batch is not.
    done: usize,
    lines: Vec<u8>,
    /// What became of the content of the records after those.
    kept: Vec<Option<Kept>>,
    content: Volumes,
    /// Until when nothing is tried to be sealed that could not be.
    again: Option<Instant>,
    held: Arc<AtomicU64>,
    shelf: Arc<Shelf>,
}

#[derive(Debug)]
struct Open {
    lines: Lines,
    tally: Tally,
    since: Option<Instant>,
}

impl Segments {
    /// Opens those of a directory, and seals what a crash left open; what is sealed is on the shelf. What they hold in bytes is kept in
    /// `held`.
    pub(super) fn open(
        keeping: Keeping,
        settings: Settings,
        held: Arc<AtomicU64>,
    ) -> io::Result<(Self, Arc<Shelf>, Arc<Files>)> {
        private::own_dir(&keeping.dir)?;
        let (content, files) = Volumes::open(keeping.dir.join(CONTENT), settings.segment_age)?;
        let shelf = Arc::new(Shelf::open(&keeping.dir, held.clone())?);
        let sealed = file::numbers(&keeping.dir, MANIFEST)?.last().copied();
        let previous = match sealed {
            Some(number) => hash(&keeping, number)?,
            None => NOTHING,
        };
        let mut segments = Self {
            keeping,
            settings,
            previous,
            number: sealed.map_or(1, |number| number.saturating_add(1)),
            open: None,
            seq: 0,
            lost: 0,
            over: false,
            done: 0,
            lines: Vec::new(),
            kept: Vec::new(),
            content,
            again: None,
            held,
            shelf: shelf.clone(),
        };
        segments.recover_after(sealed.unwrap_or(0))?;
        segments.held.store(file::held(&segments.keeping.dir)?, Ordering::Relaxed);
        segments.opened()?;
        Ok((segments, shelf, files))
    }

    fn recover_after(&mut self, sealed: u64) -> io::Result<()> {
        for number in file::numbers(&self.keeping.dir, LINES)? {
            if number <= sealed {
                continue;
            }
            let path = file::path(&self.keeping.dir, number, LINES);
            let mut lines = Lines::open(&path)?;
            match recover(&mut lines, self.previous)? {
                Left::Empty => self.number = number,
                Left::Lines(left) => {
                    self.number = number;
                    lines.sync()?;
                    self.seal_recovered(&left)?;
                }
                Left::Unknown(why) => {
                    tracing::warn!(path = %path.display(), why, "records are left as they are, and are not sealed");
                    self.number = number.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// Seals what a process before this one left; where that can't be, this one does not begin: what it wrote would follow nothing.
    fn seal_recovered(&mut self, left: &Recovered) -> io::Result<()> {
        let closed = Closed {
            boot_id: &left.boot_id,
            last_seq: left.tally.last_seq(),
            previous: self.previous,
            ended: Ended::Recovered,
            torn: left.torn,
        };
        let (hash, text) = self.keeping.seal.seal(&left.tally, closed).map_err(io::Error::other)?;
        tracing::warn!(
            boot_id = left.boot_id,
            records = left.tally.count(),
            last_seq = left.tally.last_seq(),
            torn_bytes = left.torn,
            "a process that was ended left records unsealed: they are sealed now"
        );
        self.sealed(hash, &text)
    }

    /// The open segment, which is made where there is none.
    fn opened(&mut self) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let lines = Lines::open(&file::path(&self.keeping.dir, self.number, LINES))?;
                Open { lines, tally: Tally::after(self.previous), since: None }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Writes what fits into one segment of the records from `done` on.
    fn write_some(&mut self, records: &[Record]) -> io::Result<()> {
        if self.is_full() {
            self.close(Ended::Full)?;
        }
        let most = self.settings.segment_records;
        let count = self.opened()?.tally.count();
        // One that is full and can't be sealed has room for whatever comes.
        let room =
            if count >= most { usize::MAX } else { usize::try_from(most - count).unwrap_or(usize::MAX) };
        let rest = records.get(self.done..).unwrap_or_default();
        let part = rest.get(..room.min(rest.len())).unwrap_or_default();
        self.keep_content(part)?;
        let (mut lines, mut seq) = (std::mem::take(&mut self.lines), self.seq);
        lines.clear();
        let mut chain = self.opened()?.tally.chain();
        for (record, kept) in part.iter().zip(&self.kept) {
            seq += 1;
            let start = lines.len();
            line::write(record, (seq, &self.keeping.boot_id), kept.as_ref(), &mut lines);
            chain.end(start, &mut lines);
        }
        let (first, open) = (self.seq, self.opened()?);
        let written = open.lines.append(&lines);
        if written.is_ok() {
            for (record, seq) in part.iter().zip(first + 1..) {
                let (revision, received) = (record.version.revision, record.received);
                open.tally.count_line(Counted { seq, revision, received });
            }
            open.tally.wrote(&lines, chain);
            open.since.get_or_insert_with(Instant::now);
            self.held.fetch_add(lines.len() as u64, Ordering::Relaxed);
            (self.seq, self.over) = (seq, false);
            self.done += part.len();
            drop(self.kept.drain(..part.len().min(self.kept.len())));
        }
        self.lines = lines;
        written
    }

    /// Keeps the content of records, each once, before they are written down.
    fn keep_content(&mut self, records: &[Record]) -> io::Result<()> {
        for record in records.get(self.kept.len()..).unwrap_or_default() {
            let kept = record.content.as_ref().map(|content| self.content.keep(content)).transpose()?;
            self.kept.push(kept);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let is_full = |open: &Open| {
            open.tally.count() >= self.settings.segment_records
                || (open.tally.count() > 0 && open.lines.length() >= self.settings.file_bytes)
        };
        self.open.as_ref().is_some_and(is_full) && self.again.is_none_or(|again| again <= Instant::now())
    }

    /// When the open segment is old.
    fn old(&self) -> Option<Instant> {
        let old = self.open.as_ref()?.since? + self.settings.segment_age;
        Some(self.again.map_or(old, |again| old.max(again)))
    }

    /// Seals the open segment. One without lines is sealed only to say that its process has ended, and one that can't be signed stays
    /// open.
    fn close(&mut self, ended: Ended) -> io::Result<()> {
        let is_last = ended == Ended::Shutdown && self.seq > 0 && !self.over;
        let open = self.opened()?;
        if open.tally.count() == 0 && !is_last {
            return Ok(());
        }
        open.lines.sync()?;
        let Some(open) = &self.open else { return Ok(()) };
        let closed = Closed {
            boot_id: &self.keeping.boot_id,
            last_seq: self.seq,
            previous: self.previous,
            ended,
            torn: 0,
        };
        match self.keeping.seal.seal(&open.tally, closed) {
            Ok((hash, text)) => {
                self.sealed(hash, &text)?;
                self.over = ended == Ended::Shutdown;
                Ok(())
            }
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::error!(reason, "a segment of records can't be sealed: it is written on");
                self.again = Some(Instant::now() + PAUSE);
                Ok(())
            }
        }
    }

    /// Keeps a manifest; what is written from now on follows it.
    fn sealed(&mut self, hash: Digest, text: &[u8]) -> io::Result<()> {
        disk::replace(&file::path(&self.keeping.dir, self.number, MANIFEST), &[text])?;
        self.held.fetch_add(text.len() as u64, Ordering::Relaxed);
        self.shelf.add(self.number, text);
        (self.previous, self.number) = (hash, self.number.saturating_add(1));
        (self.open, self.again) = (None, None);
        Ok(())
    }
}

impl Sink for Segments {
    fn write(&mut self, records: &[Record]) -> io::Result<()> {
        while self.done < records.len() {
            self.write_some(records)?;
        }
        self.done = 0;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.content.sync()?;
        self.open.as_ref().map_or(Ok(()), |open| open.lines.sync())
    }

    fn lost(&mut self, in_all: u64) {
        self.seq = self.seq.saturating_add(in_all.saturating_sub(self.lost));
        self.lost = in_all;
    }

    fn due(&self) -> Option<Instant> {
        self.old().into_iter().chain(self.content.due()).min()
    }

    fn turn(&mut self) {
        self.content.turn();
        let is_due = self.old().is_some_and(|due| due <= Instant::now());
        let ended = if self.is_full() { Some(Ended::Full) } else { is_due.then_some(Ended::Time) };
        if let Some(ended) = ended
            && let Err(error) = self.close(ended)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a segment of records can't be sealed yet"
            );
            self.again = Some(Instant::now() + PAUSE);
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.content.close_all();
        self.close(Ended::Shutdown)
    }
}

/// The hash of a manifest that is there; one that can't be read is followed as if it were not.
fn hash(keeping: &Keeping, number: u64) -> io::Result<Digest> {
    let text = file::manifest(&keeping.dir, number)?.unwrap_or_default();
    Ok(Signed::read(&text).map_or_else(
        |fault| {
            let path = file::path(&keeping.dir, number, MANIFEST);
            tracing::error!(path = %path.display(), %fault, "the newest manifest of records can't be read: what follows it begins anew");
            NOTHING
        },
        |signed| signed.hash(),
    ))
}

#[cfg(test)]
mod tests;
