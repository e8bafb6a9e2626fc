//! What goes back: a message, or a refusal in the shape of `google.rpc` errors in JSON (AIP-193).
//!
//! Law: a refusal says over REST what its status says over gRPC, in the same words. No answer may be kept by a cache: one
//! of them holds a secret.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use proto::code::ErrorCode;
use proto::status::{DOMAIN, Refusal};
use serde::Serialize;
use serde_json::{Value, json};

use super::call::REQUEST_ID;

/// The content type of an answer of lines of JSON.
pub(super) const LINES: &str = "application/x-ndjson";

/// An answer of JSON.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>, headers: HeaderMap) -> Response {
    answer(status, (Body::from(body.into()), "application/json"), headers)
}

/// An answer of lines of JSON, as they come.
pub(super) fn lines(lines: Body, headers: HeaderMap) -> Response {
    answer(StatusCode::OK, (lines, LINES), headers)
}

fn answer(status: StatusCode, (body, kind): (Body, &'static str), mut headers: HeaderMap) -> Response {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A refusal, under the id of its request; with the methods that would be allowed, where it was the method.
pub(super) fn refusal(refusal: &Refusal, allowed: Option<HeaderValue>) -> Response {
    let mut headers = HeaderMap::new();
    let mut told =
        |name: HeaderName, value: Option<HeaderValue>| value.map(|value| headers.insert(name, value));
    told(header::ALLOW, allowed);
    told(REQUEST_ID, refusal.request_id.as_ref().and_then(|id| HeaderValue::from_str(id).ok()));
    let wait = refusal.retry_after.map(|wait| wait.as_millis().div_ceil(1000).max(1));
    told(header::RETRY_AFTER, wait.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()));
    let status = refusal.code.row().http;
    if status == StatusCode::UNAUTHORIZED {
        told(header::WWW_AUTHENTICATE, Some(HeaderValue::from_static("Bearer")));
    }
    json(status, body(refusal).unwrap_or_default(), headers)
}

/// The body of a refusal, its fields in the order in which people read them.
#[derive(Serialize)]
struct Told<'a> {
    error: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    status: String,
    message: &'a str,
    details: Vec<Value>,
}

/// A refusal in JSON.
pub(super) fn body(refusal: &Refusal) -> serde_json::Result<Vec<u8>> {
    let (code, status) = (refusal.code.row().http.as_u16(), grpc_name(refusal.code));
    let error = Status { code, status, message: &refusal.message, details: details(refusal) };
    serde_json::to_vec(&Told { error })
}

fn details(refusal: &Refusal) -> Vec<Value> {
    let mut metadata = serde_json::Map::new();
    if let Some(revision) = refusal.revision {
        metadata.insert("revision".to_owned(), revision.to_string().into());
    }
    if let Some(id) = &refusal.request_id {
        metadata.insert("request_id".to_owned(), id.as_str().into());
    }
    let info = json!({ "reason": refusal.code.as_str(), "domain": DOMAIN, "metadata": metadata });
    let mut details = vec![typed("ErrorInfo", info)];
    let mut violations = |name: &str, key: &str, all: Vec<Value>| {
        if !all.is_empty() {
            details.push(typed(name, json!({ (key): all })));
        }
    };
    let reasons = refusal.reasons.iter();
    let reasons = reasons.map(|r| json!({ "type": r.code, "subject": r.source, "description": r.message }));
    violations("PreconditionFailure", "violations", reasons.collect());
    let fields = refusal.fields.iter().map(|w| json!({ "field": w.field, "description": w.message }));
    violations("BadRequest", "fieldViolations", fields.collect());
    let limits = refusal.limits.iter().map(|l| json!({ "subject": l.limit, "description": l.message }));
    violations("QuotaFailure", "violations", limits.collect());
    if let Some(wait) = refusal.retry_after {
        details.push(typed("RetryInfo", json!({ "retryDelay": format!("{}s", wait.as_secs_f64()) })));
    }
    details
}

fn typed(name: &str, mut detail: Value) -> Value {
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("@type".to_owned(), format!("type.googleapis.com/google.rpc.{name}").into());
    }
    detail
}

/// The canonical name of a gRPC code, such as `INVALID_ARGUMENT`.
fn grpc_name(code: ErrorCode) -> String {
    let camel = format!("{:?}", code.row().grpc);
    let mut name = String::new();
    for (at, letter) in camel.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;
    use proto::status::{DenialReason, ReachedLimit, WrongField};

    use super::*;

    #[tokio::test]
    async fn a_refusal_keeps_everything_it_says() {
        let full = Refusal {
            reasons: vec![DenialReason { code: "c".into(), source: "s".into(), message: "m".into() }],
            fields: vec![WrongField { field: "spec.x".into(), message: "is missing".into() }],
            limits: vec![ReachedLimit { limit: "limits/rpm".into(), message: "100 a minute".into() }],
            retry_after: Some(Duration::from_millis(1500)),
            revision: Some(7),
            request_id: Some("req-1".into()),
            ..Refusal::new(ErrorCode::EtagMismatch, "it changed")
        };
        let response = refusal(&full, None);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["x-chancery-request-id"], "req-1");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let error = serde_json::from_slice::<Value>(&bytes).unwrap()["error"].clone();
        assert_eq!((&error["code"], &error["status"]), (&json!(409), &json!("ABORTED")));
        let type_of = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
        assert_eq!(
            error["details"],
            json!([
                {"@type": type_of("ErrorInfo"), "reason": "etag_mismatch", "domain": "chancery",
                 "metadata": {"revision": "7", "request_id": "req-1"}},
                {"@type": type_of("PreconditionFailure"),
                 "violations": [{"type": "c", "subject": "s", "description": "m"}]},
                {"@type": type_of("BadRequest"),
                 "fieldViolations": [{"field": "spec.x", "description": "is missing"}]},
                {"@type": type_of("QuotaFailure"),
                 "violations": [{"subject": "limits/rpm", "description": "100 a minute"}]},
                {"@type": type_of("RetryInfo"), "retryDelay": "1.5s"},
            ])
        );
    }

    #[test]
    fn every_code_has_its_status_and_who_is_unknown_is_told_how_to_be_known() {
        for code in ErrorCode::ALL {
            let response = refusal(&Refusal::new(*code, "no"), None);
            assert_eq!(response.status(), code.row().http);
            let bearer = response.headers().contains_key("www-authenticate");
            assert_eq!(bearer, response.status() == 401, "{code}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
        assert_eq!(grpc_name(ErrorCode::NotFound), "NOT_FOUND");
        assert_eq!(grpc_name(ErrorCode::Internal), "INTERNAL");
    }
}
