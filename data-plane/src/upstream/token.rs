//! Tokens that a vendor is shown instead of the secret: asked for by a grant, and kept (`lease`) until shortly before their end.
//!
//! Law: a token is never told, nor written anywhere. Absent on purpose: tokens of whoever calls us.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    authority::{Authority, DOCUMENT, FORM, nothing_given, now},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    grant::Grant,
    lease::{Lease, Leases, Lessor},
    secret::Secret,
};

/// How long a token holds that does not say so, in seconds.
const UNTOLD: u64 = 300;
/// How long a service account's token is asked for: the most that Google gives without being told otherwise.
const IMPERSONATED: &str = "3600s";

/// The tokens of one endpoint.
pub(super) type Tokens = Leases<Granted>;
/// A token, and until when it holds.
pub(super) type Token = Lease<Bearer>;

/// A bearer's token (RFC 6750).
#[derive(Clone)]
pub(super) struct Bearer {
    /// As it is.
    pub(super) secret: Arc<Secret>,
    /// As it is shown.
    pub(super) header: HeaderValue,
}

/// What gives them.
pub(super) struct Granted {
    grant: Grant,
    from: Authority,
    then: Option<Impersonation>,
}

/// A service account of Google, whose token is given for another.
pub(super) struct Impersonation {
    at: Authority,
    /// What is asked for.
    question: Bytes,
}

/// What whoever gives tokens answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<Seconds>,
}

/// Seconds; older authorities write them as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// What Google's IAM Credentials API answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: jiff::Timestamp,
}

impl Impersonation {
    /// Of the account that a URL names.
    pub(super) fn build(config: &EndpointConfig, url: &str, scope: &str) -> Result<Self, Fault> {
        let scopes: Vec<&str> = scope.split(' ').collect();
        let question = json!({ "scope": scopes, "lifetime": IMPERSONATED }).to_string().into();
        Ok(Self { at: Authority::build(config, url, None)?, question })
    }

    async fn ask(&self, by: &Bearer) -> Result<Token, UpstreamError> {
        let mut request = self.at.request(DOCUMENT, self.question.clone());
        request.headers_mut().insert(header::AUTHORIZATION, by.header.clone());
        request.headers_mut().insert(header::ACCEPT, DOCUMENT);
        let asked = Instant::now();
        let body = self.at.ask(request).await?;
        let given: Impersonated = serde_json::from_slice(&body).map_err(|_| nothing_given())?;
        let seconds = given.expire_time.as_second().saturating_sub_unsigned(now());
        let lives = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        bearer(given.access_token, (asked, lives))
    }
}

impl Granted {
    /// Tokens by a grant from a place, or those that are given for them; nothing is asked yet.
    pub(super) fn build(
        config: &EndpointConfig,
        (grant, from): (Grant, &str),
        (secret, then): (Option<Arc<Secret>>, Option<Impersonation>),
    ) -> Result<Tokens, Fault> {
        let from = Authority::build(config, from, secret)?;
        Ok(Leases::of(Self { grant, from, then }))
    }
}

impl Lessor for Granted {
    type Given = Bearer;

    async fn ask(&self) -> Result<Token, UpstreamError> {
        let unsigned = || UpstreamError::new(Kind::Credential);
        let form = self.grant.form(now()).ok_or_else(unsigned)?;
        let asked = Instant::now();
        let mut request = self.from.request(FORM, Bytes::copy_from_slice(form.as_bytes()));
        request.headers_mut().insert(header::ACCEPT, DOCUMENT);
        let body = self.from.ask(request).await?;
        let given: Given = serde_json::from_slice(&body).map_err(|_| nothing_given())?;
        let lives = match &given.expires_in {
            Some(Seconds::Number(seconds)) => *seconds,
            Some(Seconds::Text(text)) => text.parse().map_err(|_| nothing_given())?,
            None => UNTOLD,
        };
        let token = bearer(given.access_token, (asked, Duration::from_secs(lives)))?;
        match &self.then {
            Some(then) => then.ask(&token.given).await,
            None => Ok(token),
        }
    }

    fn host(&self) -> &str {
        self.from.host()
    }
}

/// A token that was asked for at a time and holds so long, where a header can carry it.
fn bearer(text: String, (asked, lives): (Instant, Duration)) -> Result<Token, UpstreamError> {
    let text = Secret::new(text);
    let shown = Zeroizing::new(format!("Bearer {}", text.reveal()));
    let header = HeaderValue::from_str(&shown).ok().filter(|_| !text.reveal().is_empty());
    let mut header = header.ok_or_else(nothing_given)?;
    header.set_sensitive(true);
    Ok(Lease::of(Bearer { secret: Arc::new(text), header }, asked, lives))
}

#[cfg(test)]
mod tests;
