//! The dialects beside OpenAI's, each by its name.
//!
//! Law: a dialect is one variant here and one folder; whoever speaks it, a door or a vendor, speaks it through this.

use super::answer::Answer;
use super::chat::Chat;
use super::event::Event;
use super::gemini::Api;
use super::{Unfit, VendorError, Written, anthropic, gemini};

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

impl Foreign {
    /// A request for a vendor that speaks it; `api` says which of Google's two, where it is one.
    pub(crate) fn request(self, chat: &Chat, api: Api) -> Result<Written, Unfit> {
        match self {
            Self::Anthropic => anthropic::write::write(chat),
            Self::Gemini => gemini::write::write(chat, api),
        }
    }

    /// A vendor's answer; `None`: it is none.
    pub(crate) fn read_answer(self, body: &[u8]) -> Option<Answer> {
        match self {
            Self::Anthropic => anthropic::answer::read(body),
            Self::Gemini => gemini::answer::read(body),
        }
    }

    /// What a vendor says of its error.
    pub(crate) fn message(self, body: &[u8]) -> Option<String> {
        match self {
            Self::Anthropic => anthropic::error::message(body),
            Self::Gemini => gemini::error::message(body),
        }
    }

    /// Reads a vendor's events.
    pub(crate) fn reading(self) -> Reading {
        match self {
            Self::Anthropic => Reading::Anthropic(Default::default()),
            Self::Gemini => Reading::Gemini(Default::default()),
        }
    }
}

/// A vendor's events, being read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Of Anthropic's dialect.
    Anthropic(anthropic::events::Reading),
    /// Of Gemini's dialect.
    Gemini(gemini::events::Reading),
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
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        match self {
            // It has an end mark of its own: without it, it broke off.
            Self::Anthropic(_) => {}
            Self::Gemini(reading) => reading.finish(events),
        }
    }
}
