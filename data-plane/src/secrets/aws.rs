//! AWS Secrets Manager's `GetSecretValue`, after its published API reference; requests are signed by AWS's own crate.
//!
//! Law: region and credentials are the node's own. Deliberately absent: the whole SDK, and credentials that must be fetched first (an
//! instance's metadata, a web identity): whoever runs a node gives it those of its role.

use std::collections::HashMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use policy_engine::facts::AwsSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::asker::{Asker, NotFetched, Unfit, base};
use crate::config;

/// The call.
const TARGET: &str = "secretsmanager.GetSecretValue";

/// Secrets Manager in one region, and what this node is known by there.
pub(super) struct Aws {
    url: String,
    region: String,
    credentials: Credentials,
    asker: Asker,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    kind: String,
}

impl Aws {
    /// That of a configuration and an environment; none where neither names a region, or no credentials are there.
    pub(super) fn of(
        config: &config::Secrets,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Unfit> {
        let Some(region) = config.aws_region.clone().or_else(|| environment("AWS_REGION")) else {
            return Ok(None);
        };
        let (key, secret) = (environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"));
        let Some((key, secret)) = key.zip(secret) else {
            let why = "needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment".to_owned();
            return if config.aws_region.is_some() {
                Err(Unfit { key: "aws_region", why })
            } else {
                Ok(None)
            };
        };
        let url = match &config.aws_endpoint {
            Some(endpoint) => base(endpoint, "aws_endpoint")?,
            None => base(&format!("https://secretsmanager.{region}.amazonaws.com"), "aws_region")?,
        };
        let credentials =
            Credentials::new(key, secret, environment("AWS_SESSION_TOKEN"), None, "environment");
        let asker = Asker::trusting(config.aws_ca.as_deref(), "aws_ca")?;
        Ok(Some(Self { url: format!("{url}/"), region, credentials, asker }))
    }

    /// A secret, or one key of it where it is JSON.
    pub(super) async fn fetch(&self, place: &AwsSecret) -> Result<Zeroizing<String>, NotFetched> {
        let mut asked = serde_json::json!({ "SecretId": place.secret_id });
        if let (Some(stage), Some(fields)) = (&place.version_stage, asked.as_object_mut()) {
            fields.insert("VersionStage".to_owned(), stage.as_str().into());
        }
        let request = self.signed(asked.to_string(), SystemTime::now())?;
        let (status, body) = self.asker.ask(request).await?;
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        let unreadable = |_| NotFetched::Away("its answer is not Secrets Manager's".to_owned());
        let answer: Answer = serde_json::from_slice(&body).map_err(unreadable)?;
        let whole = Zeroizing::new(answer.secret_string.ok_or(NotFetched::Gone("it is not a text"))?);
        let Some(key) = &place.json_key else { return Ok(whole) };
        let keys: HashMap<String, &RawValue> =
            serde_json::from_str(&whole).map_err(|_| NotFetched::Gone("it is not a JSON object"))?;
        let value = keys.get(key).ok_or(NotFetched::Gone("it has no such key"))?;
        serde_json::from_str(value.get())
            .map(Zeroizing::new)
            .map_err(|_| NotFetched::Gone("its key is not a text"))
    }

    /// The call with this body, signed (Signature Version 4) as of a time.
    fn signed(&self, body: String, time: SystemTime) -> Result<Request<Full<Bytes>>, NotFetched> {
        let away = |error: &dyn std::error::Error| NotFetched::Away(format!("it can't be signed: {error}"));
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", TARGET)];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("secretsmanager")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| away(&error))?
            .into();
        let what = SignableRequest::new(
            "POST",
            &self.url,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let signed = sign(what.map_err(|error| away(&error))?, &params).map_err(|error| away(&error))?;
        let (instructions, _signature) = signed.into_parts();
        let request = headers
            .iter()
            .fold(Request::post(&self.url), |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(Full::new(Bytes::from(body))).map_err(|error| away(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> NotFetched {
    let kind = serde_json::from_slice(body).map_or(String::new(), |Refusal { kind }| kind);
    match kind.rsplit('#').next().unwrap_or_default() {
        "ResourceNotFoundException" => NotFetched::Gone("nothing has its id, or no version its stage"),
        "InvalidRequestException" => NotFetched::Gone("it is scheduled for deletion"),
        "ThrottlingException" => NotFetched::Away("too many ask it".to_owned()),
        _ if matches!(status.as_u16(), 400 | 401 | 403) => NotFetched::Refused(status.as_u16()),
        _ => NotFetched::Away(format!("status {}", status.as_u16())),
    }
}

#[cfg(test)]
mod tests;
