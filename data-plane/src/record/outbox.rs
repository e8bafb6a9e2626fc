//! The queue of records and the one writer that empties it.
//!
//! Law: a place is taken before a request goes out and is filled in a drop, so filling never waits and never finds the queue full. The writer
//! gathers what comes within a moment and writes it as one, so that the end of this process takes nothing; every few such writes
//! are brought to the disk together, so that the end of the machine takes little. What a failing disk refuses is kept and tried again, until places
//! run out. No request waits for the disk but one whose tenant demands it: who waits is told once the disk has the record, and
//! hurries the writer.
//! Deliberately absent: what becomes of a request without a place (the pipeline's), and what is in the files (`segments`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Record;
use super::noted::Noted;
use super::segments::{Keeping, Segments};
use super::shelf::Shelf;
use super::sink::Sink;
use crate::captured::Files;

pub(crate) use super::sink::Settings;

/// How long a disk that failed is left alone.
const PAUSE: Duration = Duration::from_millis(250);

/// Where records go.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: Sender<Entry>,
    state: Arc<State>,
}

/// What the writer is told.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are records, which are not to be allocated one by one"
)]
enum Entry {
    /// A record, the place it has, and who waits until it is on the disk.
    Record(Record, Taken, Option<oneshot::Sender<()>>),
    /// Nothing more is expected: what is open is closed, and whoever waits is told.
    End(oneshot::Sender<()>),
}

#[derive(Debug)]
struct State {
    places: usize,
    taken: AtomicUsize,
    written: AtomicU64,
    lost: AtomicU64,
    failing: AtomicBool,
    held: Arc<AtomicU64>,
    shelf: Arc<Shelf>,
    content: Arc<Files>,
}

