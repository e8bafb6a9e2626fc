//! The body of a check: `{"direction": "input", "texts": ["…"]}`.
//!
//! Law: a field that we don't know is refused, for nothing stands behind this door that might. Deliberately absent: texts.

use std::ops::Range;

use crate::dialect::field::BodyFault;
use crate::error::Rejection;
use crate::pipeline::entitle::refuse;
use crate::tape::{Kind, Tape, Value};

/// Which way texts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To a model.
    Input,
    /// From a model.
    Output,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which way the texts go.
    pub(super) direction: Direction,
    /// Where they stand, quotes included; one at least.
    pub(super) texts: Vec<Range<usize>>,
}

impl Asked {
    /// Understands a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Rejection> {
        read(body).map_err(|fault| refuse(&fault))
    }
}

impl Direction {
    /// The word on every surface.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

fn read(body: &[u8]) -> Result<Asked, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let root = tape.root(body).filter(|root| root.kind() == Kind::Object);
    let root = root.ok_or_else(|| BodyFault::wrong("", "an object"))?;
    let (mut direction, mut texts) = (None, None);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "direction" => direction = Some(direction_of(value)?),
            "texts" => texts = Some(texts_of(value)?),
            other => {
                let other: String = other.chars().take(64).collect();
                return Err(BodyFault::wrong(other, "left out: a check has `direction` and `texts`"));
            }
        }
    }
    Ok(Asked {
        direction: direction.ok_or_else(|| BodyFault::Missing("direction".to_owned()))?,
        texts: texts.ok_or_else(|| BodyFault::Missing("texts".to_owned()))?,
    })
}

fn direction_of(value: Value<'_>) -> Result<Direction, BodyFault> {
    let known = [Direction::Input, Direction::Output];
    let named = known.into_iter().find(|known| value.kind() == Kind::String && value.is(known.as_str()));
    named.ok_or_else(|| BodyFault::wrong("direction", "`input` or `output`"))
}

fn texts_of(value: Value<'_>) -> Result<Vec<Range<usize>>, BodyFault> {
    let wrong = || BodyFault::wrong("texts", "an array of one text or more");
    let texts: Vec<_> = value.elements().collect();
    // Numbers that are short are no elements of a tape.
    let all = value.kind() == Kind::Array && !texts.is_empty() && texts.len() == value.len();
    if !all || texts.iter().any(|text| text.kind() != Kind::String) {
        return Err(wrong());
    }
    Ok(texts.iter().map(Value::range).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_check_is_refused_by_the_field() {
        let asked = read(br#"{"texts":["a","b\n"],"direction":"output"}"#).unwrap();
        assert_eq!(asked, Asked { direction: Direction::Output, texts: vec![10..13, 14..19] });
        for (body, field) in [
            ("[]", None),
            ("{", None),
            (r#"{"texts":["a"]}"#, Some("direction")),
            (r#"{"texts":["a"],"direction":"Input"}"#, Some("direction")),
            (r#"{"texts":["a"],"direction":null}"#, Some("direction")),
            (r#"{"direction":"input"}"#, Some("texts")),
            (r#"{"direction":"input","texts":[]}"#, Some("texts")),
            (r#"{"direction":"input","texts":"a"}"#, Some("texts")),
            (r#"{"direction":"input","texts":["a",1]}"#, Some("texts")),
            (r#"{"direction":"input","texts":["a",{"text":"b"}]}"#, Some("texts")),
            (r#"{"direction":"input","texts":["a"],"texts":["b"]}"#, Some("texts")),
            (r#"{"direction":"input","texts":["a"],"source":"INPUT"}"#, Some("source")),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().field(), field, "{body}");
        }
    }
}
