//! What a model answered, whatever the dialect.
//!
//! Law: see the parent. Absent on purpose: judging it.

use super::chat::{Part, Raw};

/// An answer, whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    /// What the vendor calls it.
    pub(crate) id: String,
    /// The model, as the vendor names it.
    pub(crate) model: String,
    /// When it was made, in seconds of Unix time; dialects that don't tell have none.
    pub(crate) created: Option<u64>,
    /// Each answer that was asked for.
    pub(crate) choices: Vec<Choice>,
    /// What was used, where that is told.
    pub(crate) usage: Option<Usage>,
    /// Members that have no place here, by their names in the dialect.
    pub(crate) others: Vec<(String, Raw)>,
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// What the model said, called and thought.
    pub(crate) content: Vec<Part>,
    /// Why it ended.
    pub(crate) finish: Option<Finish>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model was done.
    Stop,
    /// It came to one of the caller's own ends.
    StopSequence(Option<String>),
    /// It was as long as it might be.
    Length,
    /// It waits for the tools that it called.
    Calls,
    /// The vendor's filter, or the model itself, ended it.
    Filtered,
    /// The vendor paused it, to be gone on with.
    Paused,
}

/// Tokens, as the vendor counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// All of the input, what was kept and what was written to be kept included.
    pub(crate) input: u64,
    /// What of it had been kept.
    pub(crate) cached: u64,
    /// What of it was written to be kept.
    pub(crate) cache_written: u64,
    /// All of the output, thinking included.
    pub(crate) output: u64,
    /// What of it was thinking, where that is told.
    pub(crate) thinking: u64,
}
