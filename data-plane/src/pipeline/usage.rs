//! What a request used: what the vendor says, where that is possible, else what we saw.
//!
//! Law: a vendor's number is taken only if it is a whole number within what the request could use; a number that is not, or that
//! denies text we saw, is replaced and the replacement is marked. Deliberately absent: prices.

use policy_engine::facts::{Amounts, Units};
use policy_engine::vocabulary::{Operation, Tokens};

use super::estimate::{Estimate, MOST_MILLIS};
use crate::record::{Provenance, Usage};
use crate::tape::{Kind, Value};

/// Tokens beyond our own bound that a vendor may add to the input (its own instructions, tools' descriptions).
const ADDED_INPUT: u64 = 65_536;

/// Bytes of text of one token, on average, where we have to guess.
const BYTES_A_TOKEN: u64 = 4;

/// The most bytes of a token that we believe, on average. A bound that we chose, as not every vocabulary is public: the longest run
/// of spaces that is one token in `cl100k_base` and in `o200k_base`, and words are far shorter.
const TOKEN_BYTES: u64 = 128;

/// Text that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Produced {
    /// Bytes of any text.
    pub(crate) bytes: usize,
    /// Bytes of them that the model surely wrote token by token, at least: no pictures, no sound, no sources.
    pub(crate) spoken: usize,
}

/// What an answer holds of what is billed otherwise than by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivered {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Milliseconds of sound that was written down, where that is told.
    pub(crate) audio_millis: u64,
}

impl Delivered {
    /// Reads an answer: the pictures, and how long the vendor says that the sound was: `usage` of a type that is a duration, or
    /// `duration` where the answer tells much (OpenAI's reference for `POST /v1/audio/transcriptions`).
    pub(crate) fn read(answer: Value<'_>, operation: Operation) -> Self {
        match operation {
            Operation::Image | Operation::EditImage => {
                let pictures = answer.get("data").map_or(0, |data| data.elements().count() as u64);
                Self { pictures, ..Self::default() }
            }
            Operation::Transcribe | Operation::Translate => {
                let used = answer.get("usage").and_then(|usage| usage.get("seconds"));
                let seconds = used.or_else(|| answer.get("duration"));
                let audio_millis = seconds.and_then(millis).unwrap_or(0);
                Self { audio_millis, ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    /// The units that were used, of those that might be. Sound lasts as long as the vendor tells: how long its bytes may last is a guess.
    pub(crate) fn of(self, most: Units) -> Units {
        let audio_millis = if most.audio_millis > 0 { self.audio_millis } else { 0 };
        Units { pictures: self.pictures.min(most.pictures), audio_millis, ..most }
    }

    /// Whether it is told how long the sound was, where some was sent.
    pub(crate) fn tells_sound(self, most: &Units) -> bool {
        most.audio_millis == 0 || self.audio_millis > 0
    }
}

/// Seconds, as a number or a text of one, in milliseconds, rounded up; `None`: it is no such thing.
fn millis(seconds: Value<'_>) -> Option<u64> {
    let text = match seconds.kind() {
        Kind::String => seconds.text(),
        Kind::Number => String::from_utf8_lossy(seconds.raw()),
        _ => return None,
    };
    let seconds: f64 = text.trim().parse().ok()?;
    let millis = (seconds * 1000.0).ceil();
    (0.0..MOST_MILLIS as f64).contains(&millis).then_some(millis as u64)
}

impl Usage {
    /// What is told in units alone.
    pub(crate) fn of(units: Units) -> Self {
        Self { amounts: Amounts { units, ..Amounts::default() }, ..Self::default() }
    }

    /// The same with units beside.
    pub(crate) fn with(self, units: Units) -> Self {
        Self { amounts: Amounts { units, ..self.amounts }, ..self }
    }
}

/// What a vendor reported; `None` where it is missing or not a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached_input: Option<u64>,
    reasoning: Option<u64>,
    /// Something was there that is not a whole number.
    absurd: bool,
}

/// What we saw ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The most the request may use.
    pub(crate) estimate: Estimate,
    /// Bytes of text in the answer so far; an escape may count as it is written.
    pub(crate) output_bytes: u64,
    /// Bytes of them that are words of the model's, at least.
    pub(crate) spoken_bytes: u64,
    /// The model's context window.
    pub(crate) window: Option<Tokens>,
}

impl Reported {
    /// Reads the `usage` of an answer or of a chunk; `None` for `null`.
    pub(crate) fn read(usage: Value<'_>) -> Option<Self> {
        if usage.kind() != Kind::Object {
            return (usage.kind() != Kind::Null).then_some(Self { absurd: true, ..Self::default() });
        }
        let mut reported = Self::default();
        for (key, value) in usage.members() {
            match key.text().as_ref() {
                "prompt_tokens" | "input_tokens" => reported.input = reported.number(value),
                "completion_tokens" | "output_tokens" => reported.output = reported.number(value),
                "total_tokens" => reported.total = value.whole(),
                "prompt_tokens_details" | "input_tokens_details" => {
                    reported.cached_input = value.get("cached_tokens").and_then(|n| reported.number(n));
                }
                "completion_tokens_details" | "output_tokens_details" => {
                    reported.reasoning = value.get("reasoning_tokens").and_then(|n| reported.number(n));
                }
                _ => {}
            }
        }
        Some(reported)
    }

    /// Whether it says anything of tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.input.is_some() || self.output.is_some() || self.total.is_some()
    }

    fn number(&mut self, value: Value<'_>) -> Option<u64> {
        let whole = value.whole();
        self.absurd |= whole.is_none() && value.kind() != Kind::Null;
        whole
    }
}

impl Seen {
    /// Our own guess of what was used.
    pub(crate) fn guess(&self) -> Usage {
        let input = self.estimate.input.saturating_mul(5).div_ceil(2 * BYTES_A_TOKEN);
        let output = self.written_bytes().div_ceil(BYTES_A_TOKEN);
        Usage { amounts: Amounts { input, output, ..Amounts::default() }, provenance: Provenance::Estimated }
    }

