//! What a caller hears, whatever the door.
//!
//! Law: a refusal reads the same from an OpenAI error object and from a gRPC status. Deliberately absent: judging it.

use std::collections::BTreeMap;

/// Headers, or initial metadata, by lower-case name; of several values, all, parted by a line feed.
pub type Head = BTreeMap<String, String>;

/// An answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// What came before it.
    pub head: Head,
    /// The text of the first choice.
    pub text: String,
    /// How the first choice ended: `stop`, `length`, `tool_calls`, `content_filter`.
    pub finish: String,
    /// How many choices.
    pub choices: usize,
    /// Vectors.
    pub vectors: Vec<Vec<f32>>,
    /// Input and output tokens, where they are told.
    pub usage: Option<(u64, u64)>,
    /// The model as it is named in the answer.
    pub model: String,
}

/// A part of an answer as it comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It begins; the model as it is named.
    Start(String),
    /// More text of a choice.
    Text(usize, String),
    /// A choice ended, and how.
    Finish(usize, String),
    /// Input and output tokens.
    Usage(u64, u64),
}

/// Why there is no answer, or no more of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refused {
    /// The HTTP status; for gRPC the one that the code's row in the table has. 0 within a stream.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// Codes of the reasons, most telling first.
    pub reasons: Vec<String>,
    /// The field that is wrong.
    pub field: String,
    /// Seconds until another try makes sense.
    pub retry_after: Option<u64>,
    /// What came before it.
    pub head: Head,
    /// What of the answer had come, where some had.
    pub before: Option<Box<Told>>,
}

impl Told {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }

    /// Takes in more of it.
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Start(model) => self.model = model,
            Step::Text(0, text) => self.text.push_str(&text),
            Step::Text(..) => {}
            Step::Finish(choice, how) => {
                self.choices = self.choices.max(choice + 1);
                if choice == 0 {
                    self.finish = how;
                }
            }
            Step::Usage(input, output) => self.usage = Some((input, output)),
        }
    }
}

impl Refused {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }
}
