//! The files of a form, as far as policy knows of them: by name, type and length.
//!
//! Law: what is in one is not looked into, and that is told; its name is a text like any other. Deliberately absent: the form itself,
//! which the door has read.

use super::Outline;
use crate::dialect::field::BodyFault;
use crate::tape::{Kind, Value};

/// More files than this in one form are refused.
pub(super) const FILES: usize = 17;

/// Takes in the file of a field, or its files; gives how many there are.
pub(super) fn take_file(
    outline: &mut Outline,
    (name, medium): (&str, &'static str),
    value: Value<'_>,
) -> Result<usize, BodyFault> {
    let mut one = |file: Value<'_>| -> Result<(), BodyFault> {
        if file.kind() != Kind::Object {
            return Err(BodyFault::wrong(name, "a file"));
        }
        let said = [file.get("filename"), file.get("type")].into_iter().flatten();
        outline.texts.extend(said.map(|text| text.range()));
        let bytes = file.get("bytes").and_then(|bytes| bytes.whole()).unwrap_or(0);
        outline.media_bytes =
            outline.media_bytes.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
        outline.elsewhere.push(medium);
        Ok(())
    };
    match value.kind() {
        Kind::Array => {
            value.elements().try_for_each(one)?;
            Ok(value.len())
        }
        _ => one(value).map(|()| 1),
    }
}

/// Whether a field of a form holds a file, whatever it is called.
pub(super) fn is_file(value: Value<'_>) -> bool {
    value.kind() == Kind::Object || value.elements().any(|element| element.kind() == Kind::Object)
}

/// A whole number within bounds that may be written as text, as forms have it; one where there is none.
pub(super) fn whole_of_form(
    field: &str,
    value: Value<'_>,
    within: std::ops::RangeInclusive<u64>,
    expected: &'static str,
) -> Result<u64, BodyFault> {
    let number = match value.kind() {
        Kind::Null => Some(1),
        Kind::String => value.text().parse().ok(),
        _ => value.whole(),
    };
    number.filter(|number| within.contains(number)).ok_or_else(|| BodyFault::wrong(field, expected))
}
