//! YAML as a tree of nodes that know their line, and nothing of what they mean.
//!
//! Law: a scalar stays the text its author wrote, because the field it is for decides what it is (`NO` is a country where
//! a country is asked for). Aliases, anchors, tags, duplicate keys, great depth and great size are refused while events
//! are read, before a tree exists that could be too large.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

/// Bytes of one file at most.
const FILE_BYTES: usize = 16 << 20;
/// Nodes within nodes at most.
const DEPTH: usize = 24;
/// Values and keys of one file at most: each costs memory of its own.
const NODES: usize = 2_000_000;

/// A value with the line it begins on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line.
    pub line: u32,
    /// The value.
    pub value: Value,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, and whether it was written without quotes.
    Scalar {
        /// The text, as its author wrote it.
        text: String,
        /// Without quotes.
        plain: bool,
    },
    /// Values in a row.
    List(Vec<Node>),
    /// In the order of the file; keys are unique.
    Map(Vec<Entry>),
}

/// A pair of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line of the key.
    pub line: u32,
    /// The key.
    pub key: String,
    /// The value.
    pub value: Node,
}

/// Why a file is not read on, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1; 0: the whole file.
    pub line: u32,
    /// Why.
    pub message: String,
}

impl Node {
    /// Whether nothing was written: `null`, `~` or no text at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for faults.
    pub fn what(&self) -> &'static str {
        match self.value {
            Value::Scalar { .. } => "a scalar",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads the documents of a file; documents with nothing in them are left out.
pub fn documents(text: &str) -> Result<Vec<Node>, Unreadable> {
    if text.len() > FILE_BYTES {
        let message = format!("the file is larger than {} MiB", FILE_BYTES >> 20);
        return Err(Unreadable { line: 0, message });
    }
    let mut reader = Reader { parser: Parser::new_from_str(text), left: NODES };
    let mut found = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(found),
            (Event::DocumentStart(_), _) => {
                let (event, line) = reader.next()?;
                if matches!(event, Event::DocumentEnd) {
                    continue;
                }
                let node = reader.node(event, line, DEPTH)?;
                if !node.is_null() {
                    found.push(node);
                }
            }
            _ => {}
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Nodes that may still come.
    left: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, u32), Unreadable> {
        let event = self.parser.next_event().unwrap_or(Ok((Event::StreamEnd, Default::default())));
        event.map(|(event, span)| (event, line(&span.start))).map_err(|error| scan(&error))
    }

    fn node(&mut self, event: Event<'t>, line: u32, depth: usize) -> Result<Node, Unreadable> {
        let refuse = |message: &str| Err(Unreadable { line, message: message.to_owned() });
        if depth == 0 {
            return refuse("the file is nested too deeply");
        }
        let Some(left) = self.left.checked_sub(1) else {
            return refuse(&format!("the file has more than {NODES} values"));
        };
        self.left = left;
        let value = match event {
            Event::Alias(_) => return refuse("aliases are not read: write it out"),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return refuse("anchors are not read: write it out");
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return refuse("tags are not read");
            }
            Event::Scalar(text, style, ..) => {
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => return refuse("the file ends where a value was expected"),
        };
        Ok(Node { line, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Unreadable> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, line) => items.push(self.node(event, line, depth.saturating_sub(1))?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Unreadable> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        loop {
            let (event, line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                next => next,
            };
            let key = match self.node(event, line, depth.saturating_sub(1))?.value {
                Value::Scalar { text, .. } => text,
                _ => return Err(Unreadable { line, message: "a key is not a scalar".to_owned() }),
            };
            if let Some(first) = seen.insert(key.clone(), line) {
                let message = format!("`{}` is written twice; first on line {first}", shown(&key));
                return Err(Unreadable { line, message });
            }
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth.saturating_sub(1))?;
            entries.push(Entry { line, key, value });
        }
    }
}

/// A text as a fault shows it: cut to 64 characters, nothing that moves a cursor.
pub fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

fn line(marker: &Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

fn scan(error: &ScanError) -> Unreadable {
    Unreadable { line: line(error.marker()), message: format!("this is not YAML: {}", error.info()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (u32, String) {
        let error = documents(text).unwrap_err();
        (error.line, error.message)
    }

    #[test]
    fn nodes_know_their_lines_and_scalars_stay_text() {
        let docs = documents("a: NO\nb:\n  - 1.0\n  - 'x'\n---\n# nothing\n---\nc: {d: ~}\n").unwrap();
        assert_eq!(docs.len(), 2);
        let Value::Map(first) = &docs[0].value else { panic!() };
        assert_eq!((first[1].line, first[1].value.line), (2, 3));
        assert_eq!(first[0].value.value, Value::Scalar { text: "NO".into(), plain: true });
        let Value::List(items) = &first[1].value.value else { panic!() };
        assert_eq!(items[1], Node { line: 4, value: Value::Scalar { text: "x".into(), plain: false } });
        let Value::Map(second) = &docs[1].value else { panic!() };
        let Value::Map(inner) = &second[0].value.value else { panic!() };
        assert!(inner[0].value.is_null());
    }

    #[test]
    fn what_could_explode_or_mislead_is_refused_with_its_line() {
        assert_eq!(refusal("a: 1\nb: 2\na: 3\n"), (3, "`a` is written twice; first on line 1".into()));
        assert_eq!(refusal("a: &x 1\n").0, 1);
        assert!(refusal("a: &x [1]\nb: *x\n").1.contains("anchors"));
        assert!(refusal("a: !!binary x\n").1.contains("tags"));
        assert!(refusal(&"[".repeat(5_000)).1.len() > 5);
        assert!(refusal(&format!("{}1{}", "[".repeat(60), "]".repeat(60))).1.contains("deeply"));
        assert_eq!(refusal("a: 1\n  b: 2\n").0, 2);
        assert!(refusal("a: [1, 2\n").1.contains("not YAML"));
        assert!(refusal("? [a]\n: 1\n").1.contains("key"));
        let many = format!("a: 1\nb: [{}]\n", "{},".repeat(NODES));
        assert_eq!(refusal(&many), (2, "the file has more than 2000000 values".into()));
    }
}
