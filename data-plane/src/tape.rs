//! One JSON text as a flat tape of nodes, each with the bytes it stands on.
//!
//! Law: one pass checks everything there is to check (UTF-8, grammar, depth, duplicate keys, paired surrogates, number of
//! values), so what reads a tape cannot meet a text that another parser would read otherwise. Deliberately absent: values
//! (nothing is decoded until asked for) and copies (a tape owns positions, never text).

pub(crate) mod number;
mod scan;
pub(crate) mod text;

use std::borrow::Cow;
use std::ops::Range;

/// The deepest nesting that is read; deeper is an attack on whoever reads by recursion.
pub(crate) const DEPTH: usize = 64;

/// The most nodes a tape holds: 20 MB of positions. Numbers in arrays are not nodes, but for long ones.
pub(crate) const NODES: usize = 1_000_000;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// A member's name; its value is the next node.
    Key,
    /// `"..."`
    String,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// A string without escapes: its bytes are its text.
    plain: bool,
    start: u32,
    end: u32,
    /// The node after this one and all within it.
    next: u32,
    /// Members or elements of a container.
    count: u32,
}

/// The positions of one text; reused from text to text, so that reading allocates nothing in the long run.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    nodes: Vec<Node>,
    open: Vec<u32>,
}

/// Why a text is not JSON that we read, and the byte where it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What is wrong.
    pub(crate) fault: Fault,
    /// The byte offset.
    pub(crate) at: usize,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    Utf8,
    /// Not the grammar of RFC 8259; `NaN` and lone surrogates among it.
    #[error("the body is not JSON")]
    Syntax,
    /// Nested deeper than [`DEPTH`].
    #[error("the body is nested deeper than 64 levels")]
    Depth,
    /// A member twice in one object; the name is cut to 64 characters.
    #[error("the member `{0}` is there twice")]
    Duplicate(String),
    /// More than [`NODES`] values.
    #[error("the body holds more than 1000000 values")]
    TooMany,
}

impl Tape {
    /// A tape with room for the values of a common text of this many bytes.
    pub(crate) fn for_text(bytes: usize) -> Self {
        Self { nodes: Vec::with_capacity((bytes / 16).clamp(16, 4096)), open: Vec::with_capacity(8) }
    }

    /// Reads `bytes`, replacing what was read before. After an error the tape is empty.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let result = scan::scan(self, bytes);
        if result.is_err() {
            self.nodes.clear();
        }
        result
    }

    /// The outermost value of the text that was read; `text` must be that text.
    pub(crate) fn root<'t>(&'t self, text: &'t [u8]) -> Option<Value<'t>> {
        (!self.nodes.is_empty()).then_some(Value { tape: self, text, at: 0 })
    }
}

/// One value of a text.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t> {
    tape: &'t Tape,
    text: &'t [u8],
    at: u32,
}

