//! A message written as the YAML that binds back to it, with the same sugar, in the order of its fields.
//!
//! Law: `bind(render(m)) == m`. Absent on purpose: comments and the author's formatting; the store keeps neither.

use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _, Value};

use super::bind::sole_list;

/// Writes the fields of a message as a block mapping, each line indented by `indent` blanks.
pub(crate) fn fields(out: &mut String, indent: usize, message: &DynamicMessage) {
    let mut set: Vec<(FieldDescriptor, &Value)> = message.fields().collect();
    set.sort_by_key(|(field, _)| field.number());
    for (field, value) in set {
        pad(out, indent);
        out.push_str(field.json_name());
        out.push(':');
        after(out, indent, value);
    }
}

/// Writes ` key: value` pairs of texts as a block mapping.
pub(crate) fn texts<'a>(out: &mut String, indent: usize, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (key, value) in pairs {
        pad(out, indent);
        let _infallible = writeln!(out, "{}: {}", text(key), text(value));
    }
}

/// What follows a key's colon or stands in a list.
fn after(out: &mut String, indent: usize, value: &Value) {
    match value {
        Value::Message(message) => match sole_list(&message.descriptor()) {
            Some(list) => after(out, indent, &message.get_field(&list)),
            None if message.fields().next().is_none() => out.push_str(" {}\n"),
            None => {
                out.push('\n');
                fields(out, indent + 2, message);
            }
        },
        Value::List(items) if items.iter().any(|i| matches!(i, Value::Message(_))) => {
            out.push('\n');
            items.iter().for_each(|item| item_of(out, indent + 2, item));
        }
        Value::List(items) => {
            let all: Vec<String> = items.iter().map(flow).collect();
            let _infallible = writeln!(out, " [{}]", all.join(", "));
        }
        Value::Map(map) => {
            let mut pairs: Vec<(String, String)> = map.iter().map(|(k, v)| (key(k), flow(v))).collect();
            pairs.sort();
            out.push('\n');
            for (key, value) in pairs {
                pad(out, indent + 2);
                let _infallible = writeln!(out, "{key}: {value}");
            }
        }
        scalar => {
            let _infallible = writeln!(out, " {}", flow(scalar));
        }
    }
}

fn item_of(out: &mut String, indent: usize, item: &Value) {
    pad(out, indent);
    let _infallible = writeln!(out, "- {}", flow(item));
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Message(message) => match sole_list(&message.descriptor()) {
            Some(list) => flow(&message.get_field(&list)),
            None => {
                let mut set: Vec<(FieldDescriptor, &Value)> = message.fields().collect();
                set.sort_by_key(|(field, _)| field.number());
                let all: Vec<String> = set
                    .iter()
                    .map(|(field, value)| format!("{}: {}", field.json_name(), flow(value)))
                    .collect();
                format!("{{{}}}", all.join(", "))
            }
        },
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let mut all: Vec<String> = map.iter().map(|(k, v)| format!("{}: {}", key(k), flow(v))).collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        Value::Bool(b) => b.to_string(),
        Value::I32(n) => n.to_string(),
        Value::I64(n) => n.to_string(),
        Value::U32(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::String(s) => text(s),
        other => format!("{other:?}"),
    }
}

fn key(key: &MapKey) -> String {
    match key {
        MapKey::String(s) => text(s),
        other => format!("{other:?}"),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A text as a YAML scalar: plain where every reader takes it for a text, else in double quotes.
pub(crate) fn text(text: &str) -> String {
    const TAKEN: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let word = |c: char| c.is_ascii_alphanumeric() || "_./@+~-".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| word(c) || c == ' ')
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
