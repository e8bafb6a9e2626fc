//! Vault's KV version 2 (`GET /v1/{mount}/data/{path}`), after its published HTTP API; OpenBao speaks the same.
//!
//! Law: what this node is known by there is read from its own files each time it is needed, so that it can be changed under it; a token that
//! was got by signing in is used until shortly before its end, and got anew once when it is refused.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use policy_engine::facts::VaultSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::asker::{Asker, NotFetched, Unfit, base};
use crate::config;

/// Where Kubernetes puts a pod's own token.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A Vault server, and what this node is known by there.
pub(super) struct Vault {
    address: String,
    namespace: Option<String>,
    door: Door,
    asker: Asker,
    /// Of signing in; and until when it is used.
    token: Mutex<Option<(Zeroizing<String>, Instant)>>,
}

/// How this node gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Door {
    /// By a token of a file.
    TokenFile(PathBuf),
    /// By the token of `VAULT_TOKEN`.
    Environment,
    /// By a role's id, and a secret id of a file.
    AppRole { mount: String, role_id: String, secret_id_file: PathBuf },
    /// By the pod's own token.
    Kubernetes { mount: String, role: String, token_file: PathBuf },
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Option<Version<'a>>,
}

#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    data: Option<HashMap<String, &'a RawValue>>,
}

#[derive(Deserialize)]
struct SignedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    lease_duration: u64,
}

impl Vault {
    /// The server of a configuration.
    pub(super) fn of(address: &str, config: &config::Secrets) -> Result<Self, Unfit> {
        Ok(Self {
            address: base(address, "vault_address")?,
            namespace: config.vault_namespace.clone(),
            door: Door::of(config)?,
            asker: Asker::trusting(config.vault_ca.as_deref(), "vault_ca")?,
            token: Mutex::default(),
        })
    }

