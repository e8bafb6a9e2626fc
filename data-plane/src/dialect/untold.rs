//! What of a request a vendor is not told, noted while the request is written.
//!
//! Law: a field is told once, however often it is left out; of several that can't be told the first is named. Absent on purpose: which fields a
//! dialect has (each its own), and headers.

use std::borrow::Cow;

use super::json::Json;
use super::{Unfit, Written};
use crate::tape::{Kind, Tape};

/// Where it stands what a caller asks Anthropic's models for that is not there for all yet.
pub(super) const BETAS: &str = "anthropic_beta";

/// Members that change nothing of what is meant, where a dialect has no word for them.
const HINTS: [&str; 10] = [
    BETAS,
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "verbosity",
];

/// Whether a member changes nothing of what is meant, for a dialect that has no word for it.
pub(super) fn is_hint(name: &str) -> bool {
    HINTS.contains(&name) || is_of_thoughts(name)
}

/// Whether it stands beside the rest and says how Anthropic's models think and answer.
pub(super) fn is_of_thoughts(path: &str) -> bool {
    path.starts_with("thinking.") || path.starts_with("output_config.")
}

/// Whether a member of OpenAI's dialect asks for what there is without it.
pub(super) fn says_nothing(name: &str, value: &str) -> bool {
    let mut tape = Tape::default();
    let Some(root) = tape.read(value.as_bytes()).ok().and_then(|()| tape.root(value.as_bytes())) else {
        return false;
    };
    match name {
        "logprobs" => root.kind() == Kind::False,
        "logit_bias" | "functions" => root.len() == 0 && matches!(root.kind(), Kind::Object | Kind::Array),
        "modalities" => root.len() == 1 && root.elements().all(|word| word.is("text")),
        _ => false,
    }
}

/// What is left out so far, and what can't be told.
#[derive(Debug, Default)]
pub(super) struct Untold {
    left_out: Vec<Cow<'static, str>>,
    unfit: Option<Unfit>,
}

impl Untold {
    /// Tells that a field is left out.
    pub(super) fn leave(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        if !self.left_out.contains(&field) {
            self.left_out.push(field);
        }
    }

    /// What can't be told, and why.
    pub(super) fn refuse(&mut self, field: impl Into<Cow<'static, str>>, why: &'static str) {
        self.unfit.get_or_insert_with(|| Unfit::new(field, why));
    }

    /// The body that was written.
    ///
    /// # Errors
    /// Something of it can't be told.
    pub(super) fn written(self, json: Json) -> Result<Written, Unfit> {
        Ok(Written { left_out: self.told()?, body: json.done(), headers: Vec::new() })
    }

    /// What was left out.
    ///
    /// # Errors
    /// Something of it can't be told.
    pub(super) fn told(self) -> Result<Vec<Cow<'static, str>>, Unfit> {
        self.unfit.map_or(Ok(self.left_out), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_told_once_and_the_first_that_cannot_be_told_is_named() {
        let mut untold = Untold::default();
        ["seed", "user", "seed"].into_iter().for_each(|field| untold.leave(field));
        assert_eq!(untold.left_out, ["seed", "user"]);
        untold.refuse("n", "one");
        untold.refuse("stop", "two");
        assert_eq!(untold.written(Json::default()).unwrap_err(), Unfit::new("n", "one"));
    }
}
