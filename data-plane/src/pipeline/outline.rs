//! What the gateway needs to know of a request's body, owned: names, caps, counts, and where the texts stand.
//!
//! Law: a wrong type is refused by the name of its field, and every string leaf is a text to be inspected unless it is known
//! to be structure or media; what we do not know rides along, inspected. Deliberately absent: the texts themselves, and any
//! opinion on what a vendor makes of a field.

mod chat;
mod complete;
mod embed;
mod file;
mod image;
mod inputs;
mod moderate;
mod rerank;
mod responses;
mod speech;
mod transcribe;

use std::ops::Range;

use policy_engine::facts::Picture;
use policy_engine::vocabulary::{Operation, is_published};

pub(crate) use crate::dialect::field::BodyFault;
pub(crate) use chat::data_url;
pub(crate) use responses::Stated;

use crate::tape::{Tape, Value};

/// The most answers one request may ask for.
pub(crate) const ANSWERS: u64 = 128;

/// Fields outside the published schema that are kept by name: one decides, the others would be noise.
const UNKNOWN: usize = 8;

/// The longest name of a model, in bytes.
const MODEL_NAME: usize = 256;

/// A body, understood as far as the gateway needs to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outline {
    /// The model as written.
    pub(crate) model: String,
    /// Where its value stands, quotes included.
    pub(crate) model_at: Range<usize>,
    /// Whether a stream is asked for.
    pub(crate) stream: bool,
    /// Whether and how the caller asks for usage on the stream.
    pub(crate) usage: UsageOption,
    /// The most tokens of each answer, as asked for.
    pub(crate) max_tokens: Option<u64>,
    /// Answers to be given.
    pub(crate) choices: u64,
    /// Answers to be paid for: `n`, or `best_of` where that is more.
    pub(crate) answers: u64,
    /// Tools that the vendor runs by itself and that reach outside, by type.
    pub(crate) egress_tools: Vec<String>,
    /// Fields outside the published schema of the operation, by name; the first few.
    pub(crate) unknown_fields: Vec<String>,
    /// Where the texts stand, quotes included, in order.
    pub(crate) texts: Vec<Range<usize>>,
    /// Texts that the model reads as one, each of [`Self::texts`] at most once, two at least: the parts of a message and of those of the
    /// same role that follow it, the elements of an array.
    pub(crate) joined: Vec<Vec<Range<usize>>>,
    /// Long numbers outside the dialect's own fields, in order.
    pub(crate) numbers: Vec<Labelled>,
    /// Base64 where the dialect has media.
    pub(crate) embedded: Vec<Embedded>,
    /// What is only referred to, by medium.
    pub(crate) elsewhere: Vec<&'static str>,
    /// Bytes of what is embedded and does not say that it is text.
    pub(crate) media_bytes: usize,
    /// Input that came as token numbers, which cannot be inspected.
    pub(crate) token_numbers: u64,
    /// How pictures are asked for.
    pub(crate) picture: Picture,
    /// Characters that are to be spoken.
    pub(crate) characters: u64,
    /// Bytes of texts that are read more than once, as often as they are beyond the first.
    pub(crate) again_bytes: usize,
    /// Bytes of the question that the answers repeat, at most.
    pub(crate) echoed_bytes: usize,
    /// Bytes of what a vendor sealed for itself, which nobody else can read.
    pub(crate) sealed_bytes: usize,
    /// What else matters of a request of the Responses API, where it is one.
    pub(crate) stated: Option<Box<Stated>>,
}

/// Something in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Embedded {
    /// Where its string stands, quotes included.
    pub(crate) at: Range<usize>,
    /// What the part holds that it is in: a label.
    pub(crate) medium: &'static str,
    /// It says that it is text, or may be one as it stands: it is read as such too.
    pub(crate) textual: bool,
}

/// A number, and what stands before it that may say whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// Where the key or string before it stands, quotes included; empty where there is none.
    pub(crate) label: Range<usize>,
    /// Where it stands.
    pub(crate) at: Range<usize>,
}

/// `stream_options.include_usage`, and where to write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum UsageOption {
    /// No `stream_options`: they go in as the first member, here.
    Absent(usize),
    /// Something of these bytes, to be replaced: `null`, `{}` or `false`.
    Instead(Range<usize>, Written),
    /// An object with other members: ours goes in as its first, here.
    Beside(usize),
    /// The caller asked for it.
    #[default]
    Asked,
}

/// What is to be written in the place of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The whole `stream_options`.
    Options,
    /// The value of `include_usage`.
    Value,
}

