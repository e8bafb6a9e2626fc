//! Cohere's list: <https://docs.cohere.com/reference/list-models>.
//!
//! Law: of what can be asked of a model there, only what the adapter asks is told.

use proto::admin::VendorModel;
use serde_json::Value;

use super::Page;
use super::card::{escaped, flag, has, id, list, those, token, tokens};

/// Where a page is: the first, or the one of a token.
pub(super) fn place(after: Option<&str>) -> String {
    let after = after.map(|token| format!("&page_token={}", escaped(token))).unwrap_or_default();
    format!("/models?page_size=1000{after}")
}

/// Reads a page.
pub(super) fn read(page: &Value) -> Option<Page> {
    page.get("models")?.as_array()?;
    let models = list(page, "/models").iter().map(model).collect::<Option<Vec<_>>>()?;
    Some(Page { models, next: token(page, "next_page_token").map(|token| place(Some(token))) })
}

fn model(entry: &Value) -> Option<VendorModel> {
    let serves = |endpoint: &str| has(entry, "/endpoints", endpoint);
    let able = |feature: &str| has(entry, "/features", feature);
    Some(VendorModel {
        id: id(entry.get("name"))?,
        publisher: "Cohere".to_owned(),
        input: match able("vision") {
            true => vec!["text".to_owned(), "image".to_owned()],
            false => Vec::new(),
        },
        operations: those(&[
            (serves("chat"), "chat"),
            (serves("embed"), "embed"),
            (serves("rerank"), "rerank"),
        ]),
        operations_known: true,
        capabilities: those(&[
            (able("tools"), "tools"),
            (able("json_schema"), "jsonSchema"),
            (able("reasoning"), "reasoning"),
        ]),
        context_window: tokens(entry, &["/context_length"]),
        deprecated: flag(entry, "/is_deprecated") == Some(true),
        ..VendorModel::default()
    })
}
