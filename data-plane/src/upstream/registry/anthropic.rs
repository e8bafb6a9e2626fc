//! Anthropic's list: <https://platform.claude.com/docs/en/api/models-list>.

use proto::admin::VendorModel;
use serde_json::Value;

use super::Page;
use super::card::{escaped, flag, id, list, text, those, token, tokens};

/// Where a page is: the first, or the one after an id.
pub(super) fn place(after: Option<&str>) -> String {
    let after = after.map(|id| format!("&after_id={}", escaped(id))).unwrap_or_default();
    format!("/models?limit=1000{after}")
}

/// Reads a page.
pub(super) fn read(page: &Value) -> Option<Page> {
    page.get("data")?.as_array()?;
    let models = list(page, "/data").iter().map(model).collect::<Option<Vec<_>>>()?;
    let next = match flag(page, "/has_more") {
        // More without a place to go on from would be a list cut short.
        Some(true) => Some(place(Some(token(page, "last_id")?))),
        _ => None,
    };
    Some(Page { models, next })
}

fn model(entry: &Value) -> Option<VendorModel> {
    let able = |what: &str| flag(entry, &format!("/capabilities/{what}/supported")) == Some(true);
    let reads = those(&[(true, "text"), (able("image_input"), "image"), (able("pdf_input"), "file")]);
    Some(VendorModel {
        id: id(entry.get("id"))?,
        display_name: text(entry, &["/display_name"]),
        publisher: "Anthropic".to_owned(),
        input: if entry.get("capabilities").is_some() { reads } else { Vec::new() },
        output: vec!["text".to_owned()],
        operations: vec!["chat".to_owned()],
        operations_known: true,
        capabilities: those(&[(able("structured_outputs"), "jsonSchema"), (able("thinking"), "reasoning")]),
        context_window: tokens(entry, &["/max_input_tokens"]),
        max_output_tokens: tokens(entry, &["/max_tokens"]),
        ..VendorModel::default()
    })
}
