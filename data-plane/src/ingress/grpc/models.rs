//! Models and counters as messages of `chancery.inference.v1`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use policy_engine::vocabulary::{Instant, Tokens};
use prost_types::Timestamp;
use proto::inference::{
    Availability, GetQuotaResponse, ListModelsRequest, ListModelsResponse, Model, ModelCard, Quota,
};
use tonic::Status;

use super::super::catalogue::{Listed, Viewer};
use super::super::standing::Counter;
use super::status;
use crate::error::Rejection;

/// Models on a page where the caller does not say.
const PAGE: usize = 100;
/// Models on a page at most.
const MOST: usize = 1000;

/// A page of what a viewer may know of. A token is the name the page begins after.
pub(super) fn list(
    viewer: Viewer<'_>,
    geo: &str,
    request: &ListModelsRequest,
) -> Result<ListModelsResponse, Status> {
    let wrong = |field: &str, line: &str| status(&Rejection::field(field, line));
    let size = match usize::try_from(request.page_size) {
        Err(_) => return Err(wrong("page_size", "must not be negative")),
        Ok(0) => PAGE,
        Ok(size) => size.min(MOST),
    };
    let after =
        BASE64_URL_SAFE_NO_PAD.decode(&request.page_token).ok().and_then(|name| String::from_utf8(name).ok());
    let after = after.ok_or_else(|| wrong("page_token", "is not one this call has given"))?;
    let mut rows = viewer.list().into_iter().filter(|row| row.id.name.as_str() > after.as_str());
    let page: Vec<_> = rows.by_ref().take(size).collect();
    let more = rows.next().and(page.last()).map(|last| BASE64_URL_SAFE_NO_PAD.encode(last.id.name.as_str()));
    Ok(ListModelsResponse {
        models: page.into_iter().map(|row| model(viewer.look(row), geo)).collect(),
        next_page_token: more.unwrap_or_default(),
    })
}

/// One model.
pub(super) fn model(listed: Listed<'_>, geo: &str) -> Model {
    let Listed { row, allowed, processing_regions, reasons } = listed;
    let card = &row.card;
    let tokens =
        |tokens: Option<Tokens>| tokens.map_or(0, |tokens| u32::try_from(tokens.0).unwrap_or(u32::MAX));
    Model {
        name: row.id.name.to_string(),
        aliases: row.aliases.clone(),
        card: Some(ModelCard {
            display_name: card.display_name.clone(),
            publisher: card.publisher.clone(),
            description: card.description.clone(),
            input: card.input.clone(),
            output: card.output.clone(),
            operations: card.operations.iter().map(ToString::to_string).collect(),
            capabilities: card.capabilities.clone(),
            context_window: tokens(card.context_window),
            max_output_tokens: tokens(card.max_output_tokens),
            use_cases: card.use_cases.clone(),
            risk_class: card.risk_class.clone().unwrap_or_default(),
            licence: row.licence_name.as_ref().map(ToString::to_string).unwrap_or_default(),
            metrics: card.metrics.clone().into_iter().collect(),
            deprecated_from: card.deprecated_from.map(|at| at.to_string()).unwrap_or_default(),
            retired_from: card.retired_from.map(|at| at.to_string()).unwrap_or_default(),
        }),
        availability: Some(Availability {
            geo: geo.to_owned(),
            available: !allowed.is_empty(),
            operations: allowed.iter().map(|(operation, _)| operation.to_string()).collect(),
            processing_regions: processing_regions.into_iter().map(str::to_owned).collect(),
            reasons,
        }),
    }
}

/// The counters.
pub(super) fn quota(counters: Vec<Counter>, geo: &str, now: Instant) -> GetQuotaResponse {
    let quotas = counters.into_iter().map(|counter| Quota {
        allowed_amount: counter.amount(counter.allowed),
        consumed_amount: counter.amount(counter.consumed()),
        remaining_amount: counter.amount(counter.remaining),
        consumed: counter.consumed(),
        limit: counter.limit,
        model: counter.model,
        measure: counter.measure.to_owned(),
        currency: counter.currency,
        per: counter.per,
        allowed: counter.allowed,
        remaining: counter.remaining,
        reset_time: counter.reset.map(|at| timestamp(at.as_microsecond())),
    });
    GetQuotaResponse { geo: geo.to_owned(), as_of: Some(timestamp(now.0)), quotas: quotas.collect() }
}

fn timestamp(micros: i64) -> Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0).saturating_mul(1000);
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}
