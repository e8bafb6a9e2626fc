//! What a request may use at most, before it is sent.
//!
//! Law: an upper bound, so that no number of concurrent requests walks through a limit; counted only where a limit asks. Output
//! is bounded by what the caller asked for, else by what the model can give. Deliberately absent: a tokeniser.

use policy_engine::facts::{Amounts, ModelCard, Price, Units};
use policy_engine::vocabulary::Operation;

use super::outline::Outline;
use crate::dialect::template::Growth;
use crate::quota;

/// Output tokens of an answer where neither caller nor card bounds them.
const OUTPUT: u64 = 4096;

/// Whether what is asked for is answered in words that a model writes, and that are paid for.
pub(crate) fn is_written(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::Complete)
}

/// Whether there is output that may be paid for in tokens.
fn has_output(operation: Operation) -> bool {
    !matches!(operation, Operation::Embed | Operation::Moderate | Operation::Rerank)
}

/// Whether pictures are asked for.
pub(crate) fn is_pictured(operation: Operation) -> bool {
    matches!(operation, Operation::Image | Operation::EditImage)
}

/// Whether vendors are paid by pictures, seconds or characters for it, unless they tell tokens.
pub(crate) fn is_metered_otherwise(operation: Operation) -> bool {
    use Operation::{EditImage, Image, Speech, Transcribe, Translate};
    matches!(operation, Image | EditImage | Speech | Transcribe | Translate)
}

/// The most tokens that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Estimate {
    /// Input tokens.
    pub(crate) input: u64,
    /// Output tokens of all answers together.
    pub(crate) output: u64,
    /// Bytes of the question that the answers repeat, which are no output.
    pub(crate) echoed_bytes: u64,
    /// What may be billed otherwise.
    pub(crate) units: Units,
}

impl Estimate {
    /// The bound of a request to a model.
    pub(crate) fn of(outline: &Outline, card: &ModelCard, operation: Operation) -> Self {
        let answers = has_output(operation);
        let able = card.max_output_tokens.or(card.context_window).map(|tokens| tokens.0);
        let each = match (outline.max_tokens, able) {
            (Some(asked), Some(able)) => asked.min(able),
            (asked, able) => asked.or(able).unwrap_or(OUTPUT),
        };
        let output = if answers { each.saturating_mul(outline.answers) } else { 0 };
        let (input, echoed_bytes) = (outline.input_bound(), outline.echoed_bytes as u64);
        Self { input, output, echoed_bytes, units: units(outline, operation) }
    }

    /// The same for who is sent more than the caller's texts, so many of them.
    pub(crate) fn grown(self, growth: Growth, texts: usize) -> Self {
        let beside = growth.beside(texts as u64).saturating_mul(2).div_ceil(5);
        Self { input: self.input.saturating_mul(growth.copies()).saturating_add(beside), ..self }
    }

    /// The same in the ledger's units, at a candidate's price.
    pub(crate) fn amounts(self, price: Option<&Price>) -> quota::Amounts {
        amounts(self.most(), price)
    }

    /// The same by token class and unit.
    pub(crate) fn most(self) -> Amounts {
        let Self { input, output, units, .. } = self;
        Amounts { input, output, units, ..Amounts::default() }
    }
}

/// What may be billed of a request beside tokens, at most.
fn units(outline: &Outline, operation: Operation) -> Units {
    let heard = matches!(operation, Operation::Transcribe | Operation::Translate);
    let millis = (outline.media_bytes as u64).saturating_mul(MILLIS_A_BYTE).min(MOST_MILLIS);
    Units {
        requests: 1,
        pictures: if is_pictured(operation) { outline.answers } else { 0 },
        picture: outline.picture,
        audio_millis: if heard { millis } else { 0 },
        characters: outline.characters,
    }
}

/// A byte of speech lasts so long at most, at 4 kbit a second, which is less than what any codec for it makes. Silence that is packed lasts
/// longer; it is charged as it is told, though less was held: to hold for it would refuse what most send.
const MILLIS_A_BYTE: u64 = 2;

/// Sound of a week: nobody is believed to have listened for longer.
pub(crate) const MOST_MILLIS: u64 = 604_800_000;

/// Tokens in the ledger's units.
pub(crate) fn amounts(used: Amounts, price: Option<&Price>) -> quota::Amounts {
    let spend = price.map_or(0, |price| u128::try_from(price.cost(used).nanos).unwrap_or(0));
    quota::Amounts { input_tokens: used.input, output_tokens: used.output, spend }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Tokens;

    use super::*;

    #[test]
    fn sound_is_held_for_by_its_bytes_and_for_a_week_at_most() {
        let held = |media_bytes| {
            let outline = Outline { media_bytes, ..Outline::default() };
            let of = |operation| Estimate::of(&outline, &ModelCard::default(), operation).units.audio_millis;
            (of(Operation::Transcribe), of(Operation::Chat))
        };
        for (bytes, millis) in [(0, 0), (1000, 2000), (1 << 40, MOST_MILLIS)] {
            assert_eq!(held(bytes), (millis, 0), "{bytes}");
        }
    }

    #[test]
    fn output_is_bounded_by_caller_and_model_and_counted_for_every_answer() {
        let card =
            |most: Option<u64>| ModelCard { max_output_tokens: most.map(Tokens), ..ModelCard::default() };
        let asked = |max_tokens, answers| Outline { max_tokens, answers, ..Outline::default() };
        for (outline, card, expected) in [
            (asked(Some(10), 1), card(Some(100)), 10),
            (asked(Some(1000), 1), card(Some(100)), 100),
            (asked(None, 3), card(Some(100)), 300),
            (asked(None, 2), card(None), 2 * OUTPUT),
            (asked(Some(1 << 40), 128), card(None), 128 << 40),
        ] {
            assert_eq!(Estimate::of(&outline, &card, Operation::Chat).output, expected);
            assert_eq!(Estimate::of(&outline, &card, Operation::Embed).output, 0);
        }
    }
}
