//! The OpenAI dialect over HTTP/1.1.

use std::{collections::VecDeque, sync::Once};

use anyhow::{Context, Result, bail, ensure};
use http::HeaderMap;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use super::{
    Ask, Caller, Operation,
    told::{Head, Refused, Step, Told},
};

/// A client without proxies; each holds connections of its own.
pub fn client() -> Result<Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
    Ok(Client::builder().no_proxy().build()?)
}

/// What is at a URL, however it is; for ports of operators.
pub async fn get(url: &str) -> Result<Response> {
    Ok(client()?.get(url).send().await?)
}

/// An event stream as it comes.
pub struct Events {
    head: Head,
    response: Response,
    read: Vec<u8>,
    steps: VecDeque<Step>,
    broken: Option<Refused>,
    done: bool,
}

/// The same, trusting the caller's roots as well.
fn client_of(caller: &Caller) -> Result<Client> {
    let Some(roots) = &caller.roots else { return client() };
    client()?;
    let root = reqwest::Certificate::from_pem(roots.as_bytes())?;
    Ok(Client::builder().no_proxy().add_root_certificate(root).build()?)
}

fn request(caller: &Caller, ask: &Ask) -> Result<RequestBuilder> {
    let mut request = client_of(caller)?.post(format!("{}{}", caller.url, ask.path())).json(&ask.body());
    if let Some(key) = &caller.key {
        request = request.bearer_auth(key);
    }
    Ok(ask.headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

pub(super) async fn ask(caller: &Caller, ask: &Ask) -> Result<Result<Told, Refused>> {
    let response = request(caller, ask)?.send().await?;
    let (status, head) = (response.status(), head(response.headers()));
    let body: Value = response.json().await.context("the answer is not JSON")?;
    if !status.is_success() {
        return Ok(Err(refused(status.as_u16(), head, &body)?));
    }
    let mut told = Told { head, model: text(&body, "/model"), usage: usage(&body), ..Told::default() };
    match ask.operation {
        Operation::Embed => {
            let vectors = body.pointer("/data").and_then(Value::as_array).context("no `data`")?;
            let vector = |item: &Value| {
                Ok(serde_json::from_value(item.get("embedding").cloned().unwrap_or_default())?)
            };
            told.vectors = vectors.iter().map(vector).collect::<Result<_>>()?;
        }
        Operation::Chat => {
            told.choices = body.pointer("/choices").and_then(Value::as_array).map_or(0, Vec::len);
            told.text = text(&body, "/choices/0/message/content");
            told.finish = text(&body, "/choices/0/finish_reason");
        }
    }
    Ok(Ok(told))
}

pub(super) async fn open(caller: &Caller, ask: &Ask) -> Result<Result<Events, Refused>> {
    let response = request(caller, ask)?.send().await?;
    let (status, head) = (response.status(), head(response.headers()));
    if !status.is_success() {
        let body: Value = response.json().await.context("the refusal is not JSON")?;
        return Ok(Err(refused(status.as_u16(), head, &body)?));
    }
    let kind = head.get("content-type").map_or("", String::as_str);
    ensure!(kind.starts_with("text/event-stream"), "a stream came as `{kind}`");
    let (read, steps) = (Vec::new(), VecDeque::new());
    Ok(Ok(Events { head, response, read, steps, broken: None, done: false }))
}

pub(super) async fn models(caller: &Caller) -> Result<Result<Vec<String>, Refused>> {
    let request = client_of(caller)?.get(format!("{}/v1/models", caller.url));
    let request = caller.key.iter().fold(request, |request, key| request.bearer_auth(key));
    let response = request.send().await?;
    let (status, head) = (response.status(), head(response.headers()));
    let body: Value = response.json().await?;
    if !status.is_success() {
        return Ok(Err(refused(status.as_u16(), head, &body)?));
    }
    let models = body.get("data").and_then(Value::as_array).context("no `data`")?;
    Ok(Ok(models.iter().map(|model| text(model, "/id")).collect()))
}

impl Events {
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) async fn next(&mut self) -> Result<Result<Option<Step>, Refused>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Ok(Some(step)));
            }
            if let Some(refused) = self.broken.take() {
                return Ok(Err(refused));
            }
            if self.done {
                return Ok(Ok(None));
            }
            match self.response.chunk().await.context("the stream broke off without a word")? {
                Some(bytes) => self.read.extend_from_slice(&bytes),
                None => bail!("the stream ended without `[DONE]` and without an error"),
            }
            while let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                self.event(std::str::from_utf8(&event)?)?;
            }
        }
    }

    fn event(&mut self, event: &str) -> Result<()> {
        for line in event.lines() {
            match line.strip_prefix("data:").map(str::trim_start) {
                Some("[DONE]") => self.done = true,
                Some(text) => self.chunk(&serde_json::from_str(text)?)?,
                None => {}
            }
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: &Value) -> Result<()> {
        if chunk.get("error").is_some() {
            self.broken = Some(refused(0, self.head.clone(), chunk)?);
            return Ok(());
        }
        ensure!(!self.done, "an event came after `[DONE]`");
        for choice in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
            let at = usize::try_from(choice.get("index").and_then(Value::as_u64).unwrap_or_default())?;
            if choice.pointer("/delta/role").is_some() {
                self.steps.push_back(Step::Start(text(chunk, "/model")));
            }
            let more = text(choice, "/delta/content");
            if !more.is_empty() {
                self.steps.push_back(Step::Text(at, more));
            }
            let finish = text(choice, "/finish_reason");
            if !finish.is_empty() {
                self.steps.push_back(Step::Finish(at, finish));
            }
        }
        if let Some((input, output)) = usage(chunk) {
            self.steps.push_back(Step::Usage(input, output));
        }
        Ok(())
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn usage(value: &Value) -> Option<(u64, u64)> {
    let usage = value.get("usage")?;
    let output = usage.get("completion_tokens").and_then(Value::as_u64).unwrap_or(0);
    Some((usage.get("prompt_tokens")?.as_u64()?, output))
}

fn head(headers: &HeaderMap) -> Head {
    let mut head = Head::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let known = head.entry(name.as_str().to_owned()).or_default();
        if !known.is_empty() {
            known.push('\n');
        }
        known.push_str(&value);
    }
    head
}

/// A refusal in OpenAI's shape; anything else is an error.
fn refused(status: u16, head: Head, body: &Value) -> Result<Refused> {
    let error = body.get("error").with_context(|| format!("{status} without `error`: {body}"))?;
    for known in ["message", "type", "code"] {
        ensure!(error.get(known).is_some_and(Value::is_string), "the error has no `{known}`: {body}");
    }
    ensure!(
        error.get("param").is_some_and(|param| param.is_null() || param.is_string()),
        "no `param`: {body}"
    );
    let reasons = error.pointer("/chancery/reasons").and_then(Value::as_array).into_iter().flatten();
    Ok(Refused {
        status,
        code: text(error, "/code"),
        message: text(error, "/message"),
        reasons: reasons.map(|reason| text(reason, "/code")).collect(),
        field: text(error, "/param"),
        retry_after: head.get("retry-after").map(|value| value.parse()).transpose()?,
        head,
        before: None,
    })
}
