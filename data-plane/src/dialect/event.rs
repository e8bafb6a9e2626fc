//! What a model answers while it does, whatever the dialect.
//!
//! Law: what comes is the same whatever pieces a vendor cut it into: one beginning, then what is said, thought and called in its order, then
//! for each answer its end, then what was used. Absent on purpose: server-sent events, which are `upstream::sse`'s.

use super::answer::{Finish, Usage};

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// The answer begins.
    Start(Start),
    /// More of one of the answers.
    More {
        /// Which of them, from 0.
        choice: u64,
        /// What.
        delta: Delta,
    },
    /// One of the answers ended.
    End {
        /// Which of them, from 0.
        choice: u64,
        /// Why.
        finish: Finish,
    },
    /// What was used so far; the last one counts, and what it does not tell is what the one before told.
    Usage(Usage),
    /// Nothing follows.
    Done,
}

/// How an answer begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// What the vendor calls it.
    pub(crate) id: String,
    /// The model, as the vendor names it.
    pub(crate) model: String,
    /// When, in seconds of Unix time; dialects that don't tell have none.
    pub(crate) created: Option<u64>,
}

/// More of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delta {
    /// Text.
    Text(String),
    /// Thoughts.
    Thinking(String),
    /// The vendor's proof of the thoughts before it.
    Signature(String),
    /// Thoughts that are readable for the vendor alone, whole.
    Redacted(String),
    /// Why the model will not say it.
    Refusal(String),
    /// A call of a tool, or more of one.
    Call {
        /// Which of the calls of this answer, from 0.
        at: u64,
        /// Its id, where it begins.
        id: Option<String>,
        /// The tool, where it begins.
        name: Option<String>,
        /// More of its arguments.
        arguments: String,
    },
}