    /// One key of a secret.
    pub(super) async fn fetch(&self, place: &VaultSecret) -> Result<Zeroizing<String>, NotFetched> {
        let path = format!("/v1/{}/data/{}", place.mount, place.path);
        let (mut status, mut body) = self.read(&path).await?;
        // A token may have ended before its time.
        if status == StatusCode::FORBIDDEN && self.token.lock().await.take().is_some() {
            (status, body) = self.read(&path).await?;
        }
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if is_vaults_own(&body) => {
                return Err(NotFetched::Gone("nothing is at its path"));
            }
            status => return Err(refusal(status)),
        }
        let unreadable = |_| NotFetched::Away("its answer is not Vault's".to_owned());
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(unreadable)?;
        let keys = answer
            .data
            .and_then(|version| version.data)
            .ok_or(NotFetched::Gone("its newest version is deleted"))?;
        let value = keys.get(&place.key).ok_or(NotFetched::Gone("it has no such key"))?;
        serde_json::from_str(value.get())
            .map(Zeroizing::new)
            .map_err(|_| NotFetched::Gone("its key is not a text"))
    }

    async fn read(&self, path: &str) -> Result<(StatusCode, Zeroizing<Vec<u8>>), NotFetched> {
        let token = self.token().await?;
        self.asker.ask(self.request(Method::GET, path, Some(&token), Bytes::new())?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, NotFetched> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("x-vault-request", "true");
        if let Some(token) = token {
            let mut value = http::HeaderValue::from_str(token)
                .map_err(|_| NotFetched::Away("its token is no token".to_owned()))?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        request.body(Full::new(body)).map_err(|_| NotFetched::Away("its path is no path".to_owned()))
    }

    /// The token to ask with: the one there is, or one that is got by signing in.
    async fn token(&self) -> Result<Zeroizing<String>, NotFetched> {
        match &self.door {
            Door::TokenFile(path) => return file(path).await,
            Door::Environment => {
                let token = std::env::var("VAULT_TOKEN").ok().filter(|token| !token.is_empty());
                return token
                    .map(Zeroizing::new)
                    .ok_or_else(|| NotFetched::Away("`VAULT_TOKEN` is not set".to_owned()));
            }
            Door::AppRole { .. } | Door::Kubernetes { .. } => {}
        }
        let mut kept = self.token.lock().await;
        if let Some((token, _)) = kept.as_ref().filter(|(_, until)| *until > Instant::now()) {
            return Ok(token.clone());
        }
        let (token, good) = self.sign_in().await?;
        *kept = Some((token.clone(), Instant::now() + good));
        Ok(token)
    }

    /// A token got by signing in, and for how long it is used.
    async fn sign_in(&self) -> Result<(Zeroizing<String>, Duration), NotFetched> {
        let (mount, body) = match &self.door {
            Door::AppRole { mount, role_id, secret_id_file } => {
                let secret = file(secret_id_file).await?;
                (mount, signing(&[("role_id", role_id), ("secret_id", &secret)]))
            }
            Door::Kubernetes { mount, role, token_file } => {
                let token = file(token_file).await?;
                (mount, signing(&[("role", role), ("jwt", &token)]))
            }
            Door::TokenFile(_) | Door::Environment => {
                return Err(NotFetched::Away("there is nothing to sign in by".to_owned()));
            }
        };
        let path = format!("/v1/auth/{mount}/login");
        let request = self.request(Method::POST, &path, None, body)?;
        let (status, answer) = self.asker.ask(request).await?;
        if status != StatusCode::OK {
            return Err(refusal(status));
        }
        let SignedIn { auth } = serde_json::from_slice(&answer)
            .map_err(|_| NotFetched::Away("its answer is not Vault's".to_owned()))?;
        let token = Zeroizing::new(auth.client_token);
        // A fifth before its end, so that it does not end on its way.
        let good = Duration::from_secs(auth.lease_duration.max(5)).mul_f64(0.8);
        Ok((token, good))
    }
}

impl Door {
    /// The one way in that a configuration names.
    fn of(config: &config::Secrets) -> Result<Self, Unfit> {
        let mount = |usual: &str| config.vault_auth_mount.clone().unwrap_or_else(|| usual.to_owned());
        let one = |key, why: &str| Err(Unfit { key, why: why.to_owned() });
        match (&config.vault_token_file, &config.vault_role_id, &config.vault_kubernetes_role) {
            (Some(file), None, None) => Ok(Self::TokenFile(file.clone())),
            (None, Some(role_id), None) => match &config.vault_secret_id_file {
                Some(file) => Ok(Self::AppRole {
                    mount: mount("approle"),
                    role_id: role_id.clone(),
                    secret_id_file: file.clone(),
                }),
                None => one("vault_role_id", "needs `secrets.vault_secret_id_file` beside it"),
            },
            (None, None, Some(role)) => {
                let token_file =
                    config.vault_kubernetes_token_file.clone().unwrap_or_else(|| POD_TOKEN.into());
                Ok(Self::Kubernetes { mount: mount("kubernetes"), role: role.clone(), token_file })
            }
            (None, None, None) => Ok(Self::Environment),
            _ => one(
                "vault_address",
                "give one of `vault_token_file`, `vault_role_id` and `vault_kubernetes_role`",
            ),
        }
    }
}

/// The body of signing in.
fn signing(fields: &[(&str, &str)]) -> Bytes {
    let fields: serde_json::Map<String, serde_json::Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Bytes::from(serde_json::Value::Object(fields).to_string())
}

/// What a file holds, without the white space around it.
async fn file(path: &PathBuf) -> Result<Zeroizing<String>, NotFetched> {
    let text = tokio::fs::read_to_string(path).await.map(Zeroizing::new);
    let text = text.map_err(|error| NotFetched::Away(format!("`{}`: {error}", path.display())))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn refusal(status: StatusCode) -> NotFetched {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            NotFetched::Refused(status.as_u16())
        }
        status => NotFetched::Away(format!("status {}", status.as_u16())),
    }
}

/// Whether a 404 is Vault's word for nothing: no errors, or what it keeps of a version that is deleted. Of another's page, or of a mount
/// that is away for a moment, nothing follows.
fn is_vaults_own(body: &[u8]) -> bool {
    let Ok(told) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let deleted = told.pointer("/data/metadata").is_some();
    deleted || told.get("errors").and_then(|errors| errors.as_array()).is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests;
