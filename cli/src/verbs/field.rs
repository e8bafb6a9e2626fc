//! Fields of an answer that proto3 JSON leaves out where they are empty, and those that are shown shorter than they are.

use serde_json::Value;

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

/// Tells whoever named no tenant, and got nothing, where there may be some.
pub(super) fn hint(all: &[Value], tenant: Option<&str>, plural: &str) {
    if all.is_empty() && tenant.is_none() {
        output::complain(&format!(
            "the platform has no {plural} of its own; `--tenant -` shows every tenant's"
        ));
    }
}