/// The right to write one record; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Sender<Entry>,
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
    /// An outbox in the files of a directory, and its writer.
    ///
    /// # Errors
    /// When the directory or its latest file cannot be opened or repaired.
    pub(crate) fn open(keeping: Keeping, settings: Settings) -> io::Result<(Self, Writer)> {
        let held = Arc::new(AtomicU64::new(0));
        let (segments, shelf, content) = Segments::open(keeping, settings, held.clone())?;
        Self::with(settings, segments, (held, shelf, content))
    }

    /// An outbox that hands what was gathered to `sink`, and its writer. Where no records are handed over, what was written is to
    /// be brought to the disk.
    ///
    /// # Errors
    /// When no thread can be had.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn to(
        settings: Settings,
        sink: impl FnMut(&[Record]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(Self, Writer)> {
        Self::with(settings, sink, Default::default())
    }

    fn with(
        settings: Settings,
        sink: impl Sink + 'static,
        (held, shelf, content): (Arc<AtomicU64>, Arc<Shelf>, Arc<Files>),
    ) -> io::Result<(Self, Writer)> {
        let (queue, entries) = mpsc::channel();
        let state = Arc::new(State {
            places: settings.places,
            taken: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            held,
            shelf,
            content,
        });
        let told = state.clone();
        let thread = thread::Builder::new().name("outbox".to_owned());
        let writer = thread.spawn(move || Writing::new(entries, settings, told, sink).run())?;
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

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.held.load(Ordering::Relaxed)
    }

    /// Segments that are sealed and still here.
    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.state.shelf
    }

    /// Captured content that is here.
    pub(crate) fn content(&self) -> &Arc<Files> {
        &self.state.content
    }

    /// Closes what is open, once everything before is written; what comes later is written all the same.
    pub(crate) async fn end(&self) {
        let (tell, told) = oneshot::channel();
        if self.queue.send(Entry::End(tell)).is_ok() {
            // A writer that is gone has closed what it had.
            let _ = told.await;
        }
    }

    /// How many places are taken.
    pub(crate) fn waiting(&self) -> usize {
        self.state.taken.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Puts the record in the queue.
    pub(crate) fn fill(self, record: Record) {
        self.send(record, None);
    }

    /// Puts the record in the queue, for somebody who waits until it is on the disk.
    pub(crate) fn fill_noted(self, record: Record) -> Noted {
        let (tell, told) = oneshot::channel();
        self.send(record, Some(tell));
        Noted::by(told)
    }

    fn send(self, record: Record, tell: Option<oneshot::Sender<()>>) {
        let sent = self.queue.send(Entry::Record(record, self.taken, tell));
        if let Err(mpsc::SendError(Entry::Record(_, taken, _))) = sent {
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

/// The writer at work. While it sleeps nobody wakes it, so a busy node pays for one wake-up a moment, not one a request.
struct Writing<S> {
    queue: Receiver<Entry>,
    settings: Settings,
    state: Arc<State>,
    sink: S,
    records: Vec<Record>,
    places: Vec<Taken>,
    /// Who waits until what they gave is on the disk.
    waiting: Vec<oneshot::Sender<()>>,
    ended: Vec<oneshot::Sender<()>>,
    /// Whether anybody may still fill the queue.
    open: bool,
    /// Since when something written is not on the disk.
    since: Option<Instant>,
    /// Whether the disk took what was brought to it last.
    taking: bool,
}

impl<S: Sink> Writing<S> {
    fn new(queue: Receiver<Entry>, settings: Settings, state: Arc<State>, sink: S) -> Self {
        let (records, places, waiting, ended) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (open, since, taking) = (true, None, true);
        Self { queue, settings, state, sink, records, places, waiting, ended, open, since, taking }
    }

    fn run(mut self) {
        while self.open {
            self.wait();
            self.write();
            self.records.clear();
            self.places.clear();
            self.sync();
            self.sink.turn();
            self.end();
        }
    }

    /// Brings to the disk what was written, when it is time or somebody waits for it, and tells who waits.
    fn sync(&mut self) {
        let hurried = !self.open || !self.waiting.is_empty();
        if !self.since.is_some_and(|since| hurried || since.elapsed() >= self.settings.sync) {
            return;
        }
        let synced = self.sink.sync();
        self.taking = tell(synced, (0, true), &self.state);
        self.since = (!self.taking).then(Instant::now);
        if self.taking {
            // Who no longer waits does not mind.
            for waits in self.waiting.drain(..) {
                let _ = waits.send(());
            }
        }
    }

    /// Waits for a record, or until something is due.
    fn wait(&mut self) {
        let sync = self.since.map(|since| self.settings.sync.saturating_sub(since.elapsed()));
        let due = self.sink.due().map(|due| due.saturating_duration_since(Instant::now()));
        let next = match sync.into_iter().chain(due).min() {
            None => self.queue.recv().map_err(|mpsc::RecvError| RecvTimeoutError::Disconnected),
            Some(within) => self.queue.recv_timeout(within),
        };
        match next {
            Ok(entry) => self.take(entry),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.open = false,
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Record(record, place, waits) => {
                self.records.push(record);
                self.places.push(place);
                self.waiting.extend(waits);
            }
            Entry::End(tell) => self.ended.push(tell),
        }
    }

    /// Writes what there is, as often as it takes.
    fn write(&mut self) {
        loop {
            // While one batch is brought to the disk for somebody, the next gathers by itself.
            if self.open && self.waiting.is_empty() {
                thread::sleep(self.settings.gather);
            }
            while let Ok(entry) = self.queue.try_recv() {
                self.take(entry);
            }
            if self.records.is_empty() {
                return;
            }
            self.since = self.since.or_else(|| Some(Instant::now()));
            self.sink.lost(self.state.lost.load(Ordering::Relaxed));
            let written = self.sink.write(&self.records);
            if tell(written, (self.records.len(), self.taking), &self.state) || !self.open {
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Closes what is open, where it was asked for.
    fn end(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        self.sink.lost(self.state.lost.load(Ordering::Relaxed));
        if let Err(error) = self.sink.end() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the last records are written, and not closed"
            );
        }
        // Who no longer waits does not mind.
        for ended in self.ended.drain(..) {
            let _ = ended.send(());
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
