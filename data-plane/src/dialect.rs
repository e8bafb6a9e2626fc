//! Conversations as dialects write them, and one form between them.
//!
//! Law: a dialect reads its own text into the form in between, and writes that as its own; so any two of them meet, and none knows another,
//! but where a vendor serves what another has made: then the words are the maker's.
//! What has no place in a dialect is refused by the name of its field, or left out and told, never left out in silence. Absent on purpose:
//! doors, vendors, and what is decided of a request.
//!
//! The pipeline reads one dialect, OpenAI's: doors of others write it, and vendors of others are written from it. A body of OpenAI's dialect
//! for a vendor that speaks it never comes here.

pub(crate) mod answer;
pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod chat;
pub(crate) mod cohere;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod foreign;
pub(crate) mod gemini;
pub(crate) mod json;
pub(crate) mod openai;
pub(crate) mod ours;
pub(crate) mod pictures;
pub(crate) mod ranks;
pub(crate) mod responses;
pub(crate) mod rpc;
pub(crate) mod structure;
pub(crate) mod template;
pub(crate) mod transcript;
mod untold;
pub(crate) mod vectors;
pub(crate) mod vendor;

use std::borrow::Cow;

use http::HeaderValue;

/// A body that was written, and the fields that were left out of it because its dialect has no place for them and they change nothing
/// of what is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The fields, by their paths; each once.
    pub(crate) left_out: Vec<Cow<'static, str>>,
    /// Headers that say what the body can't.
    pub(crate) headers: Vec<(&'static str, HeaderValue)>,
}

/// A vendor broke off an answer that it had begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VendorError {
    /// What kind of failure it is.
    pub(crate) fault: VendorFault,
    /// What the vendor says, for the operator.
    pub(crate) message: String,
}

/// Why a vendor broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VendorFault {
    /// What came is not of the dialect.
    Malformed,
    /// It has too much to do.
    Overloaded,
    /// Anything else that it says.
    Other,
}

/// What a dialect has no place for, and what is meant can't be said without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` can't be told to the endpoint that would answer: {why}")]
pub(crate) struct Unfit {
    /// The field, by its path in OpenAI's dialect.
    pub(crate) field: Cow<'static, str>,
    /// Why not.
    pub(crate) why: &'static str,
}

impl Unfit {
    /// A field, and why there is no place for it.
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, why: &'static str) -> Self {
        Self { field: field.into(), why }
    }
}

#[cfg(test)]
pub(crate) mod tests;