impl<'t> Value<'t> {
    fn node(&self) -> Option<&'t Node> {
        self.tape.nodes.get(self.at as usize)
    }

    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        self.node().map_or(Kind::Null, |node| node.kind)
    }

    /// The bytes it stands on, quotes and brackets included.
    pub(crate) fn range(&self) -> Range<usize> {
        self.node().map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// Its bytes as written.
    pub(crate) fn raw(&self) -> &'t [u8] {
        self.text.get(self.range()).unwrap_or_default()
    }

    /// Members of an object or elements of an array, numbers included.
    pub(crate) fn len(&self) -> usize {
        self.node().map_or(0, |node| node.count as usize)
    }

    /// Whether it is a string without escapes.
    pub(crate) fn is_plain(&self) -> bool {
        self.node().is_some_and(|node| node.plain)
    }

    /// A string's or key's text between the quotes, as written.
    pub(crate) fn inner(&self) -> &'t str {
        std::str::from_utf8(self.inner_bytes()).unwrap_or_default()
    }

    /// The same as bytes, which needs no look at what characters they are.
    #[inline]
    pub(crate) fn inner_bytes(&self) -> &'t [u8] {
        let range = self.range();
        self.text.get(range.start + 1..range.end.saturating_sub(1)).unwrap_or_default()
    }

    /// A string's text, unescaped where it has to be; empty for anything else.
    pub(crate) fn text(&self) -> Cow<'t, str> {
        match self.kind() {
            Kind::String | Kind::Key if self.is_plain() => Cow::Borrowed(self.inner()),
            Kind::String | Kind::Key => Cow::Owned(text::unescape(self.inner())),
            _ => Cow::Borrowed(""),
        }
    }

    /// Whether it is a string or key of exactly this text. Asked of every key, so compared as bytes.
    #[inline]
    pub(crate) fn is(&self, wanted: &str) -> bool {
        let Some(node) = self.node().filter(|node| matches!(node.kind, Kind::String | Kind::Key)) else {
            return false;
        };
        if node.plain { self.inner_bytes() == wanted.as_bytes() } else { self.text() == wanted }
    }

    /// The members of an object; nothing for anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Value<'t>, Value<'t>)> + use<'t> {
        let (tape, text, kind) = (self.tape, self.text, self.kind());
        let (mut at, end) = (self.at + 1, self.node().map_or(0, |node| node.next));
        std::iter::from_fn(move || {
            if kind != Kind::Object || at >= end {
                return None;
            }
            let (key, value) = (Value { tape, text, at }, Value { tape, text, at: at + 1 });
            at = value.node()?.next;
            Some((key, value))
        })
    }

    /// The elements of an array; nothing for anything else. Numbers are left out: compare with `len`.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        let (tape, text, kind) = (self.tape, self.text, self.kind());
        let (mut at, end) = (self.at + 1, self.node().map_or(0, |node| node.next));
        std::iter::from_fn(move || {
            if kind != Kind::Array || at >= end {
                return None;
            }
            loop {
                let value = Value { tape, text, at };
                let node = value.node().filter(|_| at < end)?;
                at = node.next;
                if node.kind != Kind::Number {
                    return Some(value);
                }
            }
        })
    }

    /// The member of an object by its name.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'t>> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// Every key and string within it, itself included, in the order of the text.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        let (tape, text) = (self.tape, self.text);
        let range = self.at..self.node().map_or(self.at, |node| node.next);
        let values = range.map(move |at| Value { tape, text, at });
        values.filter(|value| matches!(value.kind(), Kind::String | Kind::Key))
    }

    /// Every number within it, itself included, whose whole part is long enough to be somebody's, each with the last key or
    /// string of this value before it.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (Option<Value<'t>>, Value<'t>)> + use<'t> {
        let (tape, text) = (self.tape, self.text);
        let range = self.at..self.node().map_or(self.at, |node| node.next);
        let mut label = None;
        range.filter_map(move |at| {
            let value = Value { tape, text, at };
            match value.kind() {
                Kind::Key | Kind::String => label = Some(value),
                Kind::Number if number::is_long(value.raw()) => return Some((label, value)),
                _ => {}
            }
            None
        })
    }

    /// Every array within it, itself included.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        let (tape, text) = (self.tape, self.text);
        let range = self.at..self.node().map_or(self.at, |node| node.next);
        range.map(move |at| Value { tape, text, at }).filter(|value| value.kind() == Kind::Array)
    }

    /// The texts of an array's elements that a reader takes for one: strings, and what objects have as `text` or `refusal`.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        self.elements().flat_map(|part| {
            let of = |name| part.get(name);
            let parts =
                if part.kind() == Kind::Object { [of("text"), of("refusal")] } else { [Some(part), None] };
            parts.into_iter().flatten().filter(|text| text.kind() == Kind::String)
        })
    }

    /// A string unescaped, a number in full; empty for anything else.
    pub(crate) fn as_read(&self) -> Cow<'t, str> {
        if self.kind() == Kind::Number { number::in_full(self.raw()) } else { self.text() }
    }

    /// A non-negative whole number, written without fraction or exponent, that fits.
    pub(crate) fn whole(&self) -> Option<u64> {
        if self.kind() != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.raw()).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests;
