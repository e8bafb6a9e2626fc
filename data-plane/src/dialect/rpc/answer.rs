//! A whole answer.
//!
//! Law: see the parent. An answer whose choices are not numbered, that says what no answer says, or whose extensions bear names of OpenAI's
//! answers, is none.

use proto::inference::content_part::Part as Said;
use proto::inference::{ChatResponse, Choice as Wire, FinishReason};

use super::super::answer::{Answer, Choice, Finish};
use super::super::chat::{Call, Kind, Part};
use super::super::json::Json;
use super::super::structure;
use super::usage;

/// Names of OpenAI's answers.
const FIELDS: [&str; 6] = ["id", "object", "created", "model", "choices", "usage"];

/// An answer; `None`: it is none.
pub(crate) fn read(told: ChatResponse) -> Option<Answer> {
    let mut choices = told.choices;
    choices.sort_by_key(|choice| choice.index);
    let numbered = (0..).zip(&choices).all(|(at, choice): (u32, _)| choice.index == at);
    if choices.is_empty() || !numbered {
        return None;
    }
    let extensions = told.extensions.unwrap_or_default();
    let others = extensions.fields.into_iter().map(|(name, value)| {
        let mut json = Json::default();
        structure::write_value(&mut json, &value).ok()?;
        let raw = String::from_utf8(json.done()).ok()?;
        (!FIELDS.contains(&name.as_str())).then_some((name, raw.into()))
    });
    Some(Answer {
        id: told.id,
        // The caller asked for another name.
        model: String::new(),
        created: told.create_time.and_then(|at| u64::try_from(at.seconds).ok()),
        choices: choices.into_iter().map(choice).collect::<Option<_>>()?,
        usage: told.usage.as_ref().map(usage),
        others: others.collect::<Option<_>>()?,
    })
}

fn choice(told: Wire) -> Option<Choice> {
    let message = told.message?;
    let reason = finish(told.finish_reason);
    let calls = message
        .tool_calls
        .into_iter()
        .map(|call| Part::of(Kind::Call(Call { id: call.id, name: call.name, arguments: call.arguments })));
    let calls: Vec<Part> = calls.collect();
    let told = |reason: Option<Finish>| {
        reason.unwrap_or(if calls.is_empty() { Finish::Stop } else { Finish::Calls })
    };
    let finish = Some(told(reason));
    let said = message.content.into_iter().map(|part| {
        Some(Part::of(match part.part? {
            Said::Text(text) => Kind::Text(text),
            Said::Refusal(text) => Kind::Refusal(text),
            Said::Reasoning(reasoning) => Kind::Thinking {
                text: reasoning.text,
                signature: Some(reasoning.signature).filter(|signature| !signature.is_empty()),
            },
            // No answer has these.
            Said::Image(_) | Said::Audio(_) | Said::File(_) => return None,
        }))
    });
    let mut content = said.collect::<Option<Vec<_>>>()?;
    content.extend(calls);
    Some(Choice { content, finish })
}

/// Why it ended; `None`: it does not say, or by a word that is not known here.
pub(super) fn finish(reason: i32) -> Option<Finish> {
    match FinishReason::try_from(reason).unwrap_or(FinishReason::Unspecified) {
        FinishReason::Unspecified => None,
        FinishReason::Stop => Some(Finish::Stop),
        FinishReason::Length => Some(Finish::Length),
        FinishReason::ToolCalls => Some(Finish::Calls),
        FinishReason::ContentFilter => Some(Finish::Filtered),
    }
}
