//! What is spoken at a door, beside OpenAI's chats and gRPC.
//!
//! Law: an answer, an event and a refusal have each one form a dialect, and this is the list of them.

use http::{HeaderMap, Response};
use policy_engine::vocabulary::Instant;

use super::super::body::DoorBody;
use super::super::openai;
use crate::dialect::answer::Answer;
use crate::dialect::event::Event;
use crate::dialect::foreign::Foreign;
use crate::dialect::responses::Echo;
use crate::dialect::{anthropic, gemini, responses};
use crate::error::Rejection;

/// A dialect that an answer is told in.
#[derive(Debug)]
pub(in crate::ingress) enum Inbound {
    /// Another vendor's.
    Foreign(Foreign),
    /// OpenAI's Responses API, with what an answer repeats of its request.
    Responses(Box<Echo>),
}

impl Inbound {
    /// An answer, whole.
    pub(super) fn answer(&self, answer: &Answer, now: Instant) -> Vec<u8> {
        match self {
            Self::Foreign(Foreign::Anthropic) => anthropic::answer::write(answer),
            Self::Foreign(Foreign::Gemini) => gemini::answer::write(answer),
            Self::Responses(echo) => responses::answer::write(answer, echo, seconds(now)),
        }
    }

    /// What writes the events of an answer.
    pub(super) fn writing(self, now: Instant) -> Writing {
        match self {
            Self::Foreign(Foreign::Anthropic) => Writing::Anthropic(Default::default()),
            Self::Foreign(Foreign::Gemini) => Writing::Gemini(Default::default()),
            Self::Responses(echo) => {
                Writing::Responses(Box::new(responses::events::Writing::of(*echo, seconds(now))))
            }
        }
    }

    /// A refusal.
    pub(super) fn refuse(&self, rejection: &Rejection, told: HeaderMap) -> Response<DoorBody> {
        match self {
            Self::Foreign(dialect) => super::refuse(*dialect, rejection, told),
            Self::Responses(_) => openai::refuse(rejection, told),
        }
    }
}

/// Seconds of Unix time.
fn seconds(now: Instant) -> u64 {
    u64::try_from(now.0 / 1_000_000).unwrap_or(0)
}

/// Events for a caller, being written.
#[derive(Debug)]
pub(super) enum Writing {
    /// In Anthropic's dialect.
    Anthropic(anthropic::events::Writing),
    /// In Gemini's dialect.
    Gemini(gemini::events::Writing),
    /// Of the Responses API.
    Responses(Box<responses::events::Writing>),
}

impl Writing {
    /// Writes what happens, framed.
    pub(super) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match self {
            Self::Anthropic(writing) => writing.put(event, out),
            Self::Gemini(writing) => writing.put(event, out),
            Self::Responses(writing) => writing.put(event, out),
        }
    }

    /// A refusal as the last event, framed.
    pub(super) fn broken(&self, rejection: &Rejection) -> Vec<u8> {
        let (status, refusal) = (rejection.code().row().http.as_u16(), &rejection.refusal);
        match self {
            Self::Anthropic(_) => anthropic::error::event(status, refusal),
            Self::Gemini(_) => [&b"data: "[..], &gemini::error::write(status, refusal), b"\n\n"].concat(),
            Self::Responses(writing) => {
                let error = openai::rejection::json(refusal);
                let begin = format!(
                    "event: error\ndata: {{\"type\":\"error\",\"sequence_number\":{},\"code\":\"{}\",\"message\":{},\"param\":null,",
                    writing.number(),
                    refusal.code.as_str(),
                    serde_json::Value::from(refusal.message.as_str()),
                );
                // The error object goes on with the same members, so that clients of either kind find it.
                [begin.as_bytes(), error.get(1..).unwrap_or_default(), b"\n\n"].concat()
            }
        }
    }
}
