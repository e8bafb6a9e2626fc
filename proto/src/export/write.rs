//! Writes an export, one event after the other.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
use prost::Message as _;

use super::header::{End, Form, Header};
use super::pruned::{Pruned, untold};
use super::record::{self, Leaf, hex};
use crate::admin::AuditEvent;
use crate::pruned::told_by;

/// Why an export can't be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer fails.
    #[error("the export can't be written")]
    Io(#[from] io::Error),
    /// It can't be spelled.
    #[error("the export can't be spelled")]
    Spelled(#[from] serde_json::Error),
    /// The log holds what this build can't show.
    #[error(
        "event {0} of the log says more than this build reads: export by one that is as new as the control plane"
    )]
    Newer(u64),
    /// An event is not the next one.
    #[error("the log gave event {given} after event {after}")]
    Order {
        /// Which came.
        given: u64,
        /// After which.
        after: u64,
    },
    /// The log gave an event without its body, and not what tells of it.
    #[error("event {0} of the log was pruned, and nothing that was given tells of it: export again")]
    Untold(u64),
    /// The log gave fewer events than it had.
    #[error("the log gave {given} of its {size} events")]
    Fewer {
        /// How many came.
        given: u64,
        /// How many there are.
        size: u64,
    },
}

/// An export that is being written. It is none before its end.
pub struct Writer<W> {
    to: W,
    form: Form,
    /// How many events the log has, where all of them are exported.
    complete: Option<u64>,
    written: Context,
    end: End,
    pruned: Pruned,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    ///
    /// # Errors
    /// The writer fails.
    pub fn begin(to: W, form: Form, header: &Header) -> Result<Self, WriteError> {
        let end = End { events: 0, last: 0, header: String::new(), file: String::new() };
        let complete = Some(header.size).filter(|_| header.complete);
        let pruned = Pruned::default();
        let mut writer = Self { to, form, complete, written: Context::new(&SHA256), end, pruned };
        writer.put(&record::header(form, header)?)?;
        writer.end.header = writer.digest();
        Ok(writer)
    }

    /// Writes the next event.
    ///
    /// # Errors
    /// The writer fails, it is not the next, or it is of a log that is newer than this build.
    pub fn event(&mut self, leaf: &Leaf) -> Result<(), WriteError> {
        let after = self.end.last;
        let next = after.saturating_add(1);
        if leaf.sequence < next || (self.complete.is_some() && leaf.sequence != next) {
            return Err(WriteError::Order { given: leaf.sequence, after });
        }
        let event = match leaf.pruned_by {
            Some(by) => {
                self.pruned.said((self.end.events, leaf.sequence), (by, None));
                None
            }
            None => {
                let event = AuditEvent::decode(leaf.body.as_slice()).ok();
                let event = event.filter(|event| event.encode_to_vec() == leaf.body);
                let event = event.ok_or(WriteError::Newer(leaf.sequence))?;
                let untold = untold(&self.pruned.takes(leaf.sequence), told_by(&event).as_deref());
                if let Some((_, untold)) = untold.first() {
                    return Err(WriteError::Untold(*untold));
                }
                Some(event)
            }
        };
        let after = Some(after).filter(|_| self.complete.is_none());
        let line = record::event(self.form, leaf, (event.as_ref(), after))?;
        self.put(&line)?;
        self.put("\n")?;
        self.end.last = leaf.sequence;
        self.end.events = self.end.events.saturating_add(1);
        Ok(())
    }

    /// Ends it; gives back the writer, which is not flushed.
    ///
    /// # Errors
    /// The writer fails, events are missing of what is an export of all, or what tells of one that was pruned is.
    pub fn end(mut self) -> Result<W, WriteError> {
        if let Some((_, untold)) = self.pruned.left().first() {
            return Err(WriteError::Untold(*untold));
        }
        let given = self.end.events;
        if let Some(size) = self.complete.filter(|size| *size != given) {
            return Err(WriteError::Fewer { given, size });
        }
        self.end.file = self.digest();
        let line = record::end(self.form, &self.end)?;
        self.put(&line)?;
        self.put("\n")?;
        Ok(self.to)
    }

    fn digest(&self) -> String {
        hex(self.written.clone().finish().as_ref())
    }

    fn put(&mut self, text: &str) -> Result<(), WriteError> {
        self.written.update(text.as_bytes());
        Ok(self.to.write_all(text.as_bytes())?)
    }
}
