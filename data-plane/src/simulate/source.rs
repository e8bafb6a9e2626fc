//! Where the records are that a simulation reads.
//!
//! Law: whoever reads may wait for it: it is called on a thread that serves nobody.

use std::io::BufRead;
use std::path::PathBuf;

use policy_engine::vocabulary::Instant;
use proto::segment::Digest;

/// A segment, or what is to become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// What it is called in a store: `GEO/NODE/PROCESS/NUMBER`.
    pub(crate) name: String,
    /// Where its lines are on this machine; `None`: in the store alone.
    pub(crate) path: Option<PathBuf>,
    /// What its manifest says of it; `None`: it is written to still.
    pub(crate) sealed: Option<Sealed>,
}

/// What a manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The manifest's hash.
    pub(crate) hash: Digest,
    /// Lines.
    pub(crate) count: u64,
    /// When it was sealed: no record of it is younger.
    pub(crate) at: Instant,
}

/// Whether the records of a node, by its id, are read: it is asked with the id of the node that reads, and the other's.
pub(crate) type Reads<'r> = &'r dyn Fn(&str, &str) -> bool;

/// Where segments are.
pub(crate) trait Source: Send + Sync + 'static {
    /// Segments of nodes of the geo, each once.
    ///
    /// # Errors
    /// Where they are can't be looked at: why.
    fn segments(&self, reads: Reads<'_>) -> Result<Vec<Segment>, String>;

    /// The lines of one; `None`: they are not there, as of one that was pruned.
    ///
    /// # Errors
    /// It can't be read: why.
    fn open(&self, segment: &Segment) -> Result<Option<Box<dyn BufRead + '_>>, String>;
}
