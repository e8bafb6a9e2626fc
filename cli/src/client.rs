//! The admin API over REST, as its own command line uses it.
//!
//! Law: the token goes to the control plane that was named and nowhere else: no redirect is followed, and it is in no
//! argument, no message and no log. Absent on purpose: retries; who runs a verb sees what happened.

mod refusal;
mod trust;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;
use thiserror::Error;

use crate::output;
pub(crate) use refusal::Refused;

/// Where the control plane is.
const URL: &str = "CHANCERY_CONTROL_URL";

/// The bearer token: an admin token, or an API key that may administer.
const TOKEN: &str = "CHANCERY_ADMIN_TOKEN";

/// Where a data plane is, and an API key for it.
const NODE: (&str, &str) = ("CHANCERY_DATA_URL", "CHANCERY_API_KEY");

/// The header of the revision an answer is of.
const REVISION: &str = "x-chancery-revision";

/// The header of what a caller should know beside an answer.
const WARNING: &str = "x-chancery-warning";

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long one may take that comes bit by bit.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// The content type of an answer in lines of JSON.
const LINES: &str = "application/x-ndjson";

/// Why a call has no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// The environment does not say where or as whom.
    #[error(
        "`{0}` is not set. Beside a running `chancery dev`: source .chancery/dev.env. For any other control plane: {URL} is \
         its admin address, and {TOKEN} what `control-plane/admin.token` in its state directory holds"
    )]
    Environment(&'static str),
    /// The environment does not say which data plane, or by which key.
    #[error(
        "`{}` and `{}` are not both set: the address of a data plane, and a key for it; beside a running `chancery dev`: source \
         .chancery/dev.env", NODE.0, NODE.1
    )]
    Node,
    /// The environment does not name a control plane.
    #[error("`{URL}` is not an http or https URL without a path")]
    Url,
    /// The token can't be sent.
    #[error("`{TOKEN}` is not a token: it has blanks or characters beyond ASCII")]
    Token,
    /// A text can't be told in a header.
    #[error("what `{0}` would say is more than one line")]
    Header(&'static str),
    /// What shall be trusted can't be read.
    #[error("`{}`, which `--ca` or `{}` names, can't be trusted: {why}", .path.display(), trust::VARIABLE)]
    Authority {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Nothing answers there.
    #[error("the control plane at {url} can't be reached: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why, down to its cause.
        why: String,
    },
    /// Something answers there, but no control plane.
    #[error("{url} did not answer as a control plane does: HTTP {status}")]
    Stranger {
        /// Where.
        url: String,
        /// What it said.
        status: u16,
    },
    /// An answer ended before it was whole.
    #[error("the control plane's answer broke off")]
    BrokeOff,
    /// The control plane refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl ClientError {
    /// Whether the environment is why nobody was asked.
    pub(crate) fn is_of_environment(&self) -> bool {
        matches!(self, Self::Environment(_) | Self::Node | Self::Url | Self::Token | Self::Authority { .. })
    }
}

/// An answer: its text as it came, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The body.
    pub(crate) text: String,
    /// The body, read.
    pub(crate) json: Value,
    /// The newest revision as of the answer; 0 where it does not say.
    pub(crate) revision: i64,
}

