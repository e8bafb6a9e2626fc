//! JSON with places, in from its text.
//!
//! Law: a place stands where it can be filled, and a body tells something; no template makes much of little. Absent on purpose: the other fields
//! of a template.

use std::fmt;

use policy_engine::facts::template::{Draft, Shape};
use policy_engine::vocabulary::Slot;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::convert::shown;

/// The most bytes of a body.
const BODY: usize = 16 * 1024;
/// The most bytes of the shape of one message, which is there as often as somebody spoke.
const MESSAGE: usize = 1024;
/// Places that a body may have, and how many of them may be for texts of any length: else a template could make much of little.
const PLACES: (usize, usize) = (32, 4);
/// Slots that a body has some of: without one, nothing of the conversation would be told.
const SAID: [Slot; 4] = [Slot::Messages, Slot::Turns, Slot::Prompt, Slot::Transcript];

/// Whose places a draft may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A conversation's.
    Request,
    /// One of its messages'.
    Message,
    /// Texts' that are to be embedded.
    Vectors,
}

impl Whose {
    fn has(self, slot: Slot) -> bool {
        match self {
            Self::Request => !slot.is_of_message() && !slot.is_of_vectors(),
            Self::Message => slot.is_of_message(),
            Self::Vectors => slot.is_of_vectors() || matches!(slot, Slot::Model | Slot::User),
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Request => "what belongs to one message, or to vectors, does not",
            Self::Message => "`${role}` and `${text}` do",
            Self::Vectors => "`${inputs}`, `${input}`, `${dimensions}`, `${model}` and `${user}` do",
        }
    }
}

/// JSON with places.
pub(super) fn draft(text: &str, whose: Whose) -> Result<Draft, String> {
    let most = if whose == Whose::Message { MESSAGE } else { BODY };
    if text.len() > most {
        return Err(format!("is longer than {most} bytes"));
    }
    let Json(shape) = serde_json::from_str(text).map_err(|error| match error.is_data() {
        true => error.to_string(),
        false => format!("is not JSON: {error}"),
    })?;
    if let Some(gap) = shape.gaps().into_iter().find(|gap| !whose.has(gap.slot)) {
        return Err(format!("has `${{{}}}`, which does not belong there: {}", gap.slot, whose.told()));
    }
    let of_texts = shape.gaps().iter().filter(|gap| is_of_any_length(gap.slot)).count();
    let (places, texts) = PLACES;
    if shape.gaps().len() > places || of_texts > texts {
        return Err(format!(
            "has more than {places} places, or more than {texts} for what was said and who asks"
        ));
    }
    if whose == Whose::Message && !shape.has(Slot::Text) {
        return Err("has no `${text}`, so that nothing of a message would be told".to_owned());
    }
    Ok(Draft { text: text.to_owned(), shape })
}

/// Whether it is filled with what may be as long as a request.
fn is_of_any_length(slot: Slot) -> bool {
    SAID.contains(&slot)
        || matches!(slot, Slot::System | Slot::Text | Slot::User | Slot::Inputs | Slot::Input)
}

/// Whether a body tells something of a conversation.
pub(super) fn says_something(body: &Draft) -> Result<(), String> {
    if !matches!(body.shape, Shape::Object(_) | Shape::List(_)) {
        return Err("is neither an object nor an array".to_owned());
    }
    match SAID.iter().any(|slot| body.shape.has(*slot)) {
        true => Ok(()),
        false => {
            let said: Vec<String> = SAID.iter().map(|slot| format!("`${{{slot}}}`")).collect();
            Err(format!("tells nothing of what was said: it has none of {}", said.join(", ")))
        }
    }
}

/// Whether a body tells texts that are to be embedded: one, or all.
pub(super) fn embeds_something(body: &Draft) -> Result<(), String> {
    if !matches!(body.shape, Shape::Object(_) | Shape::List(_)) {
        return Err("is neither an object nor an array".to_owned());
    }
    match (body.shape.has(Slot::Inputs), body.shape.has(Slot::Input)) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => {
            Err("tells nothing of the texts: it has neither `${inputs}` nor `${input}`".to_owned())
        }
        (true, true) => Err("has both `${inputs}` and `${input}`".to_owned()),
    }
}

/// A shape, read of JSON whose members keep their order.
struct Json(Shape);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Seen).map(Self)
    }
}

struct Seen;

impl<'de> Visitor<'de> for Seen {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Shape, E> {
        Ok(Shape::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Shape, E> {
        Ok(Shape::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Shape, E> {
        Ok(Shape::Number(number.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Shape, E> {
        serde_json::to_string(&number).map(Shape::Number).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Shape, E> {
        Shape::of_text(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Shape, A::Error> {
        let mut all = Vec::new();
        while let Some(Json(element)) = from.next_element()? {
            all.push(element);
        }
        Ok(Shape::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Shape, A::Error> {
        let mut all: Vec<(String, Shape)> = Vec::new();
        while let Some(name) = from.next_key::<String>()? {
            if name.contains("${") {
                return Err(A::Error::custom(format_args!(
                    "`{}`: a name is no place for a value",
                    shown(&name)
                )));
            }
            if all.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("`{}` is there twice", shown(&name))));
            }
            let Json(value) = from.next_value()?;
            all.push((name, value));
        }
        Ok(Shape::Object(all))
    }
}
