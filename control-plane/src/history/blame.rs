//! Who set each field of a resource last: its versions one after the other, each field with the revision that made it what it is.
//!
//! Law: a field that stays as it is stays whose it was; what is made anew after a deletion is all of whoever made it. A list that was
//! set at once is told at once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::align::{Step, align, named_by};
use super::diff::{below, member};

/// A field, and the revision that set it.
#[derive(Debug, Clone, PartialEq)]
pub struct Blamed {
    /// Where, such as `spec.when`.
    pub path: String,
    /// What it is.
    pub value: Value,
    /// The revision that set it to that.
    pub revision: i64,
}

/// The revision of everything in a tree.
#[derive(Debug, Clone, PartialEq)]
enum Marks {
    Leaf(i64),
    Members(BTreeMap<String, Marks>),
    List(Vec<Marks>),
}

/// Each field of the last of a resource's versions, oldest first, each with its revision; they follow on one another without a gap.
pub fn blamed(versions: &[(i64, Value)]) -> Vec<Blamed> {
    let mut versions = versions.iter();
    let Some((first, mut value)) = versions.next().map(|(revision, value)| (*revision, value)) else {
        return Vec::new();
    };
    let mut marks = fresh(value, first);
    for (revision, next) in versions {
        marks = carried((value, &marks), next, *revision);
        value = next;
    }
    let mut found = Vec::new();
    told("", value, &marks, &mut found);
    found
}

fn fresh(value: &Value, revision: i64) -> Marks {
    match value {
        Value::Object(members) if !members.is_empty() => {
            Marks::Members(members.iter().map(|(key, value)| (key.clone(), fresh(value, revision))).collect())
        }
        Value::Array(items) if !items.is_empty() => {
            Marks::List(items.iter().map(|item| fresh(item, revision)).collect())
        }
        _ => Marks::Leaf(revision),
    }
}

fn carried((before, marks): (&Value, &Marks), after: &Value, revision: i64) -> Marks {
    if before == after {
        return marks.clone();
    }
    match (before, marks, after) {
        (Value::Object(a), Marks::Members(marks), Value::Object(b)) if !b.is_empty() => {
            let member = |(key, value): (&String, &Value)| {
                let mark = match (a.get(key), marks.get(key)) {
                    (Some(before), Some(mark)) => carried((before, mark), value, revision),
                    _ => fresh(value, revision),
                };
                (key.clone(), mark)
            };
            Marks::Members(b.iter().map(member).collect())
        }
        (Value::Array(a), Marks::List(marks), Value::Array(b)) if !b.is_empty() => {
            let mark = |step: Step| match step {
                Step::Both(i, j) => {
                    let mark = carried((a.get(i)?, marks.get(i)?), b.get(j)?, revision);
                    Some(mark)
                }
                Step::Come(j) => Some(fresh(b.get(j)?, revision)),
                Step::Gone(_) => None,
            };
            Marks::List(align(a, b).into_iter().filter_map(mark).collect())
        }
        _ => fresh(after, revision),
    }
}

fn told(path: &str, value: &Value, marks: &Marks, found: &mut Vec<Blamed>) {
    match (value, marks) {
        (Value::Object(members), Marks::Members(marks)) => {
            for (key, mark) in marks {
                if let Some(value) = members.get(key) {
                    told(&below(path, key), value, mark, found);
                }
            }
        }
        (Value::Array(items), Marks::List(marks)) if at_once(&Marks::List(marks.clone())).is_none() => {
            let field = named_by(items, items);
            for (place, (item, mark)) in items.iter().zip(marks).enumerate() {
                told(&member(path, field, (Some(item), Some(item)), place), item, mark, found);
            }
        }
        (value, marks) => {
            let revision = at_once(marks).unwrap_or_default();
            found.push(Blamed { path: path.to_owned(), value: value.clone(), revision });
        }
    }
}

/// The revision that set all of it; `None` where several did.
fn at_once(marks: &Marks) -> Option<i64> {
    let mut all: Box<dyn Iterator<Item = &Marks>> = match marks {
        Marks::Leaf(revision) => return Some(*revision),
        Marks::Members(members) => Box::new(members.values()),
        Marks::List(items) => Box::new(items.iter()),
    };
    let first = all.next().and_then(at_once)?;
    all.all(|mark| at_once(mark) == Some(first)).then_some(first)
}
