//! What every reply tells beside its body, as headers or as gRPC metadata: the same names and the same values.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use proto::code::Retry;

use crate::error::Rejection;
use crate::node::Node;
use crate::pipeline::{Head, Rate};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-chancery-request-id");
/// The same id under the name the SDKs look for.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const REVISION: HeaderName = HeaderName::from_static("x-chancery-revision");
const GEO: HeaderName = HeaderName::from_static("x-chancery-geo");
const ENDPOINT: HeaderName = HeaderName::from_static("x-chancery-endpoint");
const NOTICE: HeaderName = HeaderName::from_static("x-chancery-notice");

const LEFT_OUT: HeaderName = HeaderName::from_static("x-chancery-left-out");

/// RFC 9745 and RFC 8594.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Every name that is told, for copying them to where a protocol has a second place.
pub(super) fn is_told(name: &HeaderName) -> bool {
    if [DEPRECATION, SUNSET].contains(name) {
        return true;
    }
    let name = name.as_str();
    name.starts_with("x-chancery-") || name.starts_with("x-ratelimit-") || name == X_REQUEST_ID.as_str()
}

/// Puts what every answer tells on one that no pipeline made: an id, under both of its names, the geo and the revision.
pub(super) fn complete(node: &Node, out: &mut HeaderMap) {
    if !out.contains_key(REQUEST_ID) {
        write(Head::unasked(node), out);
    }
    if let Some(id) = out.get(REQUEST_ID).cloned() {
        out.insert(X_REQUEST_ID, id);
    }
}

/// Writes a head.
pub(super) fn write(head: Head, out: &mut HeaderMap) {
    out.insert(REQUEST_ID, head.request_id);
    out.insert(GEO, head.geo);
    if let Some(revision) = head.revision {
        out.insert(REVISION, revision);
    }
    if let Some(endpoint) = head.endpoint {
        out.insert(ENDPOINT, endpoint);
    }
    for field in head.left_out {
        out.append(LEFT_OUT, field);
    }
    for notice in head.notices {
        out.append(NOTICE, notice);
    }
    out.extend(head.ending.deprecation.map(|at| (DEPRECATION, at)));
    out.extend(head.ending.sunset.map(|at| (SUNSET, at)));
    write_rate(REQUESTS, head.requests, out);
    write_rate(TOKENS, head.tokens, out);
}

/// Writes whether the same request may pass later, which the SDKs heed before they look at the status.
pub(super) fn write_retry(rejection: &Rejection, out: &mut HeaderMap) {
    let may_pass = match rejection.code().row().retry {
        Retry::Never => false,
        // Where no time is told, there is none after which it would.
        Retry::After => rejection.retry_after().is_some(),
        Retry::Backoff => true,
    };
    out.insert(SHOULD_RETRY, HeaderValue::from_static(if may_pass { "true" } else { "false" }));
}

/// Writes what a stream of server-sent events is known by, and that nobody on the way is to hold it back.
pub(super) fn write_events(out: &mut HeaderMap) {
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// Writes how long to wait, where that helps.
pub(super) fn write_wait(rejection: &Rejection, out: &mut HeaderMap) {
    if let Some(seconds) = rejection.retry_after() {
        out.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn write_rate(names: [HeaderName; 3], rate: Option<Rate>, out: &mut HeaderMap) {
    let Some(rate) = rate else { return };
    let [limit, remaining, reset] = names;
    out.insert(limit, HeaderValue::from(rate.limit));
    out.insert(remaining, HeaderValue::from(rate.remaining));
    let (count, unit) = match rate.reset_ms {
        ms if ms < 1000 => (ms, "ms"),
        ms => (ms.div_ceil(1000), "s"),
    };
    let text = [itoa::Buffer::new().format(count), unit].concat();
    if let Ok(value) = HeaderValue::try_from(text) {
        out.insert(reset, value);
    }
}
