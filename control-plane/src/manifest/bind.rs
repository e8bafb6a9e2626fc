//! A document's tree bound to the message it declares: what each text is, the field it is for decides.
//!
//! Law: an unknown field is a fault, never ignored; every fault of a document is reported with its line; and each value's
//! line is remembered under every path by which a later fault may name it.
//!
//! Sugar: a message whose only field is repeated may be written as the list itself.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as FieldKind, MapKey, MessageDescriptor, Value as Field,
};

use super::yaml::{Entry, Node, Value, shown};

/// A fault within a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) line: u32,
    pub(crate) field: String,
    pub(crate) message: String,
}

/// The lines of a document, by path; a path may stand for the author's own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    paths: BTreeMap<String, (String, u32)>,
}

impl Lines {
    fn keep(&mut self, at: &At, line: u32) {
        self.paths.insert(at.written.clone(), (at.written.clone(), line));
        for other in [&at.plain, &at.sugared] {
            self.paths.entry(other.clone()).or_insert_with(|| (at.written.clone(), line));
        }
    }

    /// Remembers a line under a path that has no other spelling.
    pub(crate) fn note(&mut self, path: &str, line: u32) {
        self.paths.insert(path.to_owned(), (path.to_owned(), line));
    }

    /// A path as its author would write it, and the line of the nearest thing on it that was written.
    pub(crate) fn find(&self, path: &str) -> Option<(String, u32)> {
        let (mut around, mut within) = (path, "");
        loop {
            if let Some((written, line)) = self.paths.get(around) {
                return Some((format!("{written}{within}"), *line));
            }
            (around, within) = path.split_at_checked(around.rfind(['.', '['])?)?;
        }
    }
}

/// One place of a document under its three spellings: as written, without any sugar, with all of it.
#[derive(Debug, Clone)]
struct At {
    written: String,
    plain: String,
    sugared: String,
}

impl At {
    fn root(path: &str) -> Self {
        Self { written: path.to_owned(), plain: path.to_owned(), sugared: path.to_owned() }
    }

    fn each(&self, edit: impl Fn(&str) -> String) -> Self {
        Self { written: edit(&self.written), plain: edit(&self.plain), sugared: edit(&self.sugared) }
    }

    fn field(&self, name: &str) -> Self {
        self.each(|path| format!("{path}.{name}"))
    }

    fn item(&self, at: usize) -> Self {
        self.each(|path| format!("{path}[{at}]"))
    }
}

/// Binds nodes to messages, collecting faults.
#[derive(Debug, Default)]
pub(crate) struct Binder {
    pub(crate) lines: Lines,
    pub(crate) faults: Vec<Misfit>,
}

impl Binder {
    /// Binds a node to a field of a message.
    pub(crate) fn field(&mut self, path: &str, node: &Node, to: &FieldDescriptor, into: &mut DynamicMessage) {
        self.set(&At::root(path), node, to, into);
    }

    /// Records a fault.
    pub(crate) fn fault(&mut self, line: u32, field: &str, message: String) {
        self.faults.push(Misfit { line, field: field.to_owned(), message });
    }

    fn any_message(&mut self, at: &At, node: &Node, to: &MessageDescriptor) -> DynamicMessage {
        self.lines.keep(at, node.line);
        let mut message = DynamicMessage::new(to.clone());
        match (&node.value, sole_list(to)) {
            (Value::Map(entries), _) => self.entries(at, entries, to, &mut message),
            (Value::List(_), Some(list)) => {
                let plain = format!("{}.{}", at.plain, list.json_name());
                self.set(&At { plain, ..at.clone() }, node, &list, &mut message);
            }
            _ => self.fault(node.line, &at.written, format!("a mapping was expected, not {}", node.what())),
        }
        message
    }