    /// What is charged, given what the vendor said.
    pub(crate) fn judge(&self, reported: Option<Reported>) -> Usage {
        let guess = self.guess();
        let Some(reported) = reported else { return guess };
        let denied = |said: u64, seen: u64| said == 0 && seen > 0;
        // What is not answered in words has no output, and is told as a total by some.
        let wordless = self.estimate.output == 0 && self.output_bytes == 0;
        let input = reported.input.or(reported.total.filter(|_| wordless));
        let input = input.filter(|said| !denied(*said, self.estimate.input));
        let output = reported.output.or(wordless.then_some(0));
        let output = output.filter(|said| !denied(*said, self.written_bytes()));
        let spoken = self.spoken_bytes.saturating_sub(self.estimate.echoed_bytes);
        let output = output.filter(|said| *said >= spoken / TOKEN_BYTES);
        let (Some(input), Some(output)) = (input, output) else {
            let mixed = Amounts {
                input: input.unwrap_or(guess.amounts.input).min(self.most_input()),
                output: output.unwrap_or(guess.amounts.output).min(self.most_output()),
                ..Amounts::default()
            };
            return Usage { amounts: mixed, provenance: Provenance::Estimated };
        };
        let amounts = Amounts {
            input: input.min(self.most_input()),
            cached_input: reported.cached_input.unwrap_or(0).min(input.min(self.most_input())),
            output: output.min(self.most_output()),
            reasoning: reported.reasoning.unwrap_or(0).min(output.min(self.most_output())),
            ..Amounts::default()
        };
        let said = Amounts {
            input,
            cached_input: reported.cached_input.unwrap_or(0),
            output,
            reasoning: reported.reasoning.unwrap_or(0),
            ..Amounts::default()
        };
        let provenance =
            if said == amounts && !reported.absurd { Provenance::Vendor } else { Provenance::Clamped };
        Usage { amounts, provenance }
    }

    /// Bytes of the answer that don't repeat the question.
    fn written_bytes(&self) -> u64 {
        self.output_bytes.saturating_sub(self.estimate.echoed_bytes)
    }

    fn most_input(&self) -> u64 {
        let ours = self.estimate.input.saturating_mul(4).saturating_add(ADDED_INPUT);
        self.window.map_or(ours, |window| ours.min(window.0.max(self.estimate.input)))
    }

