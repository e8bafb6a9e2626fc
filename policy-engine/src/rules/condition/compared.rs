//! The texts that a condition compares an attribute with, and where it says them.
//!
//! Law: each is told once, in the order of the text. Absent on purpose: whether the condition compiles.

use std::ops::Range;

use super::ast::{Expression, Relation, Shape};
use super::fault::ConditionError;
use super::parse;

/// The texts that `text` compares the attribute at this path with, by `==`, `!=` or `in`, each with the bytes of `text` that spell it.
/// Fails where the text can't be parsed.
pub fn compared(text: &str, path: &str) -> Result<Vec<(Range<usize>, String)>, ConditionError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    visit(&parse::parse(text)?, path, &mut found);
    found.sort_by_key(|(place, _)| place.start);
    Ok(found)
}

fn visit(expression: &Expression, path: &str, found: &mut Vec<(Range<usize>, String)>) {
    match &expression.shape {
        Shape::Any(parts) | Shape::All(parts) | Shape::List(parts) => {
            parts.iter().for_each(|part| visit(part, path, found));
        }
        Shape::Not(inner) => visit(inner, path, found),
        Shape::Relation(relation, sides) => {
            let (left, right) = sides.as_ref();
            let is_it = |side: &Expression| matches!(&side.shape, Shape::Path(named) if named == path);
            match relation {
                Relation::Equal | Relation::NotEqual if is_it(right) => texts(left, found),
                Relation::Equal | Relation::NotEqual | Relation::In if is_it(left) => texts(right, found),
                _ => {}
            }
            visit(left, path, found);
            visit(right, path, found);
        }
        Shape::Path(_) | Shape::Text(_) | Shape::Integer(_) | Shape::Bool(_) | Shape::Null => {}
    }
}

/// A text, or the texts of a list.
fn texts(expression: &Expression, found: &mut Vec<(Range<usize>, String)>) {
    match &expression.shape {
        Shape::Text(text) => found.push((expression.span.start..expression.span.end, text.clone())),
        Shape::List(parts) => parts.iter().for_each(|part| texts(part, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_the_attribute_is_compared_and_nowhere_else() {
        let text = "caller.principal == 'ada' || ('bob' != caller.principal && caller.team == 'research') \
                    || !(caller.principal in [\"eve\", 'mallory']) || caller.principal == null";
        let found = compared(text, "caller.principal").unwrap();
        let said: Vec<(&str, &str)> =
            found.iter().map(|(place, id)| (&text[place.clone()], id.as_str())).collect();
        assert_eq!(said, [("'ada'", "ada"), ("'bob'", "bob"), ("\"eve\"", "eve"), ("'mallory'", "mallory")]);
        assert!(compared("", "caller.principal").unwrap().is_empty());
        assert!(compared("caller.principal ==", "caller.principal").is_err());
    }
}
