//! Requests to AWS, signed.
//!
//! Law: the signature is over what is sent: method, path, host, the media type, what AWS is asked for and the body; it is made anew for each
//! request, at its time. The key's own secret never leaves. Absent on purpose: where keys come from (`session`), and what services there are.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde::Deserialize;
use zeroize::ZeroizeOnDrop;

use super::{
    config::Fault,
    error::{Kind, UpstreamError},
    secret::Secret,
};

/// What a signature is good for.
pub(super) struct Scope {
    /// The region that is called.
    pub(super) region: String,
    /// The service, as signatures name it.
    pub(super) service: &'static str,
}

/// A key that signs.
pub(super) struct Key {
    credentials: Credentials,
    /// What of the key is sent, and must not come back; the key's secret where nothing is.
    shown: Arc<Secret>,
}

/// All there is to a key, as an AWS credential process prints it.
#[derive(Deserialize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
struct Told {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Key {
    /// The key of this id and secret; without an id, the secret is a document.
    pub(super) fn read(access_key_id: &str, secret: &Secret) -> Result<Self, Fault> {
        Self::of(match access_key_id {
            "" => serde_json::from_str(secret.reveal())
                .map_err(|_| Fault::Key("not the JSON document of an AWS credential process"))?,
            id => Told {
                access_key_id: id.to_owned(),
                secret_access_key: secret.reveal().to_owned(),
                session_token: None,
            },
        })
    }

    /// The key of a session.
    pub(super) fn of_session(id: String, secret: String, token: String) -> Result<Self, Fault> {
        Self::of(Told { access_key_id: id, secret_access_key: secret, session_token: Some(token) })
    }

    fn of(told: Told) -> Result<Self, Fault> {
        if told.access_key_id.is_empty() || told.secret_access_key.is_empty() {
            return Err(Fault::Key("a key has an id and a secret"));
        }
        let shown = told.session_token.as_ref().unwrap_or(&told.secret_access_key);
        Ok(Self {
            shown: Arc::new(Secret::new(shown.clone())),
            credentials: Credentials::new(
                told.access_key_id.as_str(),
                told.secret_access_key.as_str(),
                told.session_token.clone(),
                None,
                "chancery",
            ),
        })
    }

    /// What must not come back.
    pub(super) fn shown(&self) -> &Arc<Secret> {
        &self.shown
    }

    /// Signs a request with this body, at a time.
    pub(super) fn sign(
        &self,
        (request, body): (&mut Request<Full<Bytes>>, &[u8]),
        scope: &Scope,
        at: SystemTime,
    ) -> Result<(), UpstreamError> {
        let unsigned = |why: String| UpstreamError::caused(Kind::Credential, why);
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&scope.region)
            .name(scope.service)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let uri = request.uri().to_string();
        let told = [header::CONTENT_TYPE.as_str(), "x-amz-target"].into_iter().filter_map(|name| {
            let value = request.headers().get(name)?;
            Some((name, value.to_str().ok()?))
        });
        let signable = SignableRequest::new(request.method().as_str(), uri, told, SignableBody::Bytes(body));
        let signable = signable.map_err(|error| unsigned(error.to_string()))?;
        let signed = sign(signable, &params).map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _signature) = signed.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
