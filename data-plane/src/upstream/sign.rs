//! Requests to AWS, signed.
//!
//! Law: the signature is over what is sent: method, path, host, the media type and the body; it is made anew for each request, at its time. The
//! key's own secret never leaves. Absent on purpose: finding keys (instance roles, web identities), and what services there are.

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

/// Signs the requests of one endpoint.
pub(super) struct Signer {
    credentials: Credentials,
    region: String,
    /// As signatures name it.
    service: &'static str,
    /// What of the key is sent, and must not come back; the key's secret where nothing is.
    shown: Arc<Secret>,
}

/// All there is to a key, as an AWS credential process prints it.
#[derive(Deserialize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
struct Key {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Signer {
    /// A signer for a service of a region, with the key of this id and secret; without an id, the secret is a document.
    pub(super) fn read(
        access_key_id: &str,
        secret: &Secret,
        (region, service): (&str, &'static str),
    ) -> Result<Self, Fault> {
        let key = match access_key_id {
            "" => serde_json::from_str(secret.reveal())
                .map_err(|_| Fault::Key("not the JSON document of an AWS credential process"))?,
            id => Key {
                access_key_id: id.to_owned(),
                secret_access_key: secret.reveal().to_owned(),
                session_token: None,
            },
        };
        if key.access_key_id.is_empty() || key.secret_access_key.is_empty() {
            return Err(Fault::Key("a key has an id and a secret"));
        }
        let shown = key.session_token.as_ref().unwrap_or(&key.secret_access_key);
        Ok(Self {
            shown: Arc::new(Secret::new(shown.clone())),
            credentials: Credentials::new(
                key.access_key_id.as_str(),
                key.secret_access_key.as_str(),
                key.session_token.clone(),
                None,
                "chancery",
            ),
            region: region.to_owned(),
            service,
        })
    }

    /// What must not come back.
    pub(super) fn shown(&self) -> &Arc<Secret> {
        &self.shown
    }

    /// Signs a request with this body, at a time.
    pub(super) fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        at: SystemTime,
    ) -> Result<(), UpstreamError> {
        let unsigned = |why: String| UpstreamError::caused(Kind::Credential, why);
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let uri = request.uri().to_string();
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let told = media.map(|media| ("content-type", media));
        let signable =
            SignableRequest::new(request.method().as_str(), uri, told.into_iter(), SignableBody::Bytes(body));
        let signable = signable.map_err(|error| unsigned(error.to_string()))?;
        let signed = sign(signable, &params).map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _signature) = signed.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
