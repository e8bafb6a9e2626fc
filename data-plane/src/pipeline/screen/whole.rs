//! A whole answer.
//!
//! Law: see the parent. Long numbers are read like strings, and masked to strings; the parts of an array also as one text. Log
//! probabilities spell an answer's tokens, so they go where anything of the answer was masked.

use std::ops::Range;

use bytes::Bytes;
use policy_engine::content::Masker;
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Id, Operation};

use super::super::Exchange;
use super::super::again::{Again, detectors};
use super::super::decide::{Permitted, quoted};
use super::super::inspect::{Content, Marked, Tally, decoded};
use super::super::patch::Patches;
use super::super::tape::{Kind, Tape, Value};
use super::super::usage::Reported;
use crate::error::Rejection;

/// Members whose strings are structure, at any level of an answer.
const STRUCTURE: [&str; 6] = ["role", "type", "id", "object", "finish_reason", "embedding"];
/// Members of the outermost object that the dialect itself fills; its strings are read all the same.
const FRAME: [&str; 5] = ["model", "system_fingerprint", "service_tier", "usage", "created"];

/// The answer as it may go on.
pub(super) fn screen(
    exchange: &mut Exchange<'_>,
    permitted: Permitted<'_>,
    (bytes, tape): (Bytes, Tape),
    endpoint: &Id,
) -> Result<Bytes, Rejection> {
    let Some(root) = tape.root(&bytes) else { return Ok(bytes) };
    if let Some(reported) = root.get("usage").and_then(Reported::read) {
        exchange.account.reported(reported);
    }
    let mut texts = Texts::default();
    for (_, value) in root.members().filter(|(key, _)| !is_frame(*key)) {
        // Answers to one question are many; each is read by itself.
        match value.kind() {
            Kind::Array => value.elements().for_each(|element| texts.gather(element)),
            _ => texts.gather(value),
        }
    }
    let chat = permitted.entitled.question.arrival.operation == Operation::Chat;
    exchange.account.produced(if chat { texts.bytes() } else { 0 });
    let Some(detectors) = detectors(&permitted) else { return Ok(bytes) };
    let content = texts.with_rest(root);
    let marked = content.mark(&detectors, &bytes);
    let mut tally = Tally::default();
    let kinds = || marked.iter().flat_map(|marked| &marked.findings).map(|finding| finding.what);
    kinds().for_each(|what| tally.add(what, 1));
    exchange.account.found_output(tally);
    if marked.is_empty() {
        return Ok(bytes);
    }
    let Permitted { entitled, found, permit, mut masker, .. } = permitted;
    let mut actions = permit.output;
    if permit.output_decides {
        let runtime = exchange.runtime.clone();
        let mut again = Again { question: entitled.question, found, runtime, endpoint: endpoint.clone() };
        actions = again.ask(kinds())?.unwrap_or(actions);
    }
    let patches = mask(&content, &marked, (&actions, &mut masker), (root, &bytes))?;
    Ok(patches.apply(&bytes))
}

/// Where the strings of an answer stand, and which of them are read as one.
#[derive(Default)]
struct Texts {
    all: Vec<Range<usize>>,
    joined: Vec<Vec<Range<usize>>>,
}

impl Texts {
    /// Takes in the strings within a value that are not structure, in order; log probabilities are left out.
    fn gather(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::String => self.all.push(value.range()),
            Kind::Array => {
                value.elements().for_each(|element| self.gather(element));
                if value.parts().nth(1).is_some() {
                    self.joined.push(value.parts().map(|part| part.range()).collect());
                }
            }
            Kind::Object => {
                for (key, member) in value.members() {
                    if !STRUCTURE.iter().any(|known| key.is(known)) && !key.is("logprobs") {
                        self.gather(member);
                    }
                }
            }
            _ => {}
        }
    }

    /// Bytes of them as written.
    fn bytes(&self) -> usize {
        self.all.iter().map(|at| at.len().saturating_sub(2)).sum()
    }

    /// The same with what else is read of an answer.
    fn with_rest(mut self, root: Value<'_>) -> Content {
        self.all.extend(frame(root).map(|text| text.range()));
        Content::of_answer(self.all, self.joined, numbers(root).map(|number| number.range()))
    }
}

fn is_frame(key: Value<'_>) -> bool {
    STRUCTURE.iter().chain(&FRAME).any(|known| key.is(known))
}

/// The strings that the dialect has beside the answer: ids, names and tiers, as a vendor writes them.
fn frame<'t>(root: Value<'t>) -> impl Iterator<Item = Value<'t>> {
    let members = root.members().filter(|(key, _)| is_frame(*key));
    members.flat_map(|(_, value)| value.leaves()).filter(|leaf| leaf.kind() == Kind::String)
}

/// The long numbers of an answer that the dialect does not fill.
fn numbers<'t>(root: Value<'t>) -> impl Iterator<Item = Value<'t>> {
    let members = root.members().filter(|(key, _)| !FRAME.iter().any(|known| key.is(known)));
    members.flat_map(|(_, value)| value.numbers()).map(|(_, number)| number)
}

fn mask(
    content: &Content,
    marked: &[Marked],
    (actions, masker): (&Actions, &mut Masker),
    (root, body): (Value<'_>, &[u8]),
) -> Result<Patches, Rejection> {
    let mut patches = Patches::default();
    content.texts().iter().for_each(|at| masker.reserve(&decoded(body, at)));
    for marked in marked {
        let masked = marked.masked(body, actions, masker);
        let masked = masked.map_err(|blocked| Rejection::blocked(blocked.what.label()))?;
        masked.iter().for_each(|(at, text)| patches.add(at.clone(), quoted(text)));
    }
    if !patches.is_empty() {
        let choices = root.get("choices").into_iter().flat_map(|choices| choices.elements());
        for logprobs in choices.filter_map(|choice| choice.get("logprobs")) {
            patches.add(logprobs.range(), &b"null"[..]);
        }
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use policy_engine::content::Detectors;
    use policy_engine::vocabulary::{Entity, MaskAction};

    use super::*;

    #[test]
    fn a_card_written_as_a_number_is_masked_to_a_string() {
        let answer = br#"{"id":"a@example.org","created":4111111111111111,"usage":{"n":4111111111111111},"choices":[{"index":0,"x":{"n":[7,4111111111111111.0]},"z":[{"text":"bob@exam"},{"type":"u","refusal":"ple.com!"}]}],"y":-378282246310005}"#;
        let (mut tape, mut actions) = (Tape::default(), Actions::default());
        tape.read(answer).unwrap();
        let root = tape.root(answer).unwrap();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let mut texts = Texts::default();
        texts.gather(root.get("choices").unwrap());
        let content = texts.with_rest(root);
        let marked = content.mark(&detectors, answer);
        let patches = mask(&content, &marked, (&actions, &mut Masker::new()), (root, answer)).unwrap();
        let masked = patches.apply(&Bytes::from_static(answer));
        let card = "CREDIT_DEBIT_CARD_NUMBER";
        let expected = format!(
            r#"{{"id":"[EMAIL_1]","created":4111111111111111,"usage":{{"n":4111111111111111}},"choices":[{{"index":0,"x":{{"n":[7,"[{card}_1]"]}},"z":[{{"text":"[EMAIL_2]"}},{{"type":"u","refusal":"!"}}]}}],"y":"[{card}_2]"}}"#
        );
        assert_eq!(std::str::from_utf8(&masked).unwrap(), expected);
    }
}
