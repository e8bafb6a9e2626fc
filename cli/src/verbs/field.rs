//! Fields of an answer that proto3 JSON leaves out where they are empty, and those that are shown shorter than they are.

use serde_json::Value;

use super::Shown;
use crate::output;
use crate::output::plain;
use crate::output::table::cell;

/// The items of a list; none where it is left out.
pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text, fit for a terminal; empty where it is left out.
pub(super) fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).map(plain).unwrap_or_default()
}

/// The call of an act without the package, such as `TeamsService/CreateTeam`.
pub(super) fn call(value: &Value, field: &str) -> String {
    let whole = cell(value.get(field));
    whole.rsplit('.').next().unwrap_or(&whole).to_owned()
}

/// Tells what an answer warns of, where errors are not JSON: there it is in the answer.
pub(super) fn warned(answer: &Value, shown: Shown) {
    for warning in list(answer, "warnings") {
        let line = warning.as_str().map_or_else(|| placed(warning), plain);
        shown.lead(&format!("warning: {line}"));
    }
}

/// A fault or a warning as `file:line: field: message`, without what is not known.
fn placed(fault: &Value) -> String {
    let (at, message) = fault_of(fault);
    if at.is_empty() { message } else { format!("{at}: {message}") }
}

/// A fault as `file:line` and `field: message`, without what is not known.
pub(super) fn fault_of(fault: &Value) -> (String, String) {
    // What no file declares has no place, only a name.
    let mut at =
        Some(text(fault, "path")).filter(|path| !path.is_empty()).unwrap_or_else(|| text(fault, "name"));
    if let Some(line) = fault.get("line").and_then(Value::as_u64).filter(|line| *line > 0) {
        at.push_str(&format!(":{line}"));
    }
    let message = text(fault, "message");
    match text(fault, "field") {
        field if field.is_empty() => (at, message),
        field => (at, format!("{field}: {message}")),
    }
}

/// Tells people that there is more than the newest so many that they asked for.
pub(super) fn unlisted(answer: &Value, (listed, most): (&[Value], u16), shown: Shown) {
    if listed.len() >= usize::from(most) && !text(answer, "nextPageToken").is_empty() {
        shown.lead(&format!("there are more than the newest {most}: --limit N lists as many, up to 1000"));
    }
}

/// Tells people that a list is empty because of what was asked for, which may be misspelt.
pub(super) fn unmatched(all: &[Value], filter: &[(&str, String)], shown: Shown) {
    if all.is_empty() && !filter.is_empty() {
        let asked: Vec<String> =
            filter.iter().map(|(name, value)| format!("{name} `{}`", plain(value))).collect();
        shown.lead(&format!("nothing matches {}", asked.join(", ")));
    }
}

/// Tells whoever named no tenant, and got nothing, where there may be some.
pub(super) fn hint(all: &[Value], tenant: Option<&str>, plural: &str) {
    if all.is_empty() && tenant.is_none() {
        output::complain(&format!(
            "the platform has no {plural} of its own; `--tenant -` shows every tenant's"
        ));
    }
}
