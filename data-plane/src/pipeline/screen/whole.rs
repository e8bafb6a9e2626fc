//! A whole answer.
//!
//! Law: see the parent. Log probabilities spell an answer's tokens, so they go where anything of the answer was masked.

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
use super::super::tape::{Kind, Tape, Value};
use super::super::usage::Reported;
use crate::error::Rejection;

/// Members whose strings are structure, at any level of an answer.
const STRUCTURE: [&str; 6] = ["role", "type", "id", "object", "finish_reason", "embedding"];
/// Members of the outermost object that the dialect itself fills.
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
    for (_, value) in root.members().filter(|(key, _)| !STRUCTURE.iter().chain(&FRAME).any(|k| key.is(k))) {
        gather(value, &mut texts);
    }
    let chat = permitted.entitled.question.arrival.operation == Operation::Chat;
    exchange.account.produced(if chat { texts.iter().map(|text| text.inner().len()).sum() } else { 0 });
    let Some(detectors) = detectors(&permitted) else { return Ok(bytes) };
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

type Marked<'t> = Vec<(Value<'t>, Vec<Finding>)>;

fn mark<'t>(detectors: &Detectors, texts: &[Value<'t>]) -> (Marked<'t>, Tally) {
    let (mut marked, mut tally, mut findings) = (Vec::new(), Tally::default(), Vec::new());
    for text in texts {
        detectors.scan(&text.text(), &mut findings);
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
        let text = value.text();
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
