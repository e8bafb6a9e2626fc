//! The admin API over REST: every RPC of `chancery.admin.v1`, by the naming convention, in proto3 JSON.
//!
//! Law: nothing is decided here. A request becomes the message of its RPC, the same service answers it in this process,
//! with the same authentication and authorisation, and its answer or its refusal becomes JSON.
//! Absent on purpose: anything about a single kind; the definitions say it all.

mod answer;
mod bind;
mod call;
mod compose;
mod json;
mod openapi;
mod path;
mod query;
mod render;
mod route;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::service::Routes;

use call::{CREDENTIALS, REQUEST_ID};
use compose::Given;
use path::Path;

pub use openapi::document;
pub use route::{Route, Template, routes};

/// Bytes of a body at most: a directory of declarative files is one.
const MAX_BODY: usize = 32 << 20;

/// `/v1/...` over these services, and `/openapi.json`.
pub fn router(services: Routes) -> axum::Router {
    let services = services.prepare().into_axum_router();
    axum::Router::new()
        .route("/v1", any(serve))
        .route("/v1/", any(serve))
        .route("/v1/{*rest}", any(serve))
        .with_state(services)
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

async fn serve(State(services): State<axum::Router>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    if let Ok(value) = HeaderValue::from_str(&id) {
        parts.headers.insert(REQUEST_ID, value);
    }
    let head = parts.method == Method::HEAD;
    let response = match find(&parts) {
        Ok((route, path)) => exchange(services, (route, &path), &parts, body).await,
        Err((refusal, allowed)) => Err((refusal, allowed)),
    };
    let response = response.unwrap_or_else(|(refusal, allowed)| {
        let request_id = refusal.request_id.clone().or(Some(id));
        answer::refusal(&Refusal { request_id, ..*refusal }, allowed)
    });
    if head { bodiless(response) } else { response }
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
    (route, path): (&Route, &Path),
    parts: &Parts,
    body: Body,
) -> Result<Response, Refused> {
    // Said before anything is read of a stranger; the services would say the same.
    if !CREDENTIALS.iter().any(|name| parts.headers.contains_key(name)) {
        let message = "an admin token or API key is needed as a bearer token";
        return Err(refused(Refusal::new(ErrorCode::MissingApiKey, message)));
    }
    let body = read(&parts.headers, body).await.map_err(refused)?;
    let given = Given { path, query: parts.uri.query().unwrap_or_default(), body: &body };
    let message = compose::compose(route, &given).map_err(refused)?.encode_to_vec();
    let answer = call::call(services, &route.rpc(), &parts.headers, &message).await.map_err(refused)?;
    let decoded = DynamicMessage::decode(route.rpc.output(), answer.message);
    let written = decoded.map_err(|error| error.to_string());
    let written = written.and_then(|message| render::json(&message).map_err(|error| error.to_string()));
    match written {
        Ok(body) => Ok(answer::json(StatusCode::OK, body, answer.headers)),
        Err(error) => {
            tracing::error!(error, "an answer can't be written as JSON");
            Err(refused(Refusal::new(ErrorCode::Internal, "the answer could not be written")))
        }
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let too_large =
        || Refusal::new(ErrorCode::PayloadTooLarge, format!("the body is larger than {MAX_BODY} bytes"));
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    let read = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { too_large() } else { Refusal::field("", "the body broke off") }
    })?;
    let body = read.to_bytes();
    if !body.is_empty() && !is_json(headers) {
        return Err(Refusal::new(
            ErrorCode::UnsupportedMediaType,
            "a body is read as plain `application/json` only",
        ));
    }
    Ok(body)
}

fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let is_json = |value: &HeaderValue| {
        let essence = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        Some(
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json")),
        )
    };
    plain && headers.get(CONTENT_TYPE).is_none_or(|value| is_json(value).unwrap_or(false))
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
