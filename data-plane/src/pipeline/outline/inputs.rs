//! Texts that are each a question by itself, or token numbers in their place.
//!
//! Law: see the parent. A form is one text, several, one as token numbers or several as such, and never mixed with loose numbers.

use super::Outline;
use crate::dialect::field::BodyFault;
use crate::tape::{Kind, Value};

/// A field of such texts.
pub(super) struct Form {
    /// Its name.
    pub(super) field: &'static str,
    /// What it must be.
    pub(super) expected: &'static str,
    /// The most texts.
    pub(super) most: usize,
    /// Whether one may be empty.
    pub(super) empty: Empty,
}

/// What becomes of a text without a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// It is a text.
    Taken,
    /// It is refused.
    Refused,
}

/// Takes in the texts; gives how many questions they are.
pub(super) fn read(outline: &mut Outline, form: Form, input: Value<'_>) -> Result<usize, BodyFault> {
    let wrong = || BodyFault::wrong(form.field, form.expected);
    match input.kind() {
        Kind::String if form.empty == Empty::Taken || !input.is("") => {
            outline.texts.push(input.range());
            Ok(1)
        }
        Kind::Array if (1..=form.most).contains(&input.len()) || numbers(input) => {
            let loose = input.len().saturating_sub(input.elements().count());
            if loose > 0 && loose < input.len() {
                return Err(wrong());
            }
            outline.token_numbers = loose as u64;
            for (at, one) in input.elements().enumerate() {
                let element = || BodyFault::wrong(format!("{}[{at}]", form.field), form.expected);
                read_one(outline, one, form.empty).map_err(|()| element())?;
            }
            // Texts are cut to the length a model takes, values and all.
            outline.join(input.parts().map(|part| part.range()).collect());
            Ok(if loose > 0 { 1 } else { input.len() })
        }
        _ => Err(wrong()),
    }
}

fn numbers(array: Value<'_>) -> bool {
    array.len() > 0 && array.elements().next().is_none()
}

fn read_one(outline: &mut Outline, one: Value<'_>, empty: Empty) -> Result<(), ()> {
    match one.kind() {
        Kind::String if empty == Empty::Taken || !one.is("") => outline.texts.push(one.range()),
        Kind::Array if numbers(one) => {
            outline.token_numbers = outline.token_numbers.saturating_add(one.len() as u64);
        }
        _ => return Err(()),
    }
    Ok(())
}
