//! A whole answer.
//!
//! Law: see the parent. Every string is read, structure and keys among them, but for the dialect's own words; long numbers are read
//! like strings, and masked to strings; the parts of an array also as one text. Log probabilities spell an answer's tokens, so they
//! go wherever an answer may be masked.

use std::ops::Range;

use bytes::Bytes;
use policy_engine::content::{Detectors, Masker};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Id, Operation};

use super::super::Exchange;
use super::super::again::{Again, detectors};
use super::super::decide::{Permitted, acts, quoted};
use super::super::dialect::{self, Beside, Strings};
use super::super::estimate::is_written;
use super::super::inspect::{Content, Marked, Tally, decoded};
use super::super::patch::Patches;
use super::super::usage::{Delivered, Produced, Reported};
use crate::error::Rejection;
use crate::tape::{Kind, Tape, Value};
use crate::upstream::error::{Kind as Failure, UpstreamError};

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
    let operation = permitted.entitled.question.operation;
    exchange.account.delivered(Delivered::read(root, operation));
    let texts = Texts::of(root, operation);
    exchange.account.produced(texts.produced(root));
    let Some(detectors) = detectors(&permitted) else { return Ok(bytes) };
    let (content, rest) = texts.with_rest(root);
    judge(exchange, permitted, (&detectors, endpoint), Read { bytes: bytes.clone(), content, rest })
}

/// An answer that was read.
pub(super) struct Read {
    /// It.
    pub(super) bytes: Bytes,
    /// What of it is looked into.
    pub(super) content: Content,
    /// What else of it matters.
    pub(super) rest: Rest,
}

/// An answer as it may go on, by what is found in it.
pub(super) fn judge(
    exchange: &mut Exchange<'_>,
    permitted: Permitted<'_>,
    (detectors, endpoint): (&Detectors, &Id),
    Read { bytes, content, rest }: Read,
) -> Result<Bytes, Rejection> {
    let marked = content.mark(detectors, &bytes);
    let mut tally = Tally::default();
    let kinds = || marked.iter().flat_map(|marked| &marked.findings).map(|finding| finding.what);
    kinds().for_each(|what| tally.add(what, 1));
    exchange.account.found_output(tally);
    let Permitted { entitled, found, permit, mut masker, .. } = permitted;
    let mut actions = permit.output;
    let spells = acts(&actions) || permit.output_decides;
    if marked.is_empty() && (!spells || rest.spelled.is_empty()) {
        return Ok(rest.always.apply(&bytes));
    }
    if permit.output_decides {
        let runtime = exchange.runtime.clone();
        let mut again = Again { question: entitled.question, found, runtime, endpoint: endpoint.clone() };
        actions = again.ask(kinds())?.unwrap_or(actions);
    }
    let mut patches = rest.always;
    for (spelled, nothing) in rest.spelled.iter().filter(|_| spells) {
        patches.add(spelled.clone(), nothing.as_bytes());
    }
    let unmasked = rest.pieces.then(|| patches.apply(&bytes));
    mask((&content, &marked), (&actions, &mut masker), &bytes, &mut patches)?;
    let mut masked = patches.apply(&bytes);
    if unmasked.is_some_and(|unmasked| unmasked != masked) {
        let odd = || UpstreamError::caused(Failure::Protocol, "what was heard has no pieces");
        masked = without_pieces(&masked).ok_or_else(|| Rejection::upstream(&odd(), None))?;
    }
    if rest.names && !dialect::is_unambiguous(&masked) {
        return Err(Rejection::upstream(&UpstreamError::caused(Failure::Protocol, dialect::AMBIGUOUS), None));
    }
    Ok(masked)
}

/// What else of an answer matters to its masking.
#[derive(Default)]
pub(super) struct Rest {
    /// What is changed whatever is found.
    pub(super) always: Patches,
    /// Where log probabilities stand, and what stands there where there are none.
    pub(super) spelled: Vec<(Range<usize>, &'static str)>,
    /// Names of members are read, so they may change.
    pub(super) names: bool,
    /// What was heard is told in pieces too. What is masked in all of it could stand in two of them, where nobody finds it.
    pieces: bool,
}

/// What was heard, without the pieces of it.
fn without_pieces(masked: &Bytes) -> Option<Bytes> {
    let mut tape = Tape::for_text(masked.len());
    tape.read(masked).ok()?;
    let mut patches = Patches::default();
    patches.add(tape.root(masked)?.get("segments")?.range(), &b"null"[..]);
    Some(patches.apply(masked))
}

/// Where the strings of an answer stand, and which of them are read as one.
struct Texts {
    operation: Operation,
    all: Vec<Range<usize>>,
    joined: Vec<Vec<Range<usize>>>,
}

impl Texts {
    /// Those of what answers; answers to one question are many, and each is read by itself.
    fn of(root: Value<'_>, operation: Operation) -> Self {
        let mut texts = Self { operation, all: Vec::new(), joined: Vec::new() };
        for (_, value) in root.members().filter(|(key, _)| !is_frame(*key)) {
            match value.kind() {
                Kind::Array => value.elements().for_each(|element| texts.gather(element)),
                _ => texts.gather(value),
            }
        }
        texts
    }

