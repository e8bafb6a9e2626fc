//! Members of objects by their names in camel case, whichever way they were written.
//!
//! Law: a member that is there in both ways is a fault, and so is anything of the wrong type; `null` is as good as absent.

use std::borrow::Cow;

use super::super::chat::Raw;
use super::super::field::{BodyFault, given, kind};
pub(super) use super::super::field::{raw, string};
use crate::tape::{Kind, Value};

/// What whole numbers may be at most.
const MOST: f64 = 1_099_511_627_776.0;

/// A name in camel case.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    let Some((first, rest)) = name.split_once('_').filter(|(first, _)| !first.is_empty()) else {
        return Cow::Borrowed(name);
    };
    let mut camel = first.to_owned();
    for word in rest.split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    Cow::Owned(camel)
}

/// A name in snake case.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The members of an object that are given, by their names in camel case.
pub(super) fn members<'t>(value: Value<'t>) -> Result<Vec<(String, Value<'t>)>, BodyFault> {
    if value.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut members: Vec<(String, Value<'t>)> = Vec::with_capacity(value.len());
    for (key, value) in value.members().filter(|(_, value)| given(*value)) {
        let name = camel(&key.text()).into_owned();
        if members.iter().any(|(known, _)| *known == name) {
            return Err(BodyFault::wrong(name, "there once, in camel case or in snake case"));
        }
        members.push((name, value));
    }
    Ok(members)
}

/// A member that is given, by its name in camel case; for answers, where nothing is a fault.
pub(super) fn at<'t>(value: Value<'t>, name: &str) -> Option<Value<'t>> {
    value.members().find(|(key, value)| given(*value) && camel(&key.text()) == name).map(|(_, value)| value)
}

/// The text of a member, where it is one.
pub(super) fn text_at(value: Value<'_>, name: &str) -> Option<String> {
    at(value, name).filter(|value| value.kind() == Kind::String).map(|value| value.text().into_owned())
}

/// The strings of an array.
pub(super) fn strings(field: &str, value: Value<'_>) -> Result<Vec<String>, BodyFault> {
    let strings = elements(field, value, Kind::String, "an array of strings")?;
    Ok(strings.iter().map(|value| value.text().into_owned()).collect())
}

/// The objects of an array.
pub(super) fn objects<'t>(field: &str, value: Value<'t>) -> Result<Vec<Value<'t>>, BodyFault> {
    elements(field, value, Kind::Object, "an array of objects")
}

fn elements<'t>(
    field: &str,
    value: Value<'t>,
    of: Kind,
    expected: &'static str,
) -> Result<Vec<Value<'t>>, BodyFault> {
    let elements: Vec<Value<'t>> = value.elements().filter(|element| element.kind() == of).collect();
    // Numbers are no nodes, so that others than objects show in the count alone.
    if value.kind() == Kind::Array && elements.len() == value.len() {
        Ok(elements)
    } else {
        Err(BodyFault::wrong(field, expected))
    }
}

/// A whole number that is at least `least`; SDKs write some with a fraction of nothing (`40.0`).
pub(super) fn whole(
    field: &str,
    value: Value<'_>,
    least: i64,
    expected: &'static str,
) -> Result<i64, BodyFault> {
    let number = std::str::from_utf8(value.raw()).ok().filter(|_| value.kind() == Kind::Number);
    let number = number.and_then(|number| number.parse::<f64>().ok());
    number
        .filter(|number| number.fract() == 0.0 && *number >= least as f64 && *number <= MOST)
        .map(|number| number as i64)
        .ok_or_else(|| BodyFault::wrong(field, expected))
}

/// A number, as it stands.
pub(super) fn number(field: &str, value: Value<'_>) -> Result<Raw, BodyFault> {
    kind(field, value, &[Kind::Number], "a number")?;
    Ok(raw(value))
}
