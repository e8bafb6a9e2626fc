//! The queue of records and the one writer that empties it.
//!
//! Law: a place is taken before a request goes out and is filled in a drop, so filling never waits and never finds the queue full. The writer
//! gathers what comes within a moment and writes it as one, so that the end of this process takes nothing; every few such writes
//! are brought to the disk together, so that the end of the machine takes little. What a failing disk refuses is kept and tried again, until places
//! run out; requests never wait for it.
//! Deliberately absent: what becomes of a request without a place (the pipeline's).

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::file::Segments;
use super::{Record, line};

/// How the outbox is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Records that may wait to be written; default 16,384.
    pub(crate) places: usize,
    /// The size in bytes at which a new file is begun; default 64 MiB.
    pub(crate) file_bytes: u64,
    /// How long records are gathered before they are written together; default 10 ms.
    pub(crate) gather: Duration,
    /// How long what is written may be on its way to the disk; default 50 ms.
    pub(crate) sync: Duration,
}

/// How long a disk that failed is left alone.
const PAUSE: Duration = Duration::from_millis(250);

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: 16_384,
            file_bytes: 64 * 1024 * 1024,
            gather: Duration::from_millis(10),
            sync: Duration::from_millis(50),
        }
    }
}

/// Where records go.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: Sender<(Record, Taken)>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    places: usize,
    taken: AtomicUsize,
    written: AtomicU64,
    lost: AtomicU64,
    failing: AtomicBool,
}

/// The right to write one record; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Sender<(Record, Taken)>,
    taken: Taken,
}

#[derive(Debug)]
struct Taken(Arc<State>);

/// The writer's thread; it ends when every outbox and place is gone and everything is written. A node that ends waits for the
/// queue to be empty instead: it cannot know who else still has it.
#[derive(Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only tests own every outbox and place, and can wait for the thread")
)]
pub(crate) struct Writer(JoinHandle<()>);

impl Outbox {
    /// An outbox in the files of `dir`, and its writer.
    ///
    /// # Errors
    /// When the directory or its latest file cannot be opened or repaired.
    pub(crate) fn open(dir: &Path, settings: Settings) -> io::Result<(Self, Writer)> {
        let mut segments = Segments::open(dir, settings.file_bytes)?;
        let mut lines = Vec::new();
        Self::to(settings, move |records| {
            if records.is_empty() {
                return segments.sync();
            }
            lines.clear();
            records.iter().for_each(|record| line::write(record, &mut lines));
            segments.append(&lines)
        })
    }

    /// An outbox that hands what was gathered to `sink`, and its writer. Where no records are handed over, what was written is to
    /// be brought to the disk; that it fails does not make those records come again.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn to(
        settings: Settings,
        sink: impl FnMut(&[Record]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(Self, Writer)> {
        let (queue, records) = mpsc::channel();
        let state = Arc::new(State {
            places: settings.places,
            taken: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        });
        let told = state.clone();
        let thread = thread::Builder::new().name("outbox".to_owned());
        let writer = thread.spawn(move || write(&records, settings, &told, sink))?;
        Ok((Self { queue, state }, Writer(writer)))
    }

    /// Takes a place, or nothing where all are taken.
    pub(crate) fn place(&self) -> Option<Place> {
        let before = self.state.taken.fetch_add(1, Ordering::Relaxed);
        let taken = Taken(self.state.clone());
        (before < self.state.places).then(|| Place { queue: self.queue.clone(), taken })
    }

    /// Whether the last attempt to write failed. What is in the queue is kept and tried again.
    pub(crate) fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Relaxed)
    }

    /// Counts a record that had no place.
    pub(crate) fn note_lost(&self) {
        self.state.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many records were written, and how many were lost, since the start.
    pub(crate) fn tally(&self) -> (u64, u64) {
        (self.state.written.load(Ordering::Relaxed), self.state.lost.load(Ordering::Relaxed))
    }

    /// How many places are taken.
    pub(crate) fn waiting(&self) -> usize {
        self.state.taken.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Puts the record in the queue.
    pub(crate) fn fill(self, record: Record) {
        if let Err(mpsc::SendError((_, taken))) = self.queue.send((record, self.taken)) {
            taken.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Writer {
    /// Waits until everything is written; every outbox and place must be gone, or this waits for them.
    pub(crate) fn join(self) {
        self.0.join().unwrap();
    }
}

/// The writer's loop. While it sleeps nobody wakes it, so a busy node pays for one wake-up a moment, not one a request.
fn write(
    queue: &Receiver<(Record, Taken)>,
    settings: Settings,
    state: &State,
    mut sink: impl FnMut(&[Record]) -> io::Result<()>,
) {
    let (mut records, mut places) = (Vec::new(), Vec::new());
    let mut open = true;
    // Since when something written is not on the disk, and whether the disk took what was brought to it last.
    let (mut since, mut taking) = (None::<Instant>, true);
    while open {
        let next = match since {
            None => queue.recv().map_err(|mpsc::RecvError| RecvTimeoutError::Disconnected),
            Some(since) => queue.recv_timeout(settings.sync.saturating_sub(since.elapsed())),
        };
        match next {
            Ok((record, place)) => {
                records.push(record);
                places.push(place);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
        loop {
            if open {
                thread::sleep(settings.gather);
            }
            let (more, taken): (Vec<_>, Vec<_>) = queue.try_iter().unzip();
            records.extend(more);
            places.extend(taken);
            if records.is_empty() {
                break;
            }
            since = since.or_else(|| Some(Instant::now()));
            if tell(sink(&records), (records.len(), taking), state) || !open {
                break;
            }
            thread::sleep(PAUSE);
        }
        records.clear();
        places.clear();
        if since.is_some_and(|since| !open || since.elapsed() >= settings.sync) {
            taking = tell(sink(&[]), (0, true), state);
            since = (!taking).then(Instant::now);
        }
    }
}

/// Notes how writing so many went, and whether all is well if it did. True if the records are done with.
fn tell(result: io::Result<()>, (count, all_well): (usize, bool), state: &State) -> bool {
    match result {
        Ok(()) => {
            state.written.fetch_add(count as u64, Ordering::Relaxed);
            if all_well && state.failing.swap(false, Ordering::Relaxed) {
                tracing::info!("records are written again");
            }
            true
        }
        Err(error) => {
            if !state.failing.swap(true, Ordering::Relaxed) {
                tracing::error!(error = &error as &dyn std::error::Error, "records cannot be written");
            }
            false
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
