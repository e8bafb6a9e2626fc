//! What is wrong with the form of a configuration: one line for people, and the line of the file where it is.
//! Its twin is that of data-plane: the wire (`proto`) and the policy (`policy-engine`) are no place for it, and there is no other that both may use.

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

/// The variable without which a fault would not be there: the first that brings it by itself, else the first that it goes away without.
/// None where it is there without any.
pub(super) fn to_blame(
    variables: &[(String, String)],
    is_there: impl Fn(&[&(String, String)]) -> bool,
) -> Option<&str> {
    if is_there(&[]) {
        return None;
    }
    let alone = variables.iter().find(|one| is_there(&[one]));
    let others = |one: &&(String, String)| variables.iter().filter(|other| other != one).collect::<Vec<_>>();
    let found = alone.or_else(|| variables.iter().find(|one| !is_there(&others(one))));
    found.map(|(name, _)| name.as_str())
}
