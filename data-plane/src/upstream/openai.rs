//! OpenAI's HTTP API, and every server compatible with it.
//!
//! Law: the body goes out as it is given; the credential is one sensitive header, made once. Deliberately absent:
//! reading or writing the dialect (the pipeline patches bytes), listing of models, vendor-side state.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use policy_engine::vocabulary::Operation;

use super::{
    call::{Answer, Call},
    config::{EndpointConfig, Fault},
    error::UpstreamError,
    foreign::{unfit, unread},
    line::{Form, Line},
    secret::Secret,
    target::Target,
};
use crate::dialect::openai::{self, Reader};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
/// OpenAI's own host.
const OPENAI: &str = "api.openai.com";

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One endpoint that speaks OpenAI's dialect.
pub(crate) struct OpenAi {
    line: Line,
    chat: Uri,
    embeddings: Uri,
    /// Who reads what is written there.
    reader: Reader,
    /// The headers of every request, the credential among them.
    headers: HeaderMap,
}

impl OpenAi {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let credential = config.credential.as_ref().map(|secret| Secret::new(secret.reveal().to_owned()));
        let chat = target.join("/chat/completions")?;
        Ok(Self {
            embeddings: target.join("/embeddings")?,
            reader: if chat.host() == Some(OPENAI) { Reader::OpenAi } else { Reader::Vendor },
            headers: headers(config.credential.as_ref())?,
            line: Line::build(config, &chat, credential.map(Arc::new))?,
            chat,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => self.rewrite(&mut call)?,
            false => Vec::new(),
        };
        let form = if call.stream { Form::Events } else { Form::Whole };
        let deadline = call.deadline;
        let answer = self.line.exchange(self.request(call), form, deadline).await?;
        Ok(Answer { left_out, ..answer })
    }

    /// Writes a body that may say more than the dialect has words for in those words; gives what had to be left out.
    fn rewrite(&self, call: &mut Call) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
        let chat = openai::read::read(&call.body).map_err(|fault| unread(&fault))?;
        let written = openai::write::write(&chat, self.reader).map_err(unfit)?;
        call.body = written.body.into();
        Ok(written.left_out)
    }

    fn request(&self, call: Call) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = match call.operation {
            Operation::Chat => self.chat.clone(),
            Operation::Embed => self.embeddings.clone(),
        };
        let mut headers = self.headers.clone();
        let accept = if call.stream { "text/event-stream" } else { "application/json" };
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers.insert(REQUEST_ID, call.request_id);
        if let Some(traceparent) = call.traceparent {
            headers.insert(TRACEPARENT, traceparent);
        }
        *request.headers_mut() = headers;
        request
    }
}

fn headers(credential: Option<&Secret>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("chancery/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(secret) = credential {
        let line = zeroize::Zeroizing::new(format!("Bearer {}", secret.reveal()));
        let mut value = HeaderValue::from_str(&line).map_err(|_| Fault::Credential)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
