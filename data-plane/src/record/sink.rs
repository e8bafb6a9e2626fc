//! What records are handed to, and how often.
//!
//! Law: one thread hands them over. Deliberately absent: the queue they come from (`outbox`), and files (`segments`).

use std::io;
use std::time::{Duration, Instant};

use super::Record;

/// How the outbox is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Records that may wait to be written; default 16,384.
    pub(crate) places: usize,
    /// The size in bytes at which a segment is full; default 64 MiB.
    pub(crate) file_bytes: u64,
    /// The records at which it is; default 10,000.
    pub(crate) segment_records: u64,
    /// How old a segment grows that has records; default 60 s.
    pub(crate) segment_age: Duration,
    /// How long records are gathered before they are written together; default 10 ms.
    pub(crate) gather: Duration,
    /// How long what is written may be on its way to the disk; default 50 ms.
    pub(crate) sync: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: 16_384,
            file_bytes: 64 * 1024 * 1024,
            segment_records: 10_000,
            segment_age: Duration::from_secs(60),
            gather: Duration::from_millis(10),
            sync: Duration::from_millis(50),
        }
    }
}

/// What records are handed to, by one thread.
pub(crate) trait Sink: Send {
    /// Writes records. After an error the same ones come again, with others after them.
    fn write(&mut self, records: &[Record]) -> io::Result<()>;

    /// Brings to the disk what was written. That it fails does not make records come again.
    fn sync(&mut self) -> io::Result<()>;

    /// So many records had no place, since the start.
    fn lost(&mut self, _in_all: u64) {}

    /// When there will be something to do, though no record comes.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does what is due.
    fn turn(&mut self) {}

    /// Closes what is open.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: FnMut(&[Record]) -> io::Result<()> + Send> Sink for F {
    fn write(&mut self, records: &[Record]) -> io::Result<()> {
        self(records)
    }

    fn sync(&mut self) -> io::Result<()> {
        self(&[])
    }
}