    /// No vendor makes less than a byte of a token that is seen, and none gives more than was asked for.
    fn most_output(&self) -> u64 {
        self.estimate.output.max(self.written_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;

    fn read(usage: &str) -> Option<Reported> {
        let mut tape = Tape::default();
        tape.read(usage.as_bytes()).unwrap();
        Reported::read(tape.root(usage.as_bytes()).unwrap())
    }

    fn judge(usage: &str, output_bytes: u64) -> Usage {
        let reported = read(usage);
        let estimate = Estimate { input: 40, output: 1000, ..Estimate::default() };
        let spoken_bytes = output_bytes;
        Seen { estimate, output_bytes, spoken_bytes, window: Some(Tokens(8192)) }.judge(reported)
    }

    #[test]
    fn case_34_a_vendor_that_lies_is_clamped_and_marked() {
        let honest = r#"{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,
            "prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":2}}"#;
        let usage = judge(honest, 28);
        assert_eq!(usage.provenance, Provenance::Vendor);
        assert_eq!(
            usage.amounts,
            Amounts { input: 20, cached_input: 5, output: 7, reasoning: 2, ..Amounts::default() }
        );
        for (lie, provenance, input, output) in [
            (r#"{"prompt_tokens":1000000000,"completion_tokens":7}"#, Provenance::Clamped, 8192, 7),
            (r#"{"prompt_tokens":20,"completion_tokens":1000000000}"#, Provenance::Clamped, 20, 1000),
            (r#"{"prompt_tokens":20,"completion_tokens":-7}"#, Provenance::Estimated, 20, 7),
            (r#"{"prompt_tokens":"20","completion_tokens":7}"#, Provenance::Estimated, 25, 7),
            (r#"{"prompt_tokens":20,"completion_tokens":0}"#, Provenance::Estimated, 20, 7),
            (r#"{"prompt_tokens":0,"completion_tokens":0}"#, Provenance::Estimated, 25, 7),
            (r#"{"prompt_tokens":20.5,"completion_tokens":7e0}"#, Provenance::Estimated, 25, 7),
            (
                r#"{"prompt_tokens":20,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":99}}"#,
                Provenance::Clamped,
                20,
                7,
            ),
            (r#"{}"#, Provenance::Estimated, 25, 7),
            (r#""many""#, Provenance::Estimated, 25, 7),
            ("null", Provenance::Estimated, 25, 7),
        ] {
            let usage = judge(lie, 28);
            assert_eq!(
                (usage.provenance, usage.amounts.input, usage.amounts.output),
                (provenance, input, output),
                "{lie}"
            );
            assert!(usage.amounts.cached_input <= usage.amounts.input, "{lie}");
        }
    }

    #[test]
    fn sound_lasts_as_long_as_is_told_whatever_its_bytes_were_held_for() {
        let most = Units { requests: 1, audio_millis: 20, ..Units::default() };
        for (told, millis) in [("3600", 3_600_000), (r#""1.5""#, 1500), ("604800", 0), ("-1", 0)] {
            let answer = format!(r#"{{"duration":{told}}}"#);
            let mut tape = Tape::default();
            tape.read(answer.as_bytes()).unwrap();
            let root = tape.root(answer.as_bytes()).unwrap();
            let delivered = Delivered::read(root, Operation::Transcribe);
            assert_eq!(delivered.of(most).audio_millis, millis, "{told}");
            assert_eq!(delivered.tells_sound(&most), millis > 0, "{told}");
        }
    }

    #[test]
    fn what_is_answered_without_words_has_no_output_and_may_be_told_as_a_total() {
        for (usage, provenance, input) in [
            (r#"{"prompt_tokens":7,"total_tokens":7}"#, Provenance::Vendor, 7),
            (r#"{"total_tokens":9}"#, Provenance::Vendor, 9),
            (r#"{"total_tokens":0}"#, Provenance::Estimated, 25),
            (r#"{"search_units":1}"#, Provenance::Estimated, 25),
        ] {
            let (seen, reported) = (Estimate { input: 40, ..Estimate::default() }, read(usage));
            let seen = Seen { estimate: seen, output_bytes: 0, spoken_bytes: 0, window: None };
            let usage = seen.judge(reported);
            assert_eq!((usage.provenance, usage.amounts.input, usage.amounts.output), (provenance, input, 0));
        }
    }

    #[test]
    fn what_repeats_the_question_is_no_output() {
        let estimate = Estimate { input: 40, output: 1000, echoed_bytes: 2000, ..Estimate::default() };
        let seen = |bytes| Seen { estimate, output_bytes: bytes, spoken_bytes: bytes, window: None };
        for (bytes, said, provenance, output) in [
            (2000, 0, Provenance::Vendor, 0),
            (2028, 7, Provenance::Vendor, 7),
            (2028, 0, Provenance::Estimated, 7),
            (6000, 7, Provenance::Estimated, 1000),
        ] {
            let usage =
                seen(bytes).judge(read(&format!(r#"{{"prompt_tokens":20,"completion_tokens":{said}}}"#)));
            assert_eq!((usage.provenance, usage.amounts.output), (provenance, output), "{bytes} {said}");
        }
    }

    #[test]
    fn a_number_that_no_tokens_are_long_enough_for_is_replaced() {
        let said = |tokens: u64| format!(r#"{{"prompt_tokens":20,"completion_tokens":{tokens}}}"#);
        for (tokens, bytes, provenance, output) in [
            (1, 127, Provenance::Vendor, 1),
            (1, 255, Provenance::Vendor, 1),
            (1, 256, Provenance::Estimated, 64),
            (1, 1 << 20, Provenance::Estimated, 1 << 18),
            ((1 << 13) - 1, 1 << 20, Provenance::Estimated, 1 << 18),
            (1 << 13, 1 << 20, Provenance::Vendor, 1 << 13),
        ] {
            let usage = judge(&said(tokens), bytes);
            assert_eq!(
                (usage.provenance, usage.amounts.output),
                (provenance, output),
                "{tokens} for {bytes}"
            );
        }
    }
}
