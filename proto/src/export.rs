//! Exports of the audit log: files that prove themselves to whoever has the log's key, written and verified here.
//!
//! Law: what an export says of an event is what the event's body says, and the body is what the log's root was signed over; a file of
//! which that is not so is told where. A line is printed in one way only, so that nothing can be added to it unseen. Verifying needs the
//! file and keys, nothing else, and keeps one line of the file at a time; of events whose bodies were pruned it keeps where they stand, until
//! the event comes that tells of it. Absent on purpose: who may export, and files: there are readers
//! and writers.
//!
//! | line | what |
//! |---|---|
//! | the first | the header ([`Header`]): the form and its version, the log, its size, the signed checkpoint |
//! | one an event | its sequence, what it says for people, its body, the hash before and its own ([`Leaf`]) |
//! | the last | the end ([`End`]): how many events there are, and hashes over the lines before |
//!
//! An event whose body was pruned has no body and nothing for people to read, but the number of the event that tells of it, which is in the
//! export too; its hash is the leaf of the tree as before.
//!
//! An export is of the whole log up to its checkpoint, whose root is then made of the events again; or of some events, each of which
//! then has the proof that it is in the log, and names the exported event before it. What some were left out by is said, not proved:
//! that nothing which was asked for is missing can be seen of the whole log alone.

mod chain;
mod csv;
mod examine;
mod fault;
mod header;
mod keys;
mod known;
mod lawful;
mod lines;
mod pruned;
mod readable;
mod record;
mod verify;
mod write;

pub use fault::{Fault, Kind, Pruning, Report};
pub use header::{Asked, End, FORMAT, Form, Header, VERSION};
pub use keys::{Keys, KeysError, Trust, Untrusted};
pub use known::Known;
pub use lines::LONGEST;
pub use readable::readable;
pub use record::{Leaf, Unreadable};
pub use verify::{checkpoint_of, known, verify};
pub use write::{WriteError, Writer};

#[cfg(test)]
mod tests;
