//! What is spoken at a door, beside OpenAI's chats and gRPC.
//!
//! Law: an answer, an event and a refusal have each one form a dialect, and this is the list of them.

use http::{HeaderMap, Response};
use policy_engine::vocabulary::Instant;

use super::super::body::DoorBody;
use super::super::openai;
use super::super::spoken::Writing;
use crate::dialect::answer::Answer;
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
