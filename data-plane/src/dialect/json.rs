//! Writing JSON.
//!
//! Law: what is written has passed no parser, so it is written so that ours accepts it; numbers that JSON has not are refused.

use crate::tape::text::escape;

/// JSON being written; commas are put where they belong.
#[derive(Default)]
pub(crate) struct Json(Vec<u8>);

/// A number that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotFinite;

impl Json {
    /// What was written.
    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }

    /// An object, its members written by `write`.
    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push(b'{');
        write(self);
        self.0.push(b'}');
    }

    /// An array, its elements written by `write`.
    pub(crate) fn array(&mut self, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push(b'[');
        write(self);
        self.0.push(b']');
    }

    /// The name of a member, whose value is to follow.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.0.push(b':');
        self
    }

    /// A string.
    pub(crate) fn string(&mut self, text: &str) {
        self.separate();
        self.0.push(b'"');
        escape(text, &mut self.0);
        self.0.push(b'"');
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, value: bool) {
        self.word(if value { "true" } else { "false" });
    }

    /// A whole number.
    pub(crate) fn whole(&mut self, value: impl Into<i64>) {
        self.word(&value.into().to_string());
    }

    /// A number that is not negative.
    pub(crate) fn number_of(&mut self, value: u64) {
        self.word(&value.to_string());
    }

    /// `null`.
    pub(crate) fn null(&mut self) {
        self.word("null");
    }

    /// A number; whole ones are written whole.
    pub(crate) fn number(&mut self, value: f64) -> Result<(), NotFinite> {
        if !value.is_finite() {
            return Err(NotFinite);
        }
        if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
            self.word(&(value as i64).to_string());
        } else {
            self.word(&serde_json::to_string(&value).map_err(|_| NotFinite)?);
        }
        Ok(())
    }

    /// A value that is JSON already, as it stands.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.separate();
        self.0.extend_from_slice(json);
    }

    fn word(&mut self, word: &str) {
        self.separate();
        self.0.extend_from_slice(word.as_bytes());
    }
}
