//! What goes back to a door: a head that is the same for all of them, and a body in the OpenAI dialect or a refusal.
//!
//! Law: the head's values are headers already, most of them made once a revision. Deliberately absent: status lines, trailers
//! and the forms of refusals.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;
use policy_engine::decision::Permit;

use super::media::MediaStream;
use super::received::Arrival;
use super::stream::ScreenedStream;
use crate::error::Rejection;
use crate::node::Node;
use crate::quota::{Bound, Measure, Standing};
use crate::runtime::ending::Ending;
use crate::runtime::{Endpoint, Runtime};

/// What a door sends back.
pub(crate) struct Reply {
    /// What is told in headers or metadata.
    pub(crate) head: Head,
    /// What is told in the body.
    pub(crate) body: Result<Body, Rejection>,
}

/// A body in the OpenAI dialect, or of none.
pub(crate) enum Body {
    /// One JSON object.
    Whole(Bytes),
    /// One JSON object, of the Responses API: what asks for that is answered so where a vendor speaks it.
    Response(Bytes),
    /// Server-sent events; boxed, it holds the request's account.
    Stream(Box<ScreenedStream>),
    /// What is no text; boxed likewise.
    Media(Box<MediaStream>),
}

/// An answer that may go to the caller.
pub(crate) struct Screened {
    /// What is told in headers.
    pub(crate) told: Told,
    /// The answer.
    pub(crate) body: Body,
}

/// What is told of every request beside its body.
pub(crate) struct Head {
    /// `x-chancery-request-id`
    pub(crate) request_id: HeaderValue,
    /// `x-chancery-revision`
    pub(crate) revision: Option<HeaderValue>,
    /// `x-chancery-geo`
    pub(crate) geo: HeaderValue,
    /// `x-chancery-endpoint`
    pub(crate) endpoint: Option<HeaderValue>,
    /// `x-chancery-notice`, once each
    pub(crate) notices: Vec<HeaderValue>,
    /// `x-chancery-left-out`, once each
    pub(crate) left_out: Vec<HeaderValue>,
    /// `deprecation` and `sunset` of the model
    pub(crate) ending: Ending,
    /// `x-ratelimit-*-requests`
    pub(crate) requests: Option<Rate>,
    /// `x-ratelimit-*-tokens`
    pub(crate) tokens: Option<Rate>,
}

/// How the tightest limit of a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What it allows in its window.
    pub(crate) limit: u64,
    /// What is left.
    pub(crate) remaining: u64,
    /// Until all of it is there again, in milliseconds.
    pub(crate) reset_ms: u64,
}

impl Head {
    /// The head of a request that is judged by a revision.
    pub(crate) fn of(arrival: &Arrival, runtime: &Runtime) -> Self {
        Self {
            request_id: arrival.id_header.clone(),
            revision: Some(runtime.revision_header.clone()),
            geo: runtime.geo_header.clone(),
            endpoint: None,
            notices: Vec::new(),
            left_out: Vec::new(),
            ending: Ending::default(),
            requests: None,
            tokens: None,
        }
    }

    /// The head of a request that nothing judged.
    pub(crate) fn bare(arrival: &Arrival, node: &Node) -> Self {
        Self { request_id: arrival.id_header.clone(), ..Self::unasked(node) }
    }

    /// The head of an answer that is none to a request of the pipeline, under an id of its own.
    pub(crate) fn unasked(node: &Node) -> Self {
        let runtime = node.runtime.load();
        let geo = HeaderValue::from_str(node.geo.as_str()).unwrap_or(HeaderValue::from_static("-"));
        Self {
            request_id: node.name_request(node.clock.now()).to_header(),
            revision: runtime.as_ref().map(|runtime| runtime.revision_header.clone()),
            geo,
            endpoint: None,
            notices: Vec::new(),
            left_out: Vec::new(),
            ending: Ending::default(),
            requests: None,
            tokens: None,
        }
    }

    /// The reply with what the sentence came to.
    pub(crate) fn reply(mut self, screened: Result<Screened, Rejection>) -> Reply {
        let body = match screened {
            Ok(Screened { told, body }) => {
                self.endpoint = told.endpoint;
                (self.notices, self.left_out, self.ending) = (told.notices, told.left_out, told.ending);
                (self.requests, self.tokens) = (told.requests, told.tokens);
                Ok(body)
            }
            Err(mut rejection) => {
                let revision = self.revision.as_ref().and_then(|value| value.to_str().ok());
                rejection.refusal.revision = revision.and_then(|revision| revision.parse().ok());
                rejection.refusal.request_id = self.request_id.to_str().ok().map(str::to_owned);
                let standing = rejection.standing.as_deref();
                let rate = |of: fn(&Bound) -> bool| {
                    standing.filter(|standing| of(&standing.limit.bound)).map(Rate::of)
                };
                (self.requests, self.tokens) = (rate(counts_requests), rate(counts_tokens));
                Err(rejection)
            }
        };
        Reply { head: self, body }
    }
}

/// What an answer adds to the head.
pub(crate) struct Told {
    endpoint: Option<HeaderValue>,
    notices: Vec<HeaderValue>,
    left_out: Vec<HeaderValue>,
    ending: Ending,
    requests: Option<Rate>,
    tokens: Option<Rate>,
}

impl Told {
    /// What is told of an answer of this endpoint under these terms.
    pub(crate) fn of(
        (runtime, endpoint): (&Runtime, &Endpoint),
        (permit, left_out): (&Permit, &[Cow<'static, str>]),
        standings: &[Standing],
    ) -> Self {
        let rate = |of: fn(&Bound) -> bool| Standing::tightest(standings, of).map(Rate::of);
        Self {
            endpoint: Some(endpoint.header.clone()),
            notices: permit.notices.iter().filter_map(|text| visible(text)).collect(),
            left_out: left_out.iter().filter_map(|field| visible(field)).collect(),
            ending: runtime.ending(permit.model),
            requests: rate(counts_requests),
            tokens: rate(counts_tokens),
        }
    }
}

impl Told {
    /// What is told of a guardrail's answer.
    pub(crate) fn of_check(standings: &[Standing]) -> Self {
        let rate = |of: fn(&Bound) -> bool| Standing::tightest(standings, of).map(Rate::of);
        Self {
            endpoint: None,
            notices: Vec::new(),
            left_out: Vec::new(),
            ending: Ending::default(),
            requests: rate(counts_requests),
            tokens: None,
        }
    }
}

impl Rate {
    fn of(standing: &Standing) -> Self {
        let fit = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            limit: fit(standing.limit.bound.limit()),
            remaining: fit(standing.remaining),
            reset_ms: fit(standing.reset.as_millis()),
        }
    }
}

fn counts_requests(bound: &Bound) -> bool {
    matches!(bound, Bound::Requests { .. } | Bound::Budget { of: Measure::Requests, .. })
}

fn counts_tokens(bound: &Bound) -> bool {
    matches!(bound, Bound::Tokens { .. } | Bound::Budget { of: Measure::Tokens(_), .. })
}

/// A text as a header: what is not visible ASCII is percent-encoded (RFC 3986, 2.1).
fn visible(text: &str) -> Option<HeaderValue> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'%') {
        return HeaderValue::from_str(text).ok();
    }
    let mut out = Vec::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(byte);
        } else {
            let digit = |nibble: u8| {
                char::from_digit(u32::from(nibble), 16).map_or(b'0', |c| c.to_ascii_uppercase() as u8)
            };
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    HeaderValue::from_bytes(&out).ok()
}
