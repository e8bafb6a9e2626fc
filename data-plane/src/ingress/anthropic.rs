//! Anthropic's dialect over HTTP.
//!
//! Law: paths are matched as they are written; what is not one of them is a 404 in the dialect's shape, a wrong method a 405. Absent on
//! purpose: any path that skips the pipeline. Counting tokens asks nobody, and is our own guess.
//!
//! | path | methods |
//! |---|---|
//! | `/v1/messages`, `/v1/messages/count_tokens` | POST |
//! | `/v1/models`, `/v1/models/{model}`, of a request with `anthropic-version` | GET |

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use proto::code::ErrorCode;
use serde_json::{Value, json};

use super::body::DoorBody;
use super::catalogue::{Viewer, Viewing};
use super::foreign::{self, Inbound, converse, plain};
use crate::dialect::anthropic::{beta, read};
use crate::dialect::foreign::Foreign;
use crate::error::Rejection;
use crate::node::Node;
use policy_engine::snapshot::ModelRow;

/// The header that each of the dialect's requests has.
pub(super) const VERSION: &str = "anthropic-version";

const DIALECT: Foreign = Foreign::Anthropic;

/// What somebody is told who asks for what an SDK has and this door has not.
const SERVED: &str = "there is no such path; served are `POST /v1/messages`, `POST /v1/messages/count_tokens` and `GET /v1/models`";

/// Whether a request speaks the dialect.
pub(super) fn is_spoken(path: &str, headers: &HeaderMap) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/v1/messages") || below("/v1/models") && headers.contains_key(VERSION)
}

/// Answers a request.
pub(super) async fn answer(node: &Arc<Node>, request: Request<Incoming>) -> Response<DoorBody> {
    let (parts, body) = request.into_parts();
    let allowed = match parts.uri.path() {
        "/v1/messages" | "/v1/messages/count_tokens" => Method::POST,
        path if path.starts_with("/v1/models") => Method::GET,
        _ => return plain(DIALECT, &Rejection::new(ErrorCode::Unimplemented, SERVED)),
    };
    if parts.method != allowed {
        let rejection = Rejection::new(ErrorCode::MethodNotAllowed, "the path is there, with other methods");
        let mut response = plain(DIALECT, &rejection);
        let allowed = if allowed == Method::GET { "GET" } else { "POST" };
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    match parts.uri.path() {
        "/v1/messages" => {
            let read = |body: &[u8]| {
                let asked = |mut chat| beta::read(&parts.headers, &mut chat).map(|()| chat);
                foreign::plainly(read::read(body).and_then(asked))
            };
            converse(node, (DIALECT.door(), Inbound::Foreign(DIALECT)), (&parts, body), read).await
        }
        "/v1/messages/count_tokens" => {
            let tokens = foreign::count(node, DIALECT, (&parts, body), read::counted).await;
            foreign::told(DIALECT, tokens.map(|tokens| json!({ "input_tokens": tokens }).to_string().into()))
        }
        path => foreign::told(DIALECT, models(node, &parts, path.strip_prefix("/v1/models/"))),
    }
}

fn models(node: &Arc<Node>, parts: &Parts, name: Option<&str>) -> Result<Vec<u8>, Rejection> {
    let viewing = Viewing::of(node, &parts.headers, parts.uri.query())?;
    let viewer: Viewer<'_> = viewing.viewer();
    if let Some(name) = name {
        let name = super::percent_decoded(name).unwrap_or_default();
        let row = viewer.find(&name).ok_or_else(Rejection::unknown_model)?;
        return Ok(shape(row).to_string().into());
    }
    let rows = viewer.list();
    let id = |row: Option<&&ModelRow>| row.map(|row| row.id.name.to_string());
    Ok(json!({
        "data": rows.iter().map(|row| shape(row)).collect::<Vec<_>>(),
        "first_id": id(rows.first()),
        "last_id": id(rows.last()),
        "has_more": false,
    })
    .to_string()
    .into())
}

/// When a model came is not known: the dialect's example of that is the beginning of Unix time.
fn shape(row: &ModelRow) -> Value {
    let name = row.id.name.as_str();
    let display = Some(row.card.display_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(name);
    json!({ "type": "model", "id": name, "display_name": display, "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active" })
}