/// A control plane, and as whom it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    token: Token,
    http: reqwest::Client,
    /// Headers that say why.
    why: Vec<(&'static str, HeaderValue)>,
    /// What the control plane warned of already; each is told once.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Client {
    /// As the environment says; a file of authorities is trusted beside those the platform trusts.
    pub(crate) fn of_environment(authorities: Option<&Path>) -> Result<Self, ClientError> {
        Self::new(&given(URL)?, given(TOKEN)?, authorities)
    }

    /// A data plane, asked as a caller of models asks it, as the environment says.
    pub(crate) fn of_node(authorities: Option<&Path>) -> Result<Self, ClientError> {
        let missing = |_| ClientError::Node;
        let (url, key) = (given(NODE.0).map_err(missing)?, given(NODE.1).map_err(missing)?);
        Self::new(&url, key, authorities)
    }

    fn new(url: &str, token: String, authorities: Option<&Path>) -> Result<Self, ClientError> {
        let base = Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.path() == "/"
                && url.query().is_none()
        });
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Token);
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .tls_certs_merge(trust::authorities(authorities)?)
            .build();
        let base = base.ok_or(ClientError::Url)?;
        let http = http.map_err(|error| unreachable_at(&base, &error))?;
        Ok(Self { base, token: Token(token), http, why: Vec::new(), warned: Arc::default() })
    }

    /// The same control plane, which is told a header with every call. Errors where the text can't be one.
    pub(crate) fn telling(mut self, header: &'static str, text: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| ClientError::Header(header))?;
        self.why.push((header, value));
        Ok(self)
    }

    /// The control plane's host, as a URL has it.
    pub(crate) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// Reads what is at a path below `/v1/`, such as `tenants/acme/teams`.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Reply, ClientError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.request(Method::GET, url)).await
    }

    /// Calls what is at a path below `/v1/`, such as `policy:apply`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Reply, ClientError> {
        self.send(self.http.request(Method::POST, self.url(path)?).json(body)).await
    }

    /// Makes one of a collection, under an id of the caller's choice, such as `holdId`.
    pub(crate) async fn create(
        &self,
        path: &str,
        (parameter, id): (&str, &str),
        body: &Value,
    ) -> Result<Reply, ClientError> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().append_pair(parameter, id);
        self.send(self.http.request(Method::POST, url).json(body)).await
    }

    /// Deletes what is at a path below `/v1/`, such as `rules/eu-residency`.
    pub(crate) async fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<Reply, ClientError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.request(Method::DELETE, url)).await
    }

    /// Reads a list to its end, page by page; several pages become one.
    pub(crate) async fn all(&self, path: &str, field: &str) -> Result<Reply, ClientError> {
        let size = ("pageSize", "1000".to_owned());
        let mut whole = self.get(path, std::slice::from_ref(&size)).await?;
        while let Some(token) = next(&whole.json) {
            let page = self.get(path, &[size.clone(), ("pageToken", token)]).await?.json;
            join(&mut whole.json, page, field);
            whole.text = whole.json.to_string();
        }
        shown_empty(&mut whole, field);
        Ok(whole)
    }

    /// Reads the first so many of a list, page by page; a page may have few of them, or none, and still not be the last.
    pub(crate) async fn some(
        &self,
        path: &str,
        (query, most): (&[(&str, String)], usize),
        field: &str,
    ) -> Result<Reply, ClientError> {
        let asked = |left: usize| [query, &[("pageSize", left.to_string())]].concat();
        let mut whole = self.get(path, &asked(most)).await?;
        loop {
            let left =
                most.saturating_sub(whole.json.get(field).and_then(Value::as_array).map_or(0, Vec::len));
            let Some(token) = next(&whole.json).filter(|_| left > 0) else {
                shown_empty(&mut whole, field);
                return Ok(whole);
            };
            let page = self.get(path, &[asked(left), vec![("pageToken", token)]].concat()).await?.json;
            join(&mut whole.json, page, field);
            whole.text = whole.json.to_string();
        }
    }

    /// Calls what answers in pages, for the first so many of a list; a page may have few of them, or none, and still not be the last.
    pub(crate) async fn asking(
        &self,
        (path, field): (&str, &str),
        asked: Value,
        most: usize,
    ) -> Result<Reply, ClientError> {
        let body = |left: usize, token: &str| {
            let mut body = asked.clone();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("pageSize".to_owned(), left.into());
                fields.insert("pageToken".to_owned(), token.into());
            }
            body
        };
        let mut whole = self.post(path, &body(most, "")).await?;
        loop {
            let left =
                most.saturating_sub(whole.json.get(field).and_then(Value::as_array).map_or(0, Vec::len));
            let Some(token) = next(&whole.json).filter(|_| left > 0) else {
                shown_empty(&mut whole, field);
                return Ok(whole);
            };
            let page = self.post(path, &body(left, &token)).await?.json;
            join(&mut whole.json, page, field);
            whole.text = whole.json.to_string();
        }
    }

    fn url(&self, path: &str) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| ClientError::Url)?.clear().push("v1").extend(path.split('/'));
        Ok(url)
    }

    /// Calls what answers in lines of JSON: `each` is told every one as it comes, and the last is given. It takes as long as it takes, but
    /// not between two lines.
    pub(crate) async fn lines(
        &self,
        path: &str,
        body: &Value,
        mut each: impl FnMut(&Value),
    ) -> Result<Value, ClientError> {
        let request = self.http.request(Method::POST, self.url(path)?).json(body).timeout(LONG);
        let mut response = self.sent(request).await?;
        if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != LINES) {
            return Ok(self.read(response).await?.json);
        }
        let (mut last, mut text) = (Value::Null, Vec::new());
        loop {
            let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
            let chunk = chunk.map_err(|_| ClientError::BrokeOff)?;
            let Some(chunk) = chunk.map_err(|error| unreachable_at(&self.base, &error))? else { break };
            text.extend_from_slice(&chunk);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                last = serde_json::from_slice(&line).map_err(|_| ClientError::BrokeOff)?;
                let status = last.pointer("/error/code").and_then(Value::as_u64);
                if let Some(status) = status.and_then(|status| u16::try_from(status).ok()) {
                    let refused = Refused::read(status, &last);
                    return Err(refused.map_or_else(|| self.stranger(status), Into::into));
                }
                each(&last);
            }
        }
        Ok(last)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, ClientError> {
        let response = self.sent(request).await?;
        self.read(response).await
    }

    /// The head of an answer; what it warns of is told.
    async fn sent(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let told = self.why.iter().fold(request, |told, (header, text)| told.header(*header, text));
        let sent = told.bearer_auth(&self.token.0).send().await;
        let response = sent.map_err(|error| unreachable_at(&self.base, &error))?;
        self.warn(&response);
        Ok(response)
    }

    async fn read(&self, response: Response) -> Result<Reply, ClientError> {
        let status = response.status();
        let revision = response.headers().get(REVISION).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.map_err(|error| unreachable_at(&self.base, &error))?;
        let json = serde_json::from_str::<Value>(&text).ok();
        match json {
            // An answer that tells faults says by its status that nothing was done.
            Some(json) if status.is_success() || json.get("faults").is_some() => {
                Ok(Reply { text, json, revision: revision.unwrap_or_default() })
            }
            Some(json) => match Refused::read(status.as_u16(), &json) {
                Some(refused) => Err(refused.into()),
                None => Err(self.stranger(status.as_u16())),
            },
            None => Err(self.stranger(status.as_u16())),
        }
    }

    /// Tells people what the control plane says beside its answer.
    fn warn(&self, response: &Response) {
        for warning in response.headers().get_all(WARNING) {
            let warning = String::from_utf8_lossy(warning.as_bytes()).into_owned();
            let is_new = self.warned.lock().is_ok_and(|mut warned| warned.insert(warning.clone()));
            if is_new {
                output::complain(&format!("warning: {}", output::plain(&warning)));
            }
        }
    }

    fn stranger(&self, status: u16) -> ClientError {
        ClientError::Stranger { url: self.base.to_string(), status }
    }
}