    /// Takes in the strings within a value that are not structure, in order; log probabilities and vectors are left out.
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
                let operation = self.operation;
                for (_, member) in value.members().filter(|member| holds_text(*member, operation)) {
                    self.gather(member);
                }
            }
            _ => {}
        }
    }

    /// How much of them was produced for the question.
    fn produced(&self, root: Value<'_>) -> Produced {
        if !is_written(self.operation) {
            return Produced::default();
        }
        let choices = root.get("choices").into_iter().flat_map(|choices| choices.elements());
        let spoken = choices.map(dialect::spoken_of).sum();
        Produced { bytes: self.all.iter().map(|at| at.len().saturating_sub(2)).sum(), spoken }
    }

    /// The same with what else is read of an answer.
    fn with_rest(mut self, root: Value<'_>) -> (Content, Rest) {
        let mut rest = Rest::default();
        if matches!(self.operation, Operation::Transcribe | Operation::Translate) {
            take_spelled(root, &mut rest.spelled);
            rest.pieces = root.get("segments").is_some();
        }
        for (key, value) in root.members() {
            let strings = if is_frame(key) { Strings::All } else { Strings::Structure };
            dialect::beside((key, value), strings, &mut |beside| match beside {
                Beside::Text(text) => {
                    rest.names |= text.kind() == Kind::Key;
                    self.all.push(text.range());
                }
                Beside::LogProbabilities(value) => rest.spelled.push((value.range(), "null")),
            });
        }
        let heard = matches!(self.operation, Operation::Transcribe | Operation::Translate);
        let content = Content::of_answer(self.all, self.joined, numbers(root).map(|number| number.range()));
        (if heard { content.with_cues() } else { content }, rest)
    }
}

/// What spells a text that was heard, word by word or token by token.
fn take_spelled(value: Value<'_>, spelled: &mut Vec<(Range<usize>, &'static str)>) {
    for (key, member) in value.members() {
        if member.kind() == Kind::Array && (key.is("words") || key.is("tokens")) {
            spelled.push((member.range(), "null"));
        } else {
            take_spelled(member, spelled);
        }
    }
    value.elements().for_each(|element| take_spelled(element, spelled));
}

/// Whether a member holds texts.
fn holds_text((key, value): (Value<'_>, Value<'_>), operation: Operation) -> bool {
    if value.kind() != Kind::String {
        return !key.is("logprobs");
    }
    let coded = match operation {
        Operation::Embed => key.is("embedding"),
        Operation::Image | Operation::EditImage => key.is("b64_json"),
        _ => false,
    };
    let vector = || coded && dialect::is_vector(value);
    !dialect::is_structure(key) && !key.is("logprobs") && !vector()
}

fn is_frame(key: Value<'_>) -> bool {
    dialect::is_structure(key) || key.is("logprobs") || FRAME.iter().any(|known| key.is(known))
}

/// The long numbers of an answer that are not the dialect's own.
fn numbers<'t>(root: Value<'t>) -> impl Iterator<Item = Value<'t>> {
    root.members().flat_map(|(key, value)| {
        let numbers = value.numbers();
        numbers
            .filter(move |(label, number)| !dialect::is_own_number(key, *label, *number))
            .map(|(_, number)| number)
    })
}

