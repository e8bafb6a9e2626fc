//! The records of decisions below some paths, line by line, by as many threads as there are.
//!
//! Law: a segment that is there twice, on a node and in a store, is read once. A line that breaks off is the end of what was written; any
//! other that can't be read is told. Absent on purpose: whether they are as they were written, which `verify` says.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proto::export::Kind;
use proto::segment::{Decided, each_record, numbered};

use super::super::failure::Failure;
use super::gather::pairs;
use crate::output;

/// How often it is told how far a long reading is.
const TELL: Duration = Duration::from_secs(2);

/// How often a thread says how far it is, in lines.
const COUNT: u64 = 1_000;

/// The files of records.
#[derive(Debug)]
pub(crate) struct Records {
    files: Vec<PathBuf>,
    /// Segments whose manifests are there, and whose records are not.
    pub(crate) lacking: usize,
}

/// What a thread makes of the records that it reads.
pub(crate) trait Tally: Send {
    /// A record in which something was decided.
    fn take(&mut self, decided: Decided);
    /// A record in which nothing was.
    fn pass(&mut self);
    /// What another thread made.
    fn join(&mut self, other: Self);
}

impl Records {
    /// Those below these paths: sealed, or being written.
    pub(crate) fn below(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut found: HashMap<(String, u64), (u64, PathBuf)> = HashMap::new();
        let pairs = pairs(paths)?;
        let lacking = pairs.values().filter(|pair| pair.lines.is_none()).count();
        for path in pairs.into_values().filter_map(|pair| pair.lines) {
            let unread = |source| Failure::File { path: path.clone(), source };
            let bytes = path.metadata().map_err(unread)?.len();
            let mut line = Vec::new();
            BufReader::new(File::open(&path).map_err(unread)?)
                .read_until(b'\n', &mut line)
                .map_err(unread)?;
            // One that is just begun, or whose first line is being written.
            if !line.ends_with(b"\n") {
                continue;
            }
            let broken = || unread(io::Error::other("line 1 is no record"));
            let first = numbered(&line).ok_or_else(broken)?;
            let kept = found.entry((first.boot_id.to_owned(), first.seq)).or_default();
            if bytes > kept.0 {
                *kept = (bytes, path);
            }
        }
        let mut files: Vec<PathBuf> = found.into_values().map(|(_, path)| path).collect();
        files.sort();
        match (files.is_empty(), paths.first()) {
            (true, Some(path)) => {
                let told = "there is no record of a decision in it, nor in any other place that was named";
                Err(Failure::Unverified { path: path.clone(), kind: Kind::Empty, told: told.to_owned() })
            }
            _ => Ok(Self { files, lacking }),
        }
    }

    /// Reads them all into tallies, one for each thread; `what` is told to be done while it takes long.
    pub(crate) fn read<T: Tally>(&self, what: &str, new: impl Fn() -> T + Sync) -> Result<T, Failure> {
        let (next, lines, begun) = (AtomicUsize::new(0), AtomicU64::new(0), Instant::now());
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let work = &|| -> Result<T, Failure> {
            let mut tally = new();
            while let Some(path) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                one(path, &mut tally, &lines)?;
            }
            Ok(tally)
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut told = begun;
            while workers.iter().any(|worker| !worker.is_finished()) {
                thread::sleep(Duration::from_millis(10));
                if told.elapsed() >= TELL {
                    told = Instant::now();
                    let done = next.load(Ordering::Relaxed).min(self.files.len());
                    let (lines, files) = (lines.load(Ordering::Relaxed), self.files.len());
                    output::complain(&format!("{what}: {lines} records so far, file {done} of {files}"));
                }
            }
            let mut whole = new();
            for worker in workers {
                let tally =
                    worker.join().map_err(|_| Failure::Input("a record broke the reading".to_owned()))?;
                whole.join(tally?);
            }
            Ok(whole)
        })
    }
}

fn one<T: Tally>(path: &Path, tally: &mut T, lines: &AtomicU64) -> Result<(), Failure> {
    let unread = |source| Failure::File { path: path.to_owned(), source };
    let file = BufReader::with_capacity(1 << 18, File::open(path).map_err(unread)?);
    let mut count = 0_u64;
    let read = each_record(file, |decided| {
        count += 1;
        if count.is_multiple_of(COUNT) {
            lines.fetch_add(COUNT, Ordering::Relaxed);
        }
        match decided {
            Some(decided) => tally.take(decided),
            None => tally.pass(),
        }
        ControlFlow::Continue(())
    });
    lines.fetch_add(count % COUNT, Ordering::Relaxed);
    read.map_err(unread)
}
