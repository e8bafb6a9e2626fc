//! A whole answer.
//!
//! Law: see the parent. Long numbers are read like strings, and masked to strings. Log probabilities spell an answer's tokens, so they go where anything of the answer was masked.

use std::borrow::Cow;

use bytes::Bytes;
use policy_engine::content::mask::apply;
use policy_engine::content::{Detectors, Finding, Masker};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Id, Operation};

use super::super::Exchange;
use super::super::again::{Again, detectors};
use super::super::decide::{Permitted, quoted};
use super::super::inspect::Tally;
use super::super::patch::Patches;
use super::super::tape::{Kind, Tape, Value, number};
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
    let mut texts = Vec::new();
    for (_, value) in root.members().filter(|(key, _)| !is_frame(*key)) {
        gather(value, &mut texts);
    }
    let chat = permitted.entitled.question.arrival.operation == Operation::Chat;
    exchange.account.produced(if chat { texts.iter().map(|text| text.inner().len()).sum() } else { 0 });
    let Some(detectors) = detectors(&permitted) else { return Ok(bytes) };
    texts.extend(frame(root));
    texts.extend(numbers(root));
    let (marked, tally) = mark(&detectors, &texts);
    exchange.account.found_output(tally);
    if marked.is_empty() {
        return Ok(bytes);
    }
    let Permitted { entitled, found, permit, mut masker, .. } = permitted;
    let mut actions = permit.output;
    if permit.output_decides {
        let runtime = exchange.runtime.clone();
        let mut again = Again { question: entitled.question, found, runtime, endpoint: endpoint.clone() };
        let kinds = marked.iter().flat_map(|(_, findings)| findings).map(|finding| finding.what);
        actions = again.ask(kinds)?.unwrap_or(actions);
    }
    let patches = mask(&marked, &texts, (&actions, &mut masker), root)?;
    Ok(patches.apply(&bytes))
}

/// The strings within a value that are not structure, in order; log probabilities left out.
fn gather<'t>(value: Value<'t>, texts: &mut Vec<Value<'t>>) {
    match value.kind() {
        Kind::String => texts.push(value),
        Kind::Array => value.elements().for_each(|element| gather(element, texts)),
        Kind::Object => {
            for (key, member) in value.members() {
                if !STRUCTURE.iter().any(|known| key.is(known)) && !key.is("logprobs") {
                    gather(member, texts);
                }
            }
        }
        _ => {}
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

/// A string unescaped, or a number in full.
fn as_read(value: Value<'_>) -> Cow<'_, str> {
    if value.kind() == Kind::Number { number::in_full(value.raw()) } else { value.text() }
}

type Marked<'t> = Vec<(Value<'t>, Vec<Finding>)>;

fn mark<'t>(detectors: &Detectors, texts: &[Value<'t>]) -> (Marked<'t>, Tally) {
    let (mut marked, mut tally, mut findings) = (Vec::new(), Tally::default(), Vec::new());
    for text in texts {
        detectors.scan(&as_read(*text), &mut findings);
        if !findings.is_empty() {
            findings.iter().for_each(|finding: &Finding| tally.add(finding.what, 1));
            marked.push((*text, std::mem::take(&mut findings)));
        }
    }
    (marked, tally)
}

fn mask(
    marked: &Marked<'_>,
    texts: &[Value<'_>],
    (actions, masker): (&Actions, &mut Masker),
    root: Value<'_>,
) -> Result<Patches, Rejection> {
    let mut patches = Patches::default();
    texts.iter().for_each(|text| masker.reserve(&text.text()));
    for (value, findings) in marked {
        let text = as_read(*value);
        let masked = apply(&text, findings, actions, masker);
        let masked = masked.map_err(|blocked| Rejection::blocked(blocked.what.label()))?;
        if masked != text {
            patches.add(value.range(), quoted(&masked));
        }
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
    use policy_engine::vocabulary::{Entity, MaskAction};

    use super::*;

    #[test]
    fn a_card_written_as_a_number_is_masked_to_a_string() {
        let answer = br#"{"id":"a@example.org","created":4111111111111111,"usage":{"n":4111111111111111},"choices":[{"index":0,"x":{"n":[7,4111111111111111.0]}}],"y":-378282246310005}"#;
        let (mut tape, mut actions) = (Tape::default(), Actions::default());
        tape.read(answer).unwrap();
        let root = tape.root(answer).unwrap();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let texts: Vec<_> = frame(root).chain(numbers(root)).collect();
        let (marked, _) = mark(&detectors, &texts);
        let patches = mask(&marked, &texts, (&actions, &mut Masker::new()), root).unwrap();
        let masked = patches.apply(&Bytes::from_static(answer));
        let card = "CREDIT_DEBIT_CARD_NUMBER";
        let expected = format!(
            r#"{{"id":"[EMAIL_1]","created":4111111111111111,"usage":{{"n":4111111111111111}},"choices":[{{"index":0,"x":{{"n":[7,"[{card}_1]"]}}}}],"y":"[{card}_2]"}}"#
        );
        assert_eq!(std::str::from_utf8(&masked).unwrap(), expected);
    }
}
