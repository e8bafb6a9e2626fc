//! `/v1/quota`: what is left of the limits that count the caller's requests.
//!
//! Law: the integers of spend are nano-units, as everywhere on the wire; beside them stands what a person reads as money.

use std::sync::Arc;

use http::{HeaderMap, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::super::body::DoorBody;
use super::super::catalogue::Viewing;
use super::super::standing::{Counter, counters};
use super::{json, plain};
use crate::error::Rejection;
use crate::node::Node;

#[derive(Serialize)]
struct List<'s> {
    object: &'static str,
    geo: &'s str,
    as_of: String,
    data: Vec<Quota>,
}

#[derive(Serialize)]
struct Quota {
    limit: String,
    model: String,
    measure: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    currency: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    per: String,
    allowed: u64,
    consumed: u64,
    remaining: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    allowed_amount: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    consumed_amount: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remaining_amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_time: Option<String>,
}

impl From<Counter> for Quota {
    fn from(counter: Counter) -> Self {
        Self {
            allowed_amount: counter.amount(counter.allowed),
            consumed_amount: counter.amount(counter.consumed()),
            remaining_amount: counter.amount(counter.remaining),
            consumed: counter.consumed(),
            limit: counter.limit,
            model: counter.model,
            measure: counter.measure,
            currency: counter.currency,
            per: counter.per,
            allowed: counter.allowed,
            remaining: counter.remaining,
            reset_time: counter.reset.map(|at| at.to_string()),
        }
    }
}

/// Shows the counters; `?model=` narrows them to one model.
pub(super) async fn get(node: &Arc<Node>, headers: &HeaderMap, query: Option<&str>) -> Response<DoorBody> {
    let viewing = match Viewing::of(node, headers, query) {
        Ok(viewing) => viewing,
        Err(rejection) => return plain(&rejection),
    };
    let model = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("model=")));
    let Some(counters) = counters(node, viewing.viewer(), model).await else {
        return plain(&Rejection::unknown_model());
    };
    let as_of = Timestamp::from_microsecond(node.clock.now().0).unwrap_or_default().to_string();
    let data = counters.into_iter().map(Quota::from).collect();
    let list = List { object: "list", geo: node.geo.as_str(), as_of, data };
    json(serde_json::to_vec(&list).unwrap_or_default())
}
