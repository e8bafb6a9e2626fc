//! What differs between two versions of a resource, field by field.
//!
//! Law: applied to the first, what is told gives the second: what went is taken out, what changed is put in its place, what came is put
//! where it stands in the second. What is there on one side only is told leaf by leaf, a list as a whole.

use serde_json::{Map, Value};

use super::align::{Step, align, is_plain, named_by};

/// A field that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Differing {
    /// Where, such as `spec.route.groups[0][endpoint=gpt-4o-eu].weight`.
    pub path: String,
    /// What it was; `None`: it was not there.
    pub before: Option<Value>,
    /// What it is; `None`: it is not there.
    pub after: Option<Value>,
}

/// Every field that is not the same, in the order of paths.
pub fn differing(before: Option<&Value>, after: Option<&Value>) -> Vec<Differing> {
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

fn walk(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Differing>) {
    let none = Map::new();
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) if !a.is_empty() && !b.is_empty() => {
            members(path, a, b, found);
        }
        (Some(Value::Object(a)), None) if !a.is_empty() => members(path, a, &none, found),
        (None, Some(Value::Object(b))) if !b.is_empty() => members(path, &none, b, found),
        (Some(Value::Array(a)), Some(Value::Array(b))) if !a.is_empty() && !b.is_empty() => {
            list(path, a, b, found);
        }
        (before, after) => {
            found.push(Differing { path: path.to_owned(), before: before.cloned(), after: after.cloned() })
        }
    }
}

fn members(path: &str, a: &Map<String, Value>, b: &Map<String, Value>, found: &mut Vec<Differing>) {
    let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    keys.sort();
    for key in keys {
        walk(&below(path, key), a.get(key), b.get(key), found);
    }
}

fn list(path: &str, a: &[Value], b: &[Value], found: &mut Vec<Differing>) {
    let field = named_by(a, b);
    for step in align(a, b) {
        match step {
            Step::Both(i, j) => {
                walk(&member(path, field, (a.get(i), b.get(j)), i), a.get(i), b.get(j), found)
            }
            Step::Gone(i) => walk_whole(&format!("{path}[{i}]"), a.get(i), None, found),
            Step::Come(j) => walk_whole(&format!("{path}[{j}]"), None, b.get(j), found),
        }
    }
}

/// A member that is on one side only is told as a whole: what is left of it would be a member too.
fn walk_whole(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Differing>) {
    found.push(Differing { path: path.to_owned(), before: before.cloned(), after: after.cloned() });
}

/// The path of a field of a message, or of a key of a map.
pub(super) fn below(path: &str, key: &str) -> String {
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path, is_word) {
        ("", true) => key.to_owned(),
        (path, true) => format!("{path}.{key}"),
        (path, false) => format!("{path}[{}]", Value::from(key)),
    }
}

/// The path of a member of two lists: by its name where that is the same in both, else by its place.
pub(super) fn member(
    path: &str,
    field: Option<&str>,
    (a, b): (Option<&Value>, Option<&Value>),
    place: usize,
) -> String {
    let name = |member: Option<&Value>| member?.get(field?)?.as_str().map(str::to_owned);
    match (field, name(a), name(b)) {
        (Some(field), Some(one), Some(other)) if one == other && is_plain(&one) => {
            format!("{path}[{field}={one}]")
        }
        _ => format!("{path}[{place}]"),
    }
}