/// Works out what is masked.
pub(super) fn mask(
    (content, marked): (&Content, &[Marked]),
    (actions, masker): (&Actions, &mut Masker),
    body: &[u8],
    patches: &mut Patches,
) -> Result<(), Rejection> {
    content.texts().iter().for_each(|at| masker.reserve(&decoded(body, at)));
    for marked in marked {
        let masked = marked.masked(body, actions, masker);
        let masked = masked.map_err(|blocked| Rejection::blocked(blocked.what.label()))?;
        masked.iter().for_each(|(at, text)| patches.add(at.clone(), quoted(text)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use policy_engine::content::Detectors;
    use policy_engine::vocabulary::{Entity, MaskAction};

    use super::*;

    /// An answer with all that is found in it masked.
    fn masked(answer: &'static str, operation: Operation) -> String {
        let (mut tape, mut actions) = (Tape::default(), Actions::default());
        tape.read(answer.as_bytes()).unwrap();
        let root = tape.root(answer.as_bytes()).unwrap();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let (content, _) = Texts::of(root, operation).with_rest(root);
        let (marked, mut patches) = (content.mark(&detectors, answer.as_bytes()), Patches::default());
        let masker = &mut Masker::new();
        mask((&content, &marked), (&actions, masker), answer.as_bytes(), &mut patches).unwrap();
        let masked = patches.apply(&Bytes::from_static(answer.as_bytes()));
        std::str::from_utf8(&masked).unwrap().to_owned()
    }

    #[test]
    fn a_card_written_as_a_number_is_masked_to_a_string() {
        let answer = r#"{"id":"a@example.org","created":1732270000,"usage":{"total_tokens":123456789,"n":4111111111111111},"choices":[{"index":0,"x":{"n":[7,4111111111111111.0]},"z":[{"text":"bob@exam"},{"type":"u","refusal":"ple.com!"}]}],"y":-378282246310005}"#;
        let card = "CREDIT_DEBIT_CARD_NUMBER";
        let expected = format!(
            r#"{{"id":"[EMAIL_2]","created":1732270000,"usage":{{"total_tokens":123456789,"n":"[{card}_1]"}},"choices":[{{"index":0,"x":{{"n":[7,"[{card}_1]"]}},"z":[{{"text":"[EMAIL_1]"}},{{"type":"u","refusal":"!"}}]}}],"y":"[{card}_2]"}}"#
        );
        assert_eq!(without_numbers(&masked(answer, Operation::Chat)), without_numbers(&expected));
    }

    /// Which of two was met first is nothing that is promised.
    fn without_numbers(text: &str) -> String {
        text.replace("_1]", "]").replace("_2]", "]")
    }

    #[test]
    fn no_place_of_an_answer_is_left_out() {
        for (place, mail) in [
            (r#"{"choices":[{"message":{"tool_calls":[{"id":"bob@example.org","type":"function"}]}}]}"#, 1),
            (r#"{"choices":[{"message":{"tool_calls":[{"id":"c","type":"bob@example.org"}]}}]}"#, 1),
            (r#"{"choices":[{"message":{"role":"bob@example.org"},"finish_reason":"stop"}]}"#, 1),
            (r#"{"choices":[{"message":{"role":"assistant"},"finish_reason":"bob@example.org"}]}"#, 1),
            (
                r#"{"choices":[{"x":{"id":"bob@example.org","object":"ann@example.org","embedding":"eve@example.org"}}]}"#,
                3,
            ),
            (r#"{"choices":[{"x":{"id":{"a":"bob@example.org"},"role":["ann@example.org"]}}]}"#, 2),
            (r#"{"choices":[{"message":{"bob@example.org":"x"}}],"ann@example.org":1}"#, 2),
            (r#"{"id":{"bob@example.org":"x"},"usage":{"ann@example.org":1},"choices":[]}"#, 2),
            (r#"{"data":[{"embedding":"bob@example.org"}]}"#, 1),
        ] {
            for operation in [Operation::Chat, Operation::Embed] {
                let masked = masked(place, operation);
                assert!(!masked.contains("example.org"), "{masked}");
                assert_eq!(masked.matches("[EMAIL_").count(), mail, "{masked}");
            }
        }
        for place in [
            r#"{"created":4111111111111111,"choices":[]}"#,
            r#"{"usage":{"total_tokens":4111111111111111},"choices":[]}"#,
            r#"{"usage":{"x":[4111111111111111]},"choices":[]}"#,
            r#"{"model":4111111111111111,"choices":[]}"#,
        ] {
            assert!(masked(place, Operation::Chat).contains("[CREDIT_DEBIT_CARD_NUMBER_1]"), "{place}");
        }
    }

    #[test]
    fn a_vector_stays_as_it_is() {
        let vector = r#"{"data":[{"embedding":"4111111111111111/4111111111111111/4111111111111111/41111111111111=="}]}"#;
        let mut tape = Tape::default();
        tape.read(vector.as_bytes()).unwrap();
        let read = |operation| Texts::of(tape.root(vector.as_bytes()).unwrap(), operation).all.len();
        assert_eq!((read(Operation::Embed), read(Operation::Chat)), (0, 1), "no answer in words has vectors");
    }
}
