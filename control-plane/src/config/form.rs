//! What is wrong with the form of a configuration: one line for people, and the line of the file where it is.

use serde::de::DeserializeOwned;

/// A TOML fault on one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct FormError {
    /// The line of the file, where the fault is in the file.
    line: Option<usize>,
    why: String,
}

impl FormError {
    /// A fault of a text.
    pub(super) fn of(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count().saturating_add(1));
        // Without a span, the whole of it names the key.
        let why = if line.is_some() { error.message().to_owned() } else { error.to_string() };
        Self { line, why: why.trim().replace('\n', ", ") }
    }

    /// A fault of a table that was read from a text and changed since; it has a line where the text itself has the same fault.
    pub(super) fn of_table<T: DeserializeOwned>(error: &toml::de::Error, text: &str) -> Self {
        match toml::from_str::<T>(text) {
            Err(written) if written.message() == error.message() => Self::of(&written, text),
            _ => Self::of(error, text),
        }
    }
}
