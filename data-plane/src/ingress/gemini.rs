//! Gemini's dialect over HTTP.
//!
//! Law: paths are matched as they are written; what is not one of them is a 404 in the dialect's shape, a wrong method a 405. A key is a
//! header, never in the query. Absent on purpose: any path that skips the pipeline. Counting tokens asks nobody, and is our own guess.
//!
//! | path | methods |
//! |---|---|
//! | `/v1beta/models/{model}:generateContent`, `:streamGenerateContent?alt=sse`, `:countTokens`, `:embedContent`, `:batchEmbedContents` | POST |
//! | `/v1beta/models`, `/v1beta/models/{model}` | GET |
//!
//! The same stands below `/v1`; of models there OpenAI's dialect has the same paths, and a request with `x-goog-api-key` means these.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use policy_engine::snapshot::ModelRow;
use policy_engine::vocabulary::Operation;
use proto::code::ErrorCode;
use serde_json::{Value, json};

use super::body::DoorBody;
use super::catalogue::Viewing;
use super::foreign::{self, Inbound, converse, plain};
use crate::dialect::foreign::Foreign;
use crate::dialect::gemini::embed::{self, Asked};
use crate::dialect::gemini::{count, read};
use crate::error::Rejection;
use crate::node::Node;

const DIALECT: Foreign = Foreign::Gemini;

/// The same under each version of the API.
const ROOTS: [&str; 2] = ["/v1beta/models", "/v1/models"];

/// The header in which the dialect's clients show their key.
const KEY: &str = "x-goog-api-key";

/// What somebody is told who asks for what an SDK has and this door has not.
const SERVED: &str = "there is no such path; served are `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent?alt=sse`, \
                      `:countTokens`, `:embedContent`, `:batchEmbedContents` and `GET /v1beta/models`";

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Generate { model: String, stream: bool },
    Count { model: String },
    Embed { model: String, asked: Asked },
    Models,
    Model(String),
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let rest = ROOTS.iter().find_map(|root| path.strip_prefix(root))?;
        let Some(rest) = rest.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return rest.is_empty().then_some(Self::Models);
        };
        let (model, verb) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let model = super::percent_decoded(model).filter(|model| !model.is_empty())?;
        match verb {
            "generateContent" => Some(Self::Generate { model, stream: false }),
            "streamGenerateContent" => Some(Self::Generate { model, stream: true }),
            "countTokens" => Some(Self::Count { model }),
            "embedContent" => Some(Self::Embed { model, asked: Asked::One }),
            "batchEmbedContents" => Some(Self::Embed { model, asked: Asked::Batch }),
            "" => Some(Self::Model(model)),
            _ => None,
        }
    }

    fn allowed(&self) -> &'static str {
        match self {
            Self::Generate { .. } | Self::Count { .. } | Self::Embed { .. } => "POST",
            Self::Models | Self::Model(_) => "GET",
        }
    }
}

/// Whether a request speaks the dialect: by its path, or, where another has the same, by its key's header.
pub(super) fn is_spoken(path: &str, headers: &HeaderMap) -> bool {
    let is_verb = || {
        matches!(Route::of(path), Some(Route::Generate { .. } | Route::Count { .. } | Route::Embed { .. }))
    };
    let is_model = || path.starts_with("/v1/models") && (headers.contains_key(KEY) || is_verb());
    path.starts_with("/v1beta/") || is_model()
}

/// Answers a request.
pub(super) async fn answer(node: &Arc<Node>, request: Request<Incoming>) -> Response<DoorBody> {
    let (parts, body) = request.into_parts();
    let Some(route) = Route::of(parts.uri.path()) else {
        return plain(DIALECT, &Rejection::new(ErrorCode::Unimplemented, SERVED));
    };
    if parts.method.as_str() != route.allowed() {
        let rejection = Rejection::new(ErrorCode::MethodNotAllowed, "the path is there, with other methods");
        let mut response = plain(DIALECT, &rejection);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(route.allowed()));
        return response;
    }
    match route {
        Route::Generate { model, stream } => {
            if stream && !asks_events(&parts) {
                let rejection = Rejection::unsupported("alt", "a stream is told as events: `alt=sse`");
                return plain(DIALECT, &rejection);
            }
            let read = |body: &[u8]| foreign::plainly(read::read(&model, stream, body));
            converse(node, (DIALECT.door(), Inbound::Foreign(DIALECT)), (&parts, body), read).await
        }
        Route::Count { model } => {
            let read = |body: &[u8]| count::read(&model, body);
            let tokens = foreign::count(node, DIALECT, (&parts, body), read).await;
            foreign::told(DIALECT, tokens.map(count::write_answer))
        }
        Route::Embed { model, asked } => {
            let read = |body: &[u8]| embed::read(&model, asked, body);
            let write = |body: &[u8]| embed::write_answer(asked, body);
            foreign::embed(node, DIALECT, (&parts, body), read, write).await
        }
        Route::Models => foreign::told(DIALECT, models(node, &parts, None)),
        Route::Model(name) => foreign::told(DIALECT, models(node, &parts, Some(&name))),
    }
}

fn asks_events(parts: &Parts) -> bool {
    parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"))
}

fn models(node: &Arc<Node>, parts: &Parts, name: Option<&str>) -> Result<Vec<u8>, Rejection> {
    let viewing = Viewing::of(node, &parts.headers, parts.uri.query())?;
    let viewer = viewing.viewer();
    let shown = match name {
        Some(name) => viewer.find(name).map(shape).ok_or_else(Rejection::unknown_model)?,
        None => json!({ "models": viewer.list().into_iter().map(shape).collect::<Vec<_>>() }),
    };
    Ok(shown.to_string().into())
}

fn shape(row: &ModelRow) -> Value {
    let (card, name) = (&row.card, row.id.name.as_str());
    let display = Some(card.display_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(name);
    let mut shape = json!({
        "name": format!("models/{name}"),
        "displayName": display,
        "description": card.description,
        "supportedGenerationMethods": methods(row),
    });
    let limits = [("inputTokenLimit", card.context_window), ("outputTokenLimit", card.max_output_tokens)];
    if let Some(fields) = shape.as_object_mut() {
        fields.extend(
            limits.into_iter().filter_map(|(name, tokens)| Some((name.to_owned(), tokens?.0.into()))),
        );
    }
    shape
}

/// What may be asked of a model, in the dialect's words.
fn methods(row: &ModelRow) -> Vec<&'static str> {
    let of = |operation: &Operation| -> &[&'static str] {
        match operation {
            Operation::Chat => &["generateContent", "countTokens"],
            Operation::Embed => &["embedContent", "batchEmbedContents"],
            _ => &[],
        }
    };
    let served = Operation::ALL.iter().filter(|operation| row.serves(**operation));
    served.flat_map(of).copied().collect()
}
