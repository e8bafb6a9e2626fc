//! What can be wrong with a condition: where, what, and what would have been right.

use thiserror::Error;

/// The longest condition, in bytes.
pub const MAX_BYTES: usize = 4096;

/// The deepest nesting of parentheses, lists, negations and chained comparisons.
pub const MAX_DEPTH: usize = 64;

/// A fault at a place of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at byte {start}: {fault}")]
pub struct ConditionError {
    /// The first byte of the faulty part, counted from 0.
    pub start: usize,
    /// The first byte after it.
    pub end: usize,
    /// What is wrong.
    pub fault: ConditionFault,
}

/// What is wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionFault {
    /// Longer than [`MAX_BYTES`].
    #[error("a condition is at most {} bytes long", MAX_BYTES)]
    TooLong,
    /// Deeper than [`MAX_DEPTH`].
    #[error("a condition nests at most {} levels", MAX_DEPTH)]
    TooDeep,
    /// A character that begins nothing.
    #[error("`{0}` begins nothing in a condition")]
    Character(String),
    /// A quote without its other half.
    #[error("a text in quotes does not end")]
    UnclosedText,
    /// An escape CEL does not know.
    #[error("`{0}` is not an escape of CEL")]
    Escape(String),
    /// A number that is no 64-bit integer.
    #[error("`{0}` is not a 64-bit integer")]
    Number(String),
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What stands here.
        found: String,
        /// What may stand here.
        expected: &'static str,
    },
    /// CEL, but not in the subset.
    #[error(
        "{0} is CEL, but not part of conditions: they know `==`, `!=`, `in`, `&&`, `||`, `!` and parentheses"
    )]
    Unsupported(String),
    /// No attribute of that path.
    #[error("`{found}` is not an attribute{hint}")]
    Attribute {
        /// What was written.
        found: String,
        /// The nearest attributes, as a half-sentence.
        hint: String,
    },
    /// Operands of the wrong types.
    #[error("{found}; {right}")]
    Type {
        /// What is compared with what.
        found: String,
        /// How to write it.
        right: String,
    },
    /// A text that the attribute can never have.
    #[error("`{found}` is never a value of `{attribute}`: expected {expected}")]
    Word {
        /// The text.
        found: String,
        /// The attribute's path.
        attribute: &'static str,
        /// What it can have.
        expected: &'static str,
    },
}

/// User input, cut to 64 characters and escaped.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}
