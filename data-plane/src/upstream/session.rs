//! Sessions of an AWS role: keys that STS gives for another key, or for a token of the machine's own identity.
//!
//! Law: what assumes the role is shown to STS alone; a session's key signs until shortly before its end. Absent on purpose: sessions within
//! sessions, and keys that a machine is told by its metadata address, which is never called.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use instant_xml::FromXml;
use policy_engine::facts::AssumedRole;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    authority::{Authority, FORM, nothing_given, now},
    config::{EndpointConfig, Fault},
    error::UpstreamError,
    lease::{Lease, Leases, Lessor},
    secret::Secret,
    sign::{Key, Scope},
};

/// The version of the API.
const VERSION: &str = "2011-06-15";
/// What sessions are called in AWS's own logs.
const SESSION: &str = "chancery";

/// The sessions of one endpoint.
pub(super) type Sessions = Leases<Assuming>;

/// Who assumes a role.
pub(super) struct Assuming {
    role: AssumedRole,
    by: By,
    sts: Authority,
}

/// What a role trusts.
enum By {
    /// A key, by which the question is signed.
    Key(Key, Scope),
    /// A token (OpenID Connect).
    Token(Arc<Secret>),
}

/// What STS answers.
#[derive(FromXml)]
#[xml(forward)]
enum Answer {
    Key(AssumeRoleResponse),
    Token(AssumeRoleWithWebIdentityResponse),
}

#[derive(FromXml)]
#[xml(ns("https://sts.amazonaws.com/doc/2011-06-15/"))]
struct AssumeRoleResponse {
    #[xml(rename = "AssumeRoleResult")]
    result: AssumeRoleResult,
}

#[derive(FromXml)]
#[xml(ns("https://sts.amazonaws.com/doc/2011-06-15/"))]
struct AssumeRoleResult {
    #[xml(rename = "Credentials")]
    credentials: Credentials,
}

#[derive(FromXml)]
#[xml(ns("https://sts.amazonaws.com/doc/2011-06-15/"))]
struct AssumeRoleWithWebIdentityResponse {
    #[xml(rename = "AssumeRoleWithWebIdentityResult")]
    result: AssumeRoleWithWebIdentityResult,
}

#[derive(FromXml)]
#[xml(ns("https://sts.amazonaws.com/doc/2011-06-15/"))]
struct AssumeRoleWithWebIdentityResult {
    #[xml(rename = "Credentials")]
    credentials: Credentials,
}

#[derive(FromXml)]
#[xml(ns("https://sts.amazonaws.com/doc/2011-06-15/"), rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

impl Assuming {
    /// Sessions of a role, by a key or a token; nothing is asked yet.
    pub(super) fn build(
        config: &EndpointConfig,
        role: &AssumedRole,
        ((access_key_id, secret), region): ((&str, &Secret), &str),
    ) -> Result<Sessions, Fault> {
        let (by, shown) = if role.is_web_identity {
            let token = Arc::new(Secret::new(secret.reveal().to_owned()));
            (By::Token(Arc::clone(&token)), token)
        } else {
            let key = Key::read(access_key_id, secret)?;
            let shown = Arc::clone(key.shown());
            (By::Key(key, Scope { region: region.to_owned(), service: "sts" }), shown)
        };
        let sts = Authority::build(config, &format!("{}/", role.sts), Some(shown))?;
        Ok(Leases::of(Self { role: role.clone(), by, sts }))
    }

    fn form(&self) -> Zeroizing<String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let action = match &self.by {
            By::Key(..) => "AssumeRole",
            By::Token(_) => "AssumeRoleWithWebIdentity",
        };
        form.append_pair("Action", action).append_pair("Version", VERSION);
        form.append_pair("RoleArn", &self.role.arn).append_pair("RoleSessionName", SESSION);
        if !self.role.external_id.is_empty() {
            form.append_pair("ExternalId", &self.role.external_id);
        }
        if let By::Token(token) = &self.by {
            form.append_pair("WebIdentityToken", token.reveal());
        }
        Zeroizing::new(form.finish())
    }
}

impl Lessor for Assuming {
    type Given = Key;

    async fn ask(&self) -> Result<Lease<Key>, UpstreamError> {
        let form = Bytes::copy_from_slice(self.form().as_bytes());
        // Not asked for JSON, which it would answer then.
        let mut request = self.sts.request(FORM, form.clone());
        if let By::Key(key, scope) = &self.by {
            key.sign((&mut request, &form), scope, SystemTime::now())?;
        }
        let asked = Instant::now();
        let body = self.sts.ask(request).await?;
        given(&body).map(|(key, lives)| Lease::of(key, asked, lives)).ok_or_else(nothing_given)
    }

    fn host(&self) -> &str {
        self.sts.host()
    }
}

/// The key in an answer, and how long it holds.
fn given(body: &[u8]) -> Option<(Key, Duration)> {
    let text = std::str::from_utf8(body).ok()?;
    let credentials = match instant_xml::from_str(text).ok()? {
        Answer::Key(answer) => answer.result.credentials,
        Answer::Token(answer) => answer.result.credentials,
    };
    let ends: jiff::Timestamp = credentials.expiration.parse().ok()?;
    let lives = u64::try_from(ends.as_second().saturating_sub_unsigned(now())).unwrap_or(0);
    let (id, secret) = (credentials.access_key_id, credentials.secret_access_key);
    let key = Key::of_session(id, secret, credentials.session_token).ok()?;
    Some((key, Duration::from_secs(lives)))
}

#[cfg(test)]
mod tests;
