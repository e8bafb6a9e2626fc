//! An answer that came whole, told as the events of a stream: for whoever asked for one of a vendor that has none.
//!
//! Law: what is told is what the answer says, in its order, in one piece each.

use super::super::answer::Answer;
use super::super::chat::{Kind, Part};
use super::super::event::{Delta, Event, Start};
use super::events::Writing;

/// The events of an answer that was made at a time, in seconds of Unix time, where it does not tell.
pub(crate) fn as_events(answer: Answer, now: u64) -> Vec<u8> {
    let (mut writing, mut out) = (Writing::at(now), Vec::new());
    writing
        .put(Event::Start(Start { id: answer.id, model: answer.model, created: answer.created }), &mut out);
    for (choice, said) in (0..).zip(answer.choices) {
        let mut calls = 0..;
        for delta in said.content.into_iter().flat_map(|part| deltas(part, &mut calls)) {
            writing.put(Event::More { choice, delta }, &mut out);
        }
        if let Some(finish) = said.finish {
            writing.put(Event::End { choice, finish }, &mut out);
        }
    }
    answer.usage.into_iter().for_each(|usage| writing.put(Event::Usage(usage), &mut out));
    writing.put(Event::Done, &mut out);
    out
}

fn deltas(part: Part, calls: &mut impl Iterator<Item = u64>) -> Vec<Delta> {
    match part.kind {
        Kind::Text(text) if !text.is_empty() => vec![Delta::Text(text)],
        Kind::Refusal(text) => vec![Delta::Refusal(text)],
        Kind::Redacted(data) => vec![Delta::Redacted(data)],
        Kind::Thinking { text, signature } => {
            let text = Some(text).filter(|text| !text.is_empty()).map(Delta::Thinking);
            text.into_iter().chain(signature.map(Delta::Signature)).collect()
        }
        Kind::Call(call) => {
            let (id, name) = (Some(call.id), Some(call.name));
            let delta = |at| Delta::Call { at, id, name, arguments: call.arguments };
            calls.next().map(delta).into_iter().collect()
        }
        // No answer has these.
        Kind::Text(_) | Kind::Image(..) | Kind::Audio { .. } | Kind::File { .. } | Kind::Output { .. } => {
            Vec::new()
        }
        Kind::Other(_) => Vec::new(),
    }
}
