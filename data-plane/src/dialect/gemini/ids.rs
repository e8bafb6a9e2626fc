//! Ids of calls, where the dialect gives none.
//!
//! Law: an id that was given stays; one that was not is the same whenever the same text is read, and is no other call's of that text. An
//! output without an id is of the first call of its function that has none yet.

use super::members::{at, objects, text_at};
use crate::tape::Value;

/// The ids of one conversation, or of one answer.
#[derive(Debug, Default)]
pub(super) struct Ids {
    given: Vec<String>,
    /// Calls without an output: id and function.
    open: Vec<(String, String)>,
    next: u64,
    /// What sets the ids of this text apart from those of others.
    suffix: String,
}

impl Ids {
    /// Of a conversation, in which some may be given.
    pub(super) fn of_contents(contents: Value<'_>) -> Self {
        let parts = objects("", contents).unwrap_or_default().into_iter();
        let parts = parts.filter_map(|content| at(content, "parts")).flat_map(|parts| parts.elements());
        let calls = parts.flat_map(|part| ["functionCall", "functionResponse"].map(|name| at(part, name)));
        Self { given: calls.flatten().filter_map(|call| text_at(call, "id")).collect(), ..Self::default() }
    }

    /// Of an answer, whose id sets them apart from those of the answers before it.
    pub(super) fn of_answer(id: &str) -> Self {
        let suffix = if id.is_empty() { String::new() } else { format!("_{id}") };
        Self { suffix, ..Self::default() }
    }

    /// The id of a call.
    pub(super) fn call(&mut self, given: Option<String>, name: &str) -> String {
        let id = given.filter(|id| !id.is_empty()).unwrap_or_else(|| self.new_id());
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that an output is of.
    pub(super) fn output(&mut self, given: Option<String>, name: &str) -> String {
        let given = given.filter(|id| !id.is_empty());
        let call = self.open.iter().position(|(id, called)| match &given {
            Some(given) => id == given,
            None => called == name,
        });
        match (call, given) {
            (Some(call), _) => self.open.remove(call).0,
            (None, Some(given)) => given,
            (None, None) => self.new_id(),
        }
    }

    fn new_id(&mut self) -> String {
        loop {
            let id = format!("call_{}{}", self.next, self.suffix);
            self.next += 1;
            if !self.given.contains(&id) {
                return id;
            }
        }
    }
}
