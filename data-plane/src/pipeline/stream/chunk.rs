//! One chunk of a streamed answer, as positions.
//!
//! Law: reads what the dialect names and skips what it does not; nothing is judged here.

use std::ops::Range;

use crate::tape::{Kind, Value};

/// A chunk of `chat.completion.chunk`.
pub(super) struct Chunk<'t> {
    /// All of it.
    pub(super) root: Value<'t>,
    /// Its choices.
    pub(super) choices: Vec<Choice<'t>>,
    /// The member `usage`, by key and value.
    pub(super) usage: Option<(Value<'t>, Value<'t>)>,
}

/// One choice of a chunk.
pub(super) struct Choice<'t> {
    /// Its place.
    pub(super) index: u64,
    /// All of it.
    pub(super) value: Value<'t>,
    /// Whether it ends with this chunk.
    pub(super) ends: bool,
}

impl<'t> Chunk<'t> {
    /// Reads a chunk.
    pub(super) fn read(root: Value<'t>) -> Self {
        let (mut choices, mut usage) = (Vec::new(), None);
        for (key, value) in root.members() {
            if key.is("choices") {
                choices = value.elements().enumerate().map(|(at, choice)| Choice::read(at, choice)).collect();
            } else if key.is("usage") {
                usage = Some((key, value));
            }
        }
        Self { root, choices, usage }
    }
}

impl<'t> Choice<'t> {
    fn read(at: usize, value: Value<'t>) -> Self {
        let (mut index, mut ends) = (at as u64, false);
        for (key, member) in value.members() {
            if key.is("index") {
                index = member.whole().unwrap_or(index);
            } else if key.is("finish_reason") {
                ends = member.kind() == Kind::String;
            }
        }
        Self { index, value, ends }
    }
}

/// Which answers are finished.
pub(super) struct Finished {
    expected: u64,
    done: u128,
}

impl Finished {
    /// So many answers are expected, at most 128.
    pub(super) fn of(expected: u64) -> Self {
        Self { expected, done: 0 }
    }

    /// Takes in a choice.
    pub(super) fn note(&mut self, choice: &Choice<'_>) {
        if choice.ends {
            self.done |= u32::try_from(choice.index).ok().and_then(|at| 1_u128.checked_shl(at)).unwrap_or(0);
        }
    }

    /// Whether every answer is finished.
    pub(super) fn all(&self) -> bool {
        u64::from(self.done.count_ones()) >= self.expected
    }
}

/// The bytes to cut out of an object so that a member and one comma are gone.
pub(super) fn cut(object: Value<'_>, key: Value<'_>) -> Range<usize> {
    let start = key.range().start;
    let (mut members, mut before) = (object.members(), None);
    while let Some((name, value)) = members.next() {
        let end = value.range().end;
        if name.range().start == start {
            return match (members.next(), before) {
                (Some((next, _)), _) => start..next.range().start,
                (None, before) => before.unwrap_or(start)..end,
            };
        }
        before = Some(end);
    }
    start..start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;

    #[test]
    fn a_member_is_cut_with_one_comma() {
        for (text, left) in [
            (r#"{"usage":null}"#, "{}"),
            (r#"{"usage":null, "a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1, "usage":{"x":[1]}}"#, r#"{"a":1}"#),
            (r#"{"a":1,"usage":null,"b":2}"#, r#"{"a":1,"b":2}"#),
        ] {
            let mut tape = Tape::default();
            tape.read(text.as_bytes()).unwrap();
            let root = tape.root(text.as_bytes()).unwrap();
            let (key, _) = Chunk::read(root).usage.unwrap();
            let mut cut_out = text.to_owned();
            cut_out.replace_range(cut(root, key), "");
            assert_eq!(cut_out, left);
        }
    }
}
