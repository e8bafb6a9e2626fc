//! The admin API over REST: every RPC of `chancery.admin.v1`, by the naming convention, in proto3 JSON.
//!
//! Law: nothing is decided here. A request becomes the message of its RPC, the same service answers it in this process,
//! with the same authentication and authorisation, and its answer or its refusal becomes JSON.
//! An answer that tells faults is 400, with the same body: nothing was done, and a script must see that by the status alone.
//! An RPC that answers bit by bit answers in lines of JSON.
//! Absent on purpose: anything about a single kind; the definitions say it all.

mod answer;
mod bind;
mod body;
mod call;
mod compose;
mod json;
mod lines;
mod openapi;
mod path;
mod query;
mod render;
mod route;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::service::Routes;

use call::REQUEST_ID;
use compose::Given;
use path::Path;

pub use openapi::document;
pub use route::{Route, Template, routes};

/// Headers that make a change depend on what is there (RFC 9110, 13.1). Who sends one relies on it.
const CONDITIONS: [HeaderName; 4] = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];

/// The field of an answer that tells why nothing was done.
const FAULTS: &str = "faults";

/// What REST is made of: the services it calls, and who knows callers by their headers.
#[derive(Clone)]
struct Rest {
    services: axum::Router,
    known: Known,
}

/// Refuses callers whom their headers do not make known.
type Known = Arc<dyn Fn(&HeaderMap) -> Result<(), Refusal> + Send + Sync>;

/// `/v1/...` over these services, and `/openapi.json`. Who is not `known` is refused before anything of a body is kept; the
/// services would say the same.
pub fn router(
    services: Routes,
    known: impl Fn(&HeaderMap) -> Result<(), Refusal> + Send + Sync + 'static,
) -> axum::Router {
    let services = services.prepare().into_axum_router();
    axum::Router::new()
        .route("/v1", any(serve))
        .route("/v1/", any(serve))
        .route("/v1/{*rest}", any(serve))
        .with_state(Rest { services, known: Arc::new(known) })
        .route("/openapi.json", any(describe))
}

/// The answer for every path that nothing else answers: 404 in the shape of the admin API.
pub async fn unknown(request: Request) -> Response {
    let id = request_id(request.headers());
    answer::refusal(&Refusal { request_id: Some(id), ..nowhere() }, None)
}

async fn describe(request: Request) -> Response {
    match *request.method() {
        Method::GET => answer::json(StatusCode::OK, document(), HeaderMap::new()),
        Method::HEAD => bodiless(answer::json(StatusCode::OK, document(), HeaderMap::new())),
        _ => answer::refusal(&wrong_method(), Some(HeaderValue::from_static("GET, HEAD"))),
    }
}

async fn serve(State(rest): State<Rest>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    if let Ok(value) = HeaderValue::from_str(&id) {
        parts.headers.insert(REQUEST_ID, value);
    }
    let head = parts.method == Method::HEAD;
    let found = find(&parts).and_then(|found| rest.admits(&parts).map(|()| found).map_err(refused));
    let response = match found {
        Ok((route, path)) => exchange(rest.services, (route, &path), &parts, body).await,
        Err(refused) => {
            body::discard(&parts.headers, body).await;
            Err(refused)
        }
    };
    let response = response.unwrap_or_else(|(refusal, allowed)| {
        let request_id = refusal.request_id.clone().or(Some(id));
        answer::refusal(&Refusal { request_id, ..*refusal }, allowed)
    });
    if head { bodiless(response) } else { response }
}

impl Rest {
    /// Refuses whom nobody knows, and a condition that nobody would check.
    fn admits(&self, parts: &Parts) -> Result<(), Refusal> {
        (self.known)(&parts.headers)?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        match CONDITIONS.iter().find(|name| !reads && parts.headers.contains_key(*name)) {
            None => Ok(()),
            Some(name) => Err(Refusal::field(
                name.as_str(),
                "is not read: give the `etag` that was read, in the resource or as a parameter",
            )),
        }
    }
}

/// A refusal, and the methods that would be allowed where it was the method.
type Refused = (Box<Refusal>, Option<HeaderValue>);

fn refused(refusal: Refusal) -> Refused {
    (Box::new(refusal), None)
}

/// The route of a request; its path is read first, so that a doubtful one is refused whatever the method.
fn find(parts: &Parts) -> Result<(&'static Route, Path), Refused> {
    let Some(rest) = parts.uri.path().strip_prefix("/v1/").filter(|rest| !rest.is_empty()) else {
        return Err(refused(nowhere()));
    };
    let path = path::parse(rest).map_err(refused)?;
    let here: Vec<&Route> =
        routes().iter().filter(|route| route.templates.iter().any(|template| template.fits(&path))).collect();
    let verb = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    match here.iter().find(|route| route.verb == *verb) {
        Some(route) => Ok((*route, path)),
        None if here.is_empty() => Err(refused(nowhere())),
        None => {
            let head = here.iter().any(|route| route.verb == Method::GET).then_some("HEAD");
            let allowed: Vec<&str> = here.iter().map(|route| route.verb.as_str()).chain(head).collect();
            Err((Box::new(wrong_method()), HeaderValue::from_str(&allowed.join(", ")).ok()))
        }
    }
}

async fn exchange(
    services: axum::Router,
    (route, path): (&'static Route, &Path),
    parts: &Parts,
    body: Body,
) -> Result<Response, Refused> {
    let body = body::read(&parts.headers, body).await.map_err(refused)?;
    let given = Given { path, query: parts.uri.query().unwrap_or_default(), body: &body };
    let message = compose::compose(route, &given).map_err(refused)?.encode_to_vec();
    if route.rpc.is_server_streaming() {
        return lines::answered(services, route, parts, &message).await.map_err(refused);
    }
    let answer = call::call(services, &route.rpc(), parts, &message).await.map_err(refused)?;
    let (status, body) = written(route, answer.message).map_err(refused)?;
    Ok(answer::json(status, body, answer.headers))
}

/// An answer as JSON, and whether it says that what was asked was done.
fn written(route: &Route, message: Bytes) -> Result<(StatusCode, Vec<u8>), Refusal> {
    let decoded = DynamicMessage::decode(route.rpc.output(), message);
    let written = decoded.map_err(|error| error.to_string()).and_then(|message| {
        let body = render::json(&message).map_err(|error| error.to_string())?;
        Ok((status(&message), body))
    });
    written.map_err(|error| {
        tracing::error!(error, "an answer can't be written as JSON");
        Refusal::new(ErrorCode::Internal, "the answer could not be written")
    })
}

/// Whether what was asked was done.
fn status(answer: &DynamicMessage) -> StatusCode {
    let faults = answer.get_field_by_name(FAULTS);
    let any = faults.is_some_and(|faults| faults.as_list().is_some_and(|faults| !faults.is_empty()));
    if any { StatusCode::BAD_REQUEST } else { StatusCode::OK }
}

/// The id a caller gave, where it is one that may stand in a log; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    given.filter(fits).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

fn nowhere() -> Refusal {
    Refusal::new(ErrorCode::Unimplemented, "there is no such path; see `/openapi.json`")
}

fn wrong_method() -> Refusal {
    Refusal::new(ErrorCode::MethodNotAllowed, "the path has other methods")
}

/// The answer to HEAD: the head of the answer to GET.
fn bodiless(response: Response) -> Response {
    use axum::body::HttpBody as _;
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}

#[cfg(test)]
mod tests;
