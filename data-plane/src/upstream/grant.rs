//! What is told to whoever gives tokens: client credentials of Microsoft Entra ID, an assertion signed by a Google service account's key, or a
//! token of the machine's own identity, which either of them trusts.
//!
//! Law: a key is read once, when the endpoint is built; an assertion holds for an hour and says to whom it is shown. Absent on purpose: asking
//! and keeping (`token`), and what a machine is told by its metadata address, which is never called.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use zeroize::{Zeroize, Zeroizing};

use super::{config::Fault, secret::Secret};

/// Where Google gives tokens, if a key does not say.
const GOOGLES: &str = "https://oauth2.googleapis.com/token";
/// That a client shows a token instead of its secret (RFC 7523, 2.2).
const JWT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion may be shown, in seconds: the most that Google takes.
const ASSERTED: u64 = 3600;

/// What gives a right to tokens.
pub(super) enum Grant {
    /// RFC 6749, 4.4.
    Client {
        /// The application.
        client: String,
        /// Its secret, or a token that it trusts.
        secret: Arc<Secret>,
        /// Which of them: a token is an assertion (RFC 7521, 4.2).
        is_federated: bool,
        /// What the token is for.
        scope: String,
    },
    /// RFC 7523, 2.1.
    Account(Account),
    /// RFC 8693: a token for another's.
    Exchange {
        /// Who trusts it.
        audience: String,
        /// It.
        subject: Arc<Secret>,
        /// What the token is for.
        scope: String,
    },
}

/// A service account.
pub(super) struct Account {
    email: String,
    key_id: Option<String>,
    key: RsaKeyPair,
    scope: String,
    /// Where it is shown.
    token_uri: String,
}

/// A service account's key as Google hands it out; `private_key` is PKCS #8 in PEM.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// Whether nobody on the way reads what is sent there: loopback is for tests.
fn is_private(uri: &str) -> bool {
    ["https://", "http://127.0.0.1:", "http://[::1]:", "http://localhost:"]
        .iter()
        .any(|begins| uri.starts_with(begins))
}

impl Account {
    /// Reads a key.
    pub(super) fn read(document: &Secret, scope: &str) -> Result<Self, Fault> {
        let unread = |_| Fault::Key("not the JSON document of a service account's key");
        let mut file: KeyFile = serde_json::from_str(document.reveal()).map_err(unread)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes());
        file.private_key.zeroize();
        let der = der.map_err(|_| Fault::Key("its `private_key` is no PKCS #8 key in PEM"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der());
        let token_uri = file.token_uri.filter(|uri| !uri.is_empty());
        if token_uri.as_ref().is_some_and(|uri| !is_private(uri)) {
            return Err(Fault::Key("its `token_uri` is not `https://`"));
        }
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            key: key.map_err(|_| Fault::Key("its `private_key` is no RSA key"))?,
            scope: scope.to_owned(),
            token_uri: token_uri.unwrap_or_else(|| GOOGLES.to_owned()),
        })
    }

    /// Where its tokens are given.
    pub(super) fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// A JSON Web Token (RFC 7519) that holds from `now` on, in seconds of Unix time.
    fn assertion(&self, now: u64) -> Option<Zeroizing<String>> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let (Some(id), Some(header)) = (&self.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.clone().into());
        }
        let claims = json!({
            "iss": self.email,
            "scope": self.scope,
            "aud": self.token_uri,
            "iat": now,
            "exp": now.saturating_add(ASSERTED),
        });
        let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let mut token = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(Zeroizing::new(token))
    }
}

impl Grant {
    /// The form that asks for a token; `None`: the key does not sign.
    pub(super) fn form(&self, now: u64) -> Option<Zeroizing<String>> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match self {
            Self::Client { client, secret, is_federated, scope } => {
                form.append_pair("grant_type", "client_credentials");
                form.append_pair("client_id", client);
                if *is_federated {
                    form.append_pair("client_assertion_type", JWT_ASSERTION);
                    form.append_pair("client_assertion", secret.reveal());
                } else {
                    form.append_pair("client_secret", secret.reveal());
                }
                form.append_pair("scope", scope);
            }
            Self::Account(account) => {
                let assertion = account.assertion(now)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", &assertion);
            }
            Self::Exchange { audience, subject, scope } => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
                form.append_pair("audience", audience);
                form.append_pair("scope", scope);
                form.append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
                form.append_pair("subject_token", subject.reveal());
                form.append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
            }
        }
        Some(Zeroizing::new(form.finish()))
    }
}

#[cfg(test)]
mod tests;