fn given(name: &'static str) -> Result<String, ClientError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ClientError::Environment(name))
}

/// What asks for the page after a page.
fn next(page: &Value) -> Option<String> {
    page.get("nextPageToken").and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned)
}

/// A list without members is a list all the same: proto3 JSON leaves it out, and scripts look for it.
fn shown_empty(whole: &mut Reply, field: &str) {
    let Some(fields) = whole.json.as_object_mut().filter(|fields| !fields.contains_key(field)) else {
        return;
    };
    fields.insert(field.to_owned(), Value::Array(Vec::new()));
    whole.text = whole.json.to_string();
}

/// Puts a page after those before it.
fn join(whole: &mut Value, mut page: Value, field: &str) {
    let more = page.get_mut(field).map(Value::take);
    let token = page.get_mut("nextPageToken").map_or(Value::Null, Value::take);
    let Some(fields) = whole.as_object_mut() else { return };
    let all = fields.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if let (Value::Array(all), Some(Value::Array(more))) = (all, more) {
        all.extend(more);
    }
    fields.insert("nextPageToken".to_owned(), token);
    fields.retain(|_, value| !value.is_null());
}

/// What stands at the end of a chain of errors is what helps.
fn unreachable_at(base: &Url, error: &dyn std::error::Error) -> ClientError {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let why = cause.to_string();
    let hint = trust::hint(&why).map(|hint| format!("; {hint}")).unwrap_or_default();
    ClientError::Unreachable { url: base.to_string(), why: format!("{why}{hint}") }
}

#[cfg(test)]
mod tests;