    fn entries(&mut self, at: &At, entries: &[Entry], to: &MessageDescriptor, into: &mut DynamicMessage) {
        let sugar = sole_list(to).is_some();
        let mut chosen = HashMap::new();
        for entry in entries {
            let Some(field) = to.get_field_by_json_name(&entry.key) else {
                let known: Vec<String> = to.fields().map(|f| f.json_name().to_owned()).collect();
                let message =
                    format!("unknown field `{}`; known are {}", shown(&entry.key), known.join(", "));
                self.fault(entry.line, &at.field(&shown(&entry.key)).written, message);
                continue;
            };
            let mut inner = at.field(&entry.key);
            if sugar {
                inner.sugared.clone_from(&at.sugared);
            }
            if entry.value.is_null() {
                continue;
            }
            if let Some(oneof) = field.containing_oneof().filter(|o| !o.is_synthetic())
                && let Some(first) = chosen.insert(oneof.name().to_owned(), entry.key.clone())
            {
                let message = format!("`{}` and `{first}` exclude each other", entry.key);
                self.fault(entry.line, &inner.written, message);
                continue;
            }
            self.set(&inner, &entry.value, &field, into);
        }
    }

    fn set(&mut self, at: &At, node: &Node, to: &FieldDescriptor, into: &mut DynamicMessage) {
        self.lines.keep(at, node.line);
        let value = if to.is_map() {
            self.map(at, node, to)
        } else if to.is_list() {
            self.list(at, node, to)
        } else {
            self.single(at, node, &to.kind())
        };
        if let Some(value) = value {
            into.set_field(to, value);
        }
    }

    fn list(&mut self, at: &At, node: &Node, to: &FieldDescriptor) -> Option<Field> {
        let Value::List(items) = &node.value else {
            self.fault(node.line, &at.written, format!("a list was expected, not {}", node.what()));
            return None;
        };
        let kind = to.kind();
        // What could not be bound keeps its place, so that the others keep theirs.
        let bound = items.iter().enumerate().map(|(i, item)| {
            self.single(&at.item(i), item, &kind).unwrap_or_else(|| Field::default_value(&kind))
        });
        Some(Field::List(bound.collect()))
    }

    fn map(&mut self, at: &At, node: &Node, to: &FieldDescriptor) -> Option<Field> {
        let (Value::Map(entries), FieldKind::Message(entry)) = (&node.value, to.kind()) else {
            self.fault(node.line, &at.written, format!("a mapping was expected, not {}", node.what()));
            return None;
        };
        let kind = entry.map_entry_value_field().kind();
        let mut map = HashMap::new();
        for e in entries {
            if let Some(value) = self.single(&at.field(&shown(&e.key)), &e.value, &kind) {
                map.insert(MapKey::String(e.key.clone()), value);
            }
        }
        Some(Field::Map(map))
    }

    fn single(&mut self, at: &At, node: &Node, kind: &FieldKind) -> Option<Field> {
        self.lines.keep(at, node.line);
        if let FieldKind::Message(to) = kind {
            return Some(Field::Message(self.any_message(at, node, to)));
        }
        let Value::Scalar { text, plain } = &node.value else {
            self.fault(node.line, &at.written, format!("{} was expected, not {}", wanted(kind), node.what()));
            return None;
        };
        let value = scalar(text, *plain, kind);
        if value.is_none() {
            let message = format!("{} was expected, not `{}`", wanted(kind), shown(text));
            self.fault(node.line, &at.written, message);
        }
        value
    }
}

/// The one field of a message that has only that, where it is repeated.
pub(crate) fn sole_list(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let mut fields = message.fields();
    let only = fields.next()?;
    (fields.next().is_none() && only.is_list()).then_some(only)
}

fn scalar(text: &str, plain: bool, kind: &FieldKind) -> Option<Field> {
    match kind {
        FieldKind::String => Some(Field::String(text.to_owned())),
        FieldKind::Bool if plain => text.parse().ok().map(Field::Bool),
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => text.parse().ok().map(Field::I32),
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => text.parse().ok().map(Field::I64),
        FieldKind::Uint32 | FieldKind::Fixed32 => text.parse().ok().map(Field::U32),
        FieldKind::Uint64 | FieldKind::Fixed64 => text.parse().ok().map(Field::U64),
        _ => None,
    }
}

fn wanted(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::String => "a text",
        FieldKind::Bool => "true or false",
        FieldKind::Uint32 | FieldKind::Fixed32 => "an integer from 0 to 4294967295",
        FieldKind::Uint64 | FieldKind::Fixed64 => "an integer from 0",
        _ => "an integer",
    }
}
