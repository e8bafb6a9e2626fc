//! `/v1/models`: what the caller may know of, in OpenAI's shape, with our card beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, Response};
use serde::Serialize;

use super::super::body::DoorBody;
use super::super::catalogue::{Listed, Viewer, Viewing};
use super::super::percent_decoded;
use super::{json, plain};
use crate::error::Rejection;
use crate::node::Node;

#[derive(Serialize)]
struct List<'s> {
    object: &'static str,
    data: Vec<Model<'s>>,
}

#[derive(Serialize)]
struct Model<'s> {
    id: &'s str,
    object: &'static str,
    created: u64,
    owned_by: &'s str,
    chancery: Card<'s>,
}

#[derive(Serialize)]
struct Card<'s> {
    aliases: &'s [String],
    display_name: &'s str,
    publisher: &'s str,
    description: &'s str,
    input: &'s [String],
    output: &'s [String],
    operations: Vec<&'static str>,
    capabilities: &'s [String],
    context_window: Option<u64>,
    max_output_tokens: Option<u64>,
    use_cases: &'s [String],
    risk_class: Option<&'s str>,
    licence: Option<&'s str>,
    metrics: &'s BTreeMap<String, String>,
    deprecated_from: Option<String>,
    retired_from: Option<String>,
    available: bool,
    processing_regions: Vec<&'s str>,
    reasons: Vec<String>,
}

/// Lists.
pub(super) fn list(node: &Arc<Node>, headers: &HeaderMap, query: Option<&str>) -> Response<DoorBody> {
    seen(node, headers, query, |viewer| {
        let data = viewer.list().into_iter().map(|row| shape(viewer.look(row)));
        serde_json::to_vec(&List { object: "list", data: data.collect() }).ok()
    })
}

/// Shows one.
pub(super) fn get(
    node: &Arc<Node>,
    headers: &HeaderMap,
    query: Option<&str>,
    name: &str,
) -> Response<DoorBody> {
    let name = percent_decoded(name).unwrap_or_default();
    seen(node, headers, query, |viewer| {
        let row = viewer.find(&name)?;
        serde_json::to_vec(&shape(viewer.look(row))).ok()
    })
}

fn seen(
    node: &Arc<Node>,
    headers: &HeaderMap,
    query: Option<&str>,
    show: impl FnOnce(Viewer<'_>) -> Option<Vec<u8>>,
) -> Response<DoorBody> {
    match Viewing::of(node, headers, query) {
        Err(rejection) => plain(&rejection),
        Ok(viewing) => {
            let shown = show(viewing.viewer());
            shown.map_or_else(|| plain(&Rejection::unknown_model()), json)
        }
    }
}

fn shape(listed: Listed<'_>) -> Model<'_> {
    let Listed { row, allowed, processing_regions, reasons } = listed;
    let card = &*row.card;
    Model {
        id: row.id.name.as_str(),
        object: "model",
        created: 0,
        owned_by: row.id.tenant.as_ref().map_or("chancery", |tenant| tenant.as_str()),
        chancery: Card {
            aliases: &row.aliases,
            display_name: &card.display_name,
            publisher: &card.publisher,
            description: &card.description,
            input: &card.input,
            output: &card.output,
            operations: allowed.iter().map(|(operation, _)| operation.as_str()).collect(),
            capabilities: &card.capabilities,
            context_window: card.context_window.map(|tokens| tokens.0),
            max_output_tokens: card.max_output_tokens.map(|tokens| tokens.0),
            use_cases: &card.use_cases,
            risk_class: card.risk_class.as_deref(),
            licence: row.licence_name.as_ref().map(|name| name.as_str()),
            metrics: &card.metrics,
            deprecated_from: card.deprecated_from.map(|at| at.to_string()),
            retired_from: card.retired_from.map(|at| at.to_string()),
            available: !allowed.is_empty(),
            processing_regions,
            reasons,
        },
    }
}
