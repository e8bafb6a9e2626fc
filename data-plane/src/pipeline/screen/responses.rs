//! A whole answer of the Responses API.
//!
//! Law: see the parent; read like any other answer, but for what it repeats of its request, which is told as the caller wrote it. Ids stay as
//! they are: nothing is stored that they could lead to.

use std::ops::Range;

use bytes::Bytes;
use policy_engine::vocabulary::Id;

use super::super::Exchange;
use super::super::again::detectors;
use super::super::decide::Permitted;
use super::super::dialect::responses::{Seen, is_own_number, produced, read};
use super::super::inspect::Content;
use super::super::patch::Patches;
use super::super::repeated::Repeated;
use super::super::usage::{Produced, Reported};
use super::whole::{Read, Rest, judge};
use crate::error::Rejection;
use crate::tape::{Kind, Tape, Value};

/// The answer as it may go on.
pub(super) fn screen(
    exchange: &mut Exchange<'_>,
    permitted: Permitted<'_>,
    (bytes, tape): (Bytes, Tape),
    (endpoint, repeated): (&Id, &Repeated),
) -> Result<Bytes, Rejection> {
    let Some(root) = tape.root(&bytes) else { return Ok(bytes) };
    if let Some(reported) = root.get("usage").and_then(Reported::read) {
        exchange.account.reported(reported);
    }
    let (all, spoken) = produced(root);
    exchange.account.produced(Produced { bytes: all, spoken });
    let mut always = Patches::default();
    repeated.patch(root, &mut always);
    let Some(detectors) = detectors(&permitted) else { return Ok(always.apply(&bytes)) };
    let (content, mut rest) = take(root, repeated);
    rest.always = always;
    judge(exchange, permitted, (&detectors, endpoint), Read { bytes: bytes.clone(), content, rest })
}

/// What of an answer is read.
fn take(root: Value<'_>, repeated: &Repeated) -> (Content, Rest) {
    let (mut texts, mut joined, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = Rest::default();
    for member in root.members().filter(|(key, _)| !repeated.has(*key)) {
        read(None, member, &mut |seen| match seen {
            Seen::Text(text) => {
                rest.names |= text.kind() == Kind::Key;
                texts.push(text.range());
            }
            Seen::Array(array) => {
                let parts: Vec<Range<usize>> = array.parts().map(|part| part.range()).collect();
                joined.extend((parts.len() > 1).then_some(parts));
            }
            Seen::Spelled(value) => rest.spelled.push((value.range(), "[]")),
        });
        let (key, value) = member;
        let own = |label: Option<Value<'_>>, number| is_own_number(label.or(Some(key)), number);
        let others = value.numbers().filter(|(label, number)| !own(*label, *number));
        numbers.extend(others.map(|(_, number)| number.range()));
    }
    (Content::of_answer(texts, joined, numbers.into_iter()), rest)
}

#[cfg(test)]
mod tests {
    use policy_engine::content::{Detectors, Masker};
    use policy_engine::decision::Actions;
    use policy_engine::vocabulary::{Entity, MaskAction};

    use super::super::whole::mask;
    use super::*;

    /// An answer with all that is found in it masked.
    fn masked(answer: &'static str) -> String {
        let (mut tape, mut actions) = (Tape::default(), Actions::default());
        tape.read(answer.as_bytes()).unwrap();
        let root = tape.root(answer.as_bytes()).unwrap();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let (content, _) = take(root, &Repeated::default());
        let (marked, mut patches) = (content.mark(&detectors, answer.as_bytes()), Patches::default());
        mask((&content, &marked), (&actions, &mut Masker::new()), answer.as_bytes(), &mut patches).unwrap();
        String::from_utf8(patches.apply(&Bytes::from_static(answer.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn no_place_of_an_answer_is_left_out() {
        for answer in [
            r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"to bob@example.org"}]}]}"#,
            r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"bob@exam"},{"type":"output_text","text":"ple.org"}]}]}"#,
            r#"{"output":[{"type":"message","content":[{"type":"refusal","refusal":"bob@example.org"}]}]}"#,
            r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"https://x.example/?q=bob@example.org"}]}]}]}"#,
            r#"{"output":[{"type":"function_call","name":"f","arguments":"{\"to\":\"bob@example.org\"}"}]}"#,
            r#"{"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"bob@example.org"}]}]}"#,
            r#"{"output":[{"type":"reasoning","encrypted_content":"bob@example.org"}]}"#,
            r#"{"output":[{"type":"web_search_call","action":{"query":"bob@example.org"}}]}"#,
            r#"{"output":[{"type":"image_generation_call","result":"bob@example.org"}]}"#,
            r#"{"output":[],"bob@example.org":1}"#,
            r#"{"output":[],"id":"bob@example.org"}"#,
            r#"{"output":[],"error":{"message":"bob@example.org"}}"#,
        ] {
            let masked = masked(answer);
            assert!(!masked.contains("example.org") && !masked.contains("ple.org"), "{masked}");
            assert!(masked.contains("[EMAIL_1]"), "{masked}");
        }
        let numbers = r#"{"created_at":1741476542,"completed_at":1741476543,"usage":{"input_tokens":123456789},"output":[{"x":[4111111111111111]}]}"#;
        let masked = masked(numbers);
        assert!(masked.contains("[CREDIT_DEBIT_CARD_NUMBER_1]") && !masked.contains("4111"), "{masked}");
        for own in ["1741476542,", "1741476543,", "123456789}"] {
            assert!(masked.contains(own), "{masked}");
        }
    }

    #[test]
    fn what_a_vendor_sealed_stays_as_it_is() {
        // Bytes that are no text, as a Fernet token has them.
        let sealed = r#"{"output":[{"type":"reasoning","summary":[],"encrypted_content":"gAAAAABpgICAgP__4111111111111111_4111111111111111-_w=="}]}"#;
        assert_eq!(masked(sealed), sealed);
    }
}