impl Outline {
    /// Understands a body for an operation.
    pub(crate) fn read(tape: &mut Tape, body: &[u8], operation: Operation) -> Result<Self, BodyFault> {
        tape.read(body)?;
        let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
        let mut outline = Self { choices: 1, answers: 1, ..Self::default() };
        match operation {
            Operation::Chat => chat::read(&mut outline, root)?,
            Operation::Embed => embed::read(&mut outline, root)?,
            Operation::Complete => complete::read(&mut outline, root)?,
            Operation::Moderate => moderate::read(&mut outline, root)?,
            Operation::Rerank => rerank::read(&mut outline, root)?,
            Operation::Image | Operation::EditImage => image::read(&mut outline, root, operation)?,
            Operation::Speech => speech::read(&mut outline, root)?,
            Operation::Transcribe | Operation::Translate => {
                transcribe::read(&mut outline, root, operation)?;
            }
        }
        Ok(outline)
    }

    /// Understands a body of the Responses API, which asks for a chat.
    pub(crate) fn of_responses(tape: &mut Tape, body: &[u8]) -> Result<Self, BodyFault> {
        tape.read(body)?;
        let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
        let mut outline = Self { choices: 1, answers: 1, ..Self::default() };
        responses::read(&mut outline, root)?;
        Ok(outline)
    }

    /// Notes a field that is outside the published schema, if it is.
    fn note_field(&mut self, operation: Operation, name: &str) {
        if !is_published(operation, name) {
            self.note_unknown(name);
        }
    }

    /// Notes a field that is outside the published schema.
    fn note_unknown(&mut self, name: &str) {
        if self.unknown_fields.len() < UNKNOWN {
            self.unknown_fields.push(name.chars().take(64).collect());
        }
    }

    /// Takes in every string and long number of a value whose structure is not ours to know, and the key it goes by, where that
    /// is nobody's but the caller's.
    fn take_all(&mut self, key: Option<Value<'_>>, value: Value<'_>) {
        self.texts.extend(value.leaves().map(|leaf| leaf.range()));
        self.join_arrays(value);
        self.take_numbers(key, value);
    }

    /// Notes what the arrays of a value hold in parts.
    fn join_arrays(&mut self, value: Value<'_>) {
        value.arrays().for_each(|array| self.join(array.parts().map(|part| part.range()).collect()));
    }

    /// Notes texts that are read as one.
    fn join(&mut self, texts: Vec<Range<usize>>) {
        if texts.len() > 1 {
            self.joined.push(texts);
        }
    }

    /// Takes in the long numbers of a value.
    fn take_numbers(&mut self, key: Option<Value<'_>>, value: Value<'_>) {
        let labelled = |(label, number): (Option<Value<'_>>, Value<'_>)| Labelled {
            label: label.or(key).map_or(0..0, |label| label.range()),
            at: number.range(),
        };
        self.numbers.extend(value.numbers().map(labelled));
    }

    /// Whether the caller wants to see usage on the stream.
    pub(crate) fn shows_usage(&self) -> bool {
        self.usage == UsageOption::Asked
    }

    /// An upper bound of the tokens of the input: no tokeniser in use makes more than one token of 2.5 bytes of prose, and
    /// each text may cost a few tokens of framing.
    pub(crate) fn input_bound(&self) -> u64 {
        let textual = self.embedded.iter().filter(|embedded| embedded.textual).map(|embedded| &embedded.at);
        let text: usize = self.texts.iter().chain(textual).map(Range::len).sum();
        let text = (text as u64).saturating_add((self.again_bytes + self.sealed_bytes) as u64);
        let bytes = text.saturating_add(self.media_bytes as u64 / MEDIA_BYTES_A_TOKEN);
        let framing = (self.texts.len() as u64).saturating_mul(4);
        bytes.saturating_mul(2).div_ceil(5).saturating_add(framing).saturating_add(self.token_numbers)
    }
}

/// How many tokens the input of a conversation has, by our own guess.
pub(crate) fn input_tokens(body: &[u8]) -> Result<u64, BodyFault> {
    let outline = Outline::read(&mut Tape::for_text(body.len()), body, Operation::Chat)?;
    // The bound takes a token for 2.5 bytes, prose has 4.
    Ok(outline.input_bound().saturating_mul(5).div_ceil(8))
}

/// Media is billed by pixels and seconds, not by bytes; a tenth of its bytes as text is above every published tariff.
const MEDIA_BYTES_A_TOKEN: u64 = 10;

#[cfg(test)]
mod tests;
