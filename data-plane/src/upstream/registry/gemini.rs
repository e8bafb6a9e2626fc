//! Google's list: <https://ai.google.dev/api/models#method:-models.list>.

use proto::admin::VendorModel;
use serde_json::{Value, json};

use super::Page;
use super::card::{escaped, flag, has, id, list, prose, text, those, token, tokens};

/// What stands before a model's id in its name.
const BEFORE: &str = "models/";

/// Where a page is: the first, or the one of a token.
pub(super) fn place(after: Option<&str>) -> String {
    let after = after.map(|token| format!("&pageToken={}", escaped(token))).unwrap_or_default();
    format!("/models?pageSize=1000{after}")
}

/// Reads a page. One without models is an object without any field.
pub(super) fn read(page: &Value) -> Option<Page> {
    let is_page = page.as_object().is_some_and(|page| page.get("models").is_none_or(Value::is_array));
    let models = list(page, "/models").iter().map(model).collect::<Option<Vec<_>>>()?;
    is_page.then(|| Page { models, next: token(page, "nextPageToken").map(|token| place(Some(token))) })
}

fn model(entry: &Value) -> Option<VendorModel> {
    let name = entry.get("name")?.as_str()?;
    let can = |method: &str| has(entry, "/supportedGenerationMethods", method);
    let operations = those(&[(can("generateContent"), "chat"), (can("embedContent"), "embed")]);
    Some(VendorModel {
        id: id(Some(&json!(name.strip_prefix(BEFORE).unwrap_or(name))))?,
        display_name: text(entry, &["/displayName"]),
        publisher: "Google".to_owned(),
        description: prose(entry, &["/description"]),
        operations_known: true,
        capabilities: those(&[(flag(entry, "/thinking") == Some(true), "reasoning")]),
        context_window: tokens(entry, &["/inputTokenLimit"]),
        max_output_tokens: match can("generateContent") {
            true => tokens(entry, &["/outputTokenLimit"]),
            false => 0,
        },
        operations,
        ..VendorModel::default()
    })
}
