//! What differs between revisions, told for people: a resource, who changed it, and field by field what was and what is.

use serde_json::Value;

use super::field::{list, text};
use crate::output::plain;
use crate::output::table::cell;

/// Tells resources, each with its authors and fields.
pub(super) fn told(resources: &[Value]) -> String {
    resources.iter().map(resource).collect()
}

/// The first that an answer tells, and whether there is more.
pub(super) fn first(answer: &Value) -> String {
    let mut told = told(list(answer, "differences"));
    if answer.get("moreDifferences").and_then(Value::as_bool).unwrap_or_default() {
        told.push_str("and more that is different\n");
    }
    told
}

fn resource(resource: &Value) -> String {
    let mut told = format!("{:<8} {}\n", text(resource, "change"), text(resource, "name"));
    for author in list(resource, "authors") {
        told.push_str(&format!("  {}\n", by(author)));
    }
    if resource.get("moreAuthors").and_then(Value::as_bool).unwrap_or_default() {
        told.push_str("  and earlier ones\n");
    }
    for field in list(resource, "fields") {
        told.push_str(&format!("    {}\n", text(field, "path")));
        for (sign, side) in [("-", "before"), ("+", "after")] {
            let json = field.get(side).and_then(Value::as_str).unwrap_or_default();
            lines(json).iter().for_each(|line| told.push_str(&format!("      {sign} {line}\n")));
        }
    }
    told
}

/// `revisions/12 by platform/root at 2026-01-31T12:00:00Z: why (CHG-7)`.
pub(super) fn by(author: &Value) -> String {
    let field = |name: &str| cell(author.get(name));
    let mut told = format!("{} by {} at {}", field("revision"), field("actor"), field("createTime"));
    let proposer = text(author, "proposer");
    if !proposer.is_empty() {
        told.push_str(&format!(", proposed by {proposer} as {}", text(author, "proposal")));
    }
    let (reason, ticket) = (text(author, "reason"), text(author, "ticket"));
    if !reason.is_empty() {
        told.push_str(&format!(": {reason}"));
    }
    if !ticket.is_empty() {
        told.push_str(&format!(" ({ticket})"));
    }
    told
}

/// A value that came as JSON: nothing, a text line by line, or what it is on one line.
fn lines(json: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(json) {
        Err(_) => Vec::new(),
        Ok(Value::String(text)) if text.contains('\n') => text.lines().map(plain).collect(),
        Ok(_) => vec![value(json)],
    }
}

/// A value that came as JSON, on one line: a text as it is, where it can be nothing else.
pub(super) fn value(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::String(text)) => {
            let is_itself = text.trim() == text && !text.is_empty() && !text.chars().any(char::is_control);
            if is_itself && serde_json::from_str::<Value>(&text).is_err() { text } else { plain(json) }
        }
        _ => plain(json),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_with_who_made_it_and_what_was_and_is() {
        let author = json!({"revision": "revisions/12", "actor": "platform/root", "createTime": "2026-01-31T12:00:00Z",
            "reason": "as the audit asked", "ticket": "CHG-7", "proposer": "platform/ops", "proposal": "proposals/3"});
        let fields = json!([{"path": "spec.mode", "before": "\"shadow\"", "after": "\"enforce\""},
            {"path": "spec.geos[1]", "before": "\"us\""}, {"path": "spec.orUnknown", "after": "true"},
            {"path": "spec.description", "after": "\"one\\ntwo\""}]);
        let changes = json!([{"kind": "Rule", "name": "rules/r", "change": "updated", "authors": [author], "fields": fields}]);
        assert_eq!(
            told(changes.as_array().unwrap()),
            "updated  rules/r\n  revisions/12 by platform/root at 2026-01-31T12:00:00Z, proposed by platform/ops as proposals/3: \
             as the audit asked (CHG-7)\n    spec.mode\n      - shadow\n      + enforce\n    spec.geos[1]\n      - us\n    \
             spec.orUnknown\n      + true\n    spec.description\n      + one\n      + two\n"
        );
    }

    #[test]
    fn a_text_that_could_be_something_else_is_quoted() {
        for (json, shown) in [
            ("\"a b\"", "a b"),
            ("\"true\"", "\"true\""),
            ("\"\"", "\"\""),
            ("\" a\"", "\" a\""),
            ("true", "true"),
            ("[\"EU\",\"UK\"]", "[\"EU\",\"UK\"]"),
            ("\"a\\u001b[2J\"", "\"a\\u001b[2J\""),
        ] {
            assert_eq!(value(json), shown, "{json}");
        }
    }
}
