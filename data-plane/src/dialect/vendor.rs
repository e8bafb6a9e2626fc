//! The dialects beside OpenAI's that vendors speak, each by its name.
//!
//! Law: a dialect is one variant here and one folder; whoever calls a vendor that speaks it does so through this. Absent on purpose: doors, and
//! where and how calls are sent (`upstream`).

use super::answer::Answer;
use super::chat::Chat;
use super::event::Event;
use super::gemini::Api;
use super::pictures::Unmade;
use super::ranks::Asked;
use super::vectors::Encoding;
use super::{Unfit, VendorError, Written, anthropic, bedrock, cohere, gemini, template};

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Amazon Bedrock's Converse API.
    Bedrock,
    /// Cohere's API of version 2.
    Cohere,
}

/// How the events of an answer are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// Lines, each a JSON value.
    Lines,
    /// Frames of an AWS event stream.
    Frames,
}

impl Dialect {
    /// A request for a vendor that speaks it; `api` says which of Google's two, where it is one.
    pub(crate) fn request(self, chat: &Chat, api: Api) -> Result<Written, Unfit> {
        match self {
            Self::Anthropic => anthropic::write::write(chat),
            Self::Gemini => gemini::write::write(chat, api),
            Self::Bedrock => bedrock::write::write(chat),
            Self::Cohere => cohere::write::write(chat),
        }
    }

    /// A vendor's answer; `None`: it is none.
    pub(crate) fn read_answer(self, body: &[u8]) -> Option<Answer> {
        match self {
            Self::Anthropic => anthropic::answer::read(body),
            Self::Gemini => gemini::answer::read(body),
            Self::Bedrock => bedrock::answer::read(body),
            Self::Cohere => cohere::answer::read(body),
        }
    }

    /// What a vendor says of its error.
    pub(crate) fn message(self, body: &[u8]) -> Option<String> {
        match self {
            Self::Anthropic => anthropic::error::message(body),
            Self::Gemini => gemini::error::message(body),
            Self::Bedrock | Self::Cohere => bedrock::answer::message(body),
        }
    }

    /// A request for vectors, of a body of OpenAI's dialect, and how its answer is read.
    pub(crate) fn embed(self, model: &str, body: &[u8]) -> Result<(Written, Vectors), Unfit> {
        let of = |(written, encoding)| (written, Vectors { dialect: self, encoding });
        match self {
            Self::Anthropic => Err(Unfit::new("model", "its vendor has no vectors")),
            Self::Gemini => gemini::embed::write(body).map(of),
            Self::Bedrock => bedrock::embed::write(model, body).map(of),
            Self::Cohere => cohere::embed::write(body).map(of),
        }
    }

    /// A request for pictures, of a body of OpenAI's dialect.
    pub(crate) fn picture(self, model: &str, body: &[u8]) -> Result<Written, Unfit> {
        match self {
            Self::Anthropic | Self::Cohere => {
                Err(Unfit::new("model", "its vendor makes no pictures (`image`)"))
            }
            Self::Gemini => gemini::pictures::write(model, body),
            Self::Bedrock => bedrock::pictures::write(model, body),
        }
    }

    /// A vendor's answer with pictures as OpenAI's dialect has it, made at a time in seconds of Unix time.
    pub(crate) fn read_pictures(self, created: u64, body: &[u8]) -> Result<Vec<u8>, Unmade> {
        match self {
            Self::Anthropic | Self::Cohere => Err(Unmade::Unread),
            Self::Gemini => gemini::pictures::read_answer(created, body),
            Self::Bedrock => bedrock::pictures::read_answer(created, body),
        }
    }

    /// A request for the order of documents, of a body of the gateway's dialect, and how its answer is read.
    pub(crate) fn rerank(self, body: &[u8]) -> Result<(Written, Order), Unfit> {
        match self {
            Self::Cohere => cohere::rerank::write(body).map(|(written, asked)| (written, Order(asked))),
            Self::Anthropic | Self::Gemini | Self::Bedrock => {
                Err(Unfit::new("model", "its vendor orders no documents (`rerank`)"))
            }
        }
    }

    /// How its events are told apart.
    pub(crate) fn framing(self) -> Framing {
        match self {
            Self::Bedrock => Framing::Frames,
            Self::Anthropic | Self::Gemini | Self::Cohere => Framing::Events,
        }
    }

    /// Reads a vendor's events.
    pub(crate) fn reading(self) -> Reading {
        match self {
            Self::Anthropic => Reading::Anthropic(Default::default()),
            Self::Gemini => Reading::Gemini(Default::default()),
            Self::Bedrock => Reading::Bedrock(Default::default()),
            Self::Cohere => Reading::Cohere(Default::default()),
        }
    }
}

/// How an answer with vectors is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vectors {
    dialect: Dialect,
    encoding: Encoding,
}

impl Vectors {
    /// A vendor's answer as OpenAI's dialect has it; `None`: it is none.
    pub(crate) fn read(self, model: &str, body: &[u8]) -> Option<Vec<u8>> {
        match self.dialect {
            Dialect::Anthropic => None,
            Dialect::Gemini => gemini::embed::read_answer(model, self.encoding, body),
            Dialect::Bedrock => bedrock::embed::read_answer(model, self.encoding, body),
            Dialect::Cohere => cohere::embed::read_answer(model, self.encoding, body),
        }
    }
}

/// How an answer with an order of documents is read; Cohere's, for nobody else has one.
#[derive(Debug)]
pub(crate) struct Order(Asked);

impl Order {
    /// A vendor's answer as the gateway's dialect has it; `None`: it is none.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Vec<u8>> {
        cohere::rerank::read_answer(&self.0, body)
    }
}

/// A vendor's events, being read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Of Anthropic's dialect.
    Anthropic(anthropic::events::Reading),
    /// Of Gemini's dialect.
    Gemini(gemini::events::Reading),
    /// Of Bedrock's dialect.
    Bedrock(bedrock::events::Reading),
    /// Of Cohere's dialect.
    Cohere(cohere::events::Reading),
    /// By a template.
    Template(template::events::Reading),
}

impl Reading {
    /// What the data of an event says.
    ///
    /// # Errors
    /// The vendor broke off, and says why.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        match self {
            Self::Anthropic(reading) => reading.take(data, events),
            Self::Gemini(reading) => reading.take(data, events),
            Self::Bedrock(reading) => reading.take(data, events),
            Self::Cohere(reading) => reading.take(data, events),
            Self::Template(reading) => reading.take(data, events),
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        match self {
            // They have an end mark of their own: without it, it broke off.
            Self::Anthropic(_) | Self::Cohere(_) => {}
            Self::Gemini(reading) => reading.finish(events),
            Self::Bedrock(reading) => reading.finish(events),
            Self::Template(reading) => reading.finish(events),
        }
    }
}
