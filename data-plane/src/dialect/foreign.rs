//! The dialects beside OpenAI's that callers may speak, each by its name.
//!
//! Law: a dialect is one variant here and one folder; a door that speaks it speaks it through this. Absent on purpose: those that vendors alone
//! speak (`vendor`).

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}
