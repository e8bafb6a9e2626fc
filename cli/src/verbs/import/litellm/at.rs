//! A place in a file: a value with its path, read as what is asked for; and what is noted of places.
//!
//! Law: a note names the path, the line and why, and never repeats a value, which may be a secret. Every key that nobody reads is noted.

use std::cell::RefCell;

use control_plane::manifest::yaml::{Node, Value, shown};
use serde::Serialize;

/// What is to be told of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::verbs) struct Note {
    /// Where, such as `model_list[3].litellm_params.rpm`.
    pub(in crate::verbs) path: String,
    /// The line, from 1.
    pub(in crate::verbs) line: u32,
    /// Why.
    pub(in crate::verbs) why: String,
}

/// What is told: what could not be carried, and what makes a file one that can't be read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    left: RefCell<Vec<Note>>,
    faults: RefCell<Vec<Note>>,
}

/// A value, and where it is.
#[derive(Clone)]
pub(super) struct At<'n> {
    pub(super) path: String,
    line: u32,
    node: &'n Node,
    notes: &'n Notes,
}

impl Notes {
    /// All that was noted, in the order of lines: what is left, and faults.
    pub(super) fn into_parts(self) -> (Vec<Note>, Vec<Note>) {
        let sorted = |notes: RefCell<Vec<Note>>| {
            let mut notes = notes.into_inner();
            notes.sort_by_key(|note| note.line);
            notes
        };
        (sorted(self.left), sorted(self.faults))
    }
}

impl<'n> At<'n> {
    /// The whole of a file.
    pub(super) fn root(node: &'n Node, notes: &'n Notes) -> Self {
        Self { path: String::new(), line: node.line, node, notes }
    }

    /// Notes that it is not carried.
    pub(super) fn left(&self, why: impl Into<String>) {
        self.notes.left.borrow_mut().push(self.note(why.into()));
    }

    /// Notes that it can't be read.
    pub(super) fn fault(&self, why: impl Into<String>) {
        self.notes.faults.borrow_mut().push(self.note(why.into()));
    }

    fn note(&self, why: String) -> Note {
        let path = if self.path.is_empty() { "the file".to_owned() } else { self.path.clone() };
        Note { path, line: self.line, why }
    }

    /// The pairs of a mapping; a fault where it is none. Nothing written is an empty one.
    pub(super) fn pairs(&self) -> Vec<(&'n str, At<'n>)> {
        match &self.node.value {
            Value::Map(entries) => {
                let pair = |entry: &'n control_plane::manifest::yaml::Entry| {
                    let dot = if self.path.is_empty() { "" } else { "." };
                    let path = format!("{}{dot}{}", self.path, shown(&entry.key));
                    (entry.key.as_str(), At { path, line: entry.line, node: &entry.value, notes: self.notes })
                };
                entries.iter().map(pair).collect()
            }
            _ if self.node.is_null() => Vec::new(),
            _ => {
                self.fault(format!("is {}, not a mapping", self.node.what()));
                Vec::new()
            }
        }
    }

    /// The items of a list; a fault where it is none. Nothing written is an empty one.
    pub(super) fn items(&self) -> Vec<At<'n>> {
        match &self.node.value {
            Value::List(items) => {
                let item = |(at, node): (usize, &'n Node)| At {
                    path: format!("{}[{at}]", self.path),
                    line: node.line,
                    node,
                    notes: self.notes,
                };
                items.iter().enumerate().map(item).collect()
            }
            _ if self.node.is_null() => Vec::new(),
            _ => {
                self.fault(format!("is {}, not a list", self.node.what()));
                Vec::new()
            }
        }
    }

    /// A text; a fault where it is none, `None` where nothing is written.
    pub(super) fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            _ if self.node.is_null() => None,
            Value::Scalar { text, .. } => Some(text),
            _ => {
                self.fault(format!("is {}, not a text", self.node.what()));
                None
            }
        }
    }

    /// Whether it is a mapping.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// A whole number that is not negative; a fault where it is none.
    pub(super) fn count(&self) -> Option<u64> {
        let text = self.text()?;
        // `1e6` and `1000.0` are how some write a million and a thousand.
        let read = text.replace('_', "").parse::<u64>().ok().or_else(|| whole(text));
        if read.is_none() {
            self.fault("is not a whole number");
        }
        read
    }

    /// Yes or no; a fault where it is neither.
    pub(super) fn is_true(&self) -> bool {
        match self.text().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes" | "on") => true,
            None | Some("false" | "no" | "off") => false,
            Some(_) => {
                self.fault("is neither true nor false");
                false
            }
        }
    }

    /// Notes of every key below that it is not carried, each with its own reason where there is one.
    pub(super) fn all_left(&self, why: impl Fn(&str) -> &'static str) {
        if self.is_map() {
            self.pairs().iter().for_each(|(key, at)| at.left(why(key)));
        } else {
            self.left(why(""));
        }
    }
}

/// A number with a point or an exponent that is whole and exact.
fn whole(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    let fits = number.fract() == 0.0 && (0.0..9e15).contains(&number);
    // Whole and below 2^53: exact.
    fits.then(|| format!("{number:.0}").parse().ok()).flatten()
}
