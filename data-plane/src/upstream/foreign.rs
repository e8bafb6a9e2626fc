//! Vendors that speak another dialect than OpenAI's: what the pipeline has is written for them, and their answers as it reads them.
//!
//! Law: what can't be told to a vendor is not sent to it; what may be left out is told to the caller. What an answer does not say of itself, its
//! id and its model, is what the call had. Absent on purpose: the dialects (`dialect`), how a call shows whose it is (`pass`), choosing,
//! retrying.

mod place;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use policy_engine::vocabulary::Operation;
use zeroize::Zeroizing;

use super::{
    call::{Answer, AnswerBody, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, Refusal, UpstreamError},
    fetched::Fetch,
    line::{Form, Line, bearer, headers, post},
    pass::Pass,
    secret::Secret,
    target::{Target, bare_host},
};
use crate::dialect::answer::Answer as Told;
use crate::dialect::event::Start;
use crate::dialect::gemini::Api;
use crate::dialect::json::Json;
use crate::dialect::pictures::Unmade;
use crate::dialect::vendor::{Dialect, Framing};
use crate::dialect::{Unfit, openai};
use place::Places;

/// Google's hosts that know a caller by a bearer's token, and not by a key.
const BEARERS: &str = "aiplatform.googleapis.com";

/// One endpoint that speaks another dialect.
pub(crate) struct Vendor {
    dialect: Dialect,
    line: Line,
    pass: Pass,
    places: Places,
    /// Which of Google's two it is, where it is one.
    api: Api,
    fetch: Option<Arc<dyn Fetch>>,
    /// The headers of every request, the credential among them where it is one.
    headers: HeaderMap,
}

impl Vendor {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig, dialect: Dialect) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let base = target.join("/")?;
        let pass = Pass::build(config)?;
        let told = pass.secret().map(|secret| shown((dialect, &base), secret));
        let mut headers = headers(told)?;
        if dialect == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        Ok(Self {
            dialect,
            api: if is_vertex(&base) { Api::Vertex } else { Api::Gemini },
            headers,
            fetch: config.fetch.clone(),
            line: Line::build(config, &base, pass.watched())?,
            pass,
            places: Places::of(dialect, target),
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        match call.operation {
            Operation::Embed => return self.embed(call).await,
            Operation::Image => return self.picture(call).await,
            Operation::Rerank => return self.rerank(call).await,
            operation => chats(operation)?,
        }
        let mut chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        // Held until the vendor answers: for so long there is what was fetched.
        let _held = match &self.fetch {
            Some(fetch) => {
                fetch.bring(&mut chat, (self.dialect, self.api), (&call.noted, call.deadline)).await?
            }
            None => None,
        };
        let written = self.dialect.request(&chat, self.api).map_err(UpstreamError::unfit)?;
        let (model, stream) = (std::mem::take(&mut chat.model), chat.stream);
        // What was fetched stands in what was written: once is enough.
        drop(chat);
        let form = match (stream, self.dialect.framing()) {
            (false, _) => Form::Whole,
            (true, Framing::Events) => Form::Events,
            (true, Framing::Lines) => Form::Lines,
            (true, Framing::Frames) => Form::Frames,
        };
        let to = self.places.chat(&model, stream)?;
        call.body = written.body.into();
        let start = started(&call, model);
        let answer = self.exchange(call, (to, form), written.headers).await?;
        self.answer(answer, start, written.left_out)
    }

    /// Vectors, which not every one of the dialects has.
    async fn embed(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let model = call.model().map_err(|fault| UpstreamError::unread(&fault))?;
        let (written, reading) = self.dialect.embed(&model, &call.body).map_err(UpstreamError::unfit)?;
        let to = self.places.embed(&model)?;
        call.body = written.body.into();
        let answer = self.exchange(call, (to, Form::Whole), written.headers).await?;
        let AnswerBody::Whole(bytes) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let read = reading.read(&model, &bytes);
        let read = read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer has no vectors"))?;
        Ok(Answer { body: AnswerBody::Whole(read.into()), left_out: written.left_out, ..answer })
    }

    /// Pictures, which not every one of the dialects has.
    async fn picture(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let model = call.model().map_err(|fault| UpstreamError::unread(&fault))?;
        let written = self.dialect.picture(&model, &call.body).map_err(UpstreamError::unfit)?;
        let to = self.places.picture(&model)?;
        let start = started(&call, model);
        call.body = written.body.into();
        let answer = self.exchange(call, (to, Form::Whole), written.headers).await?;
        let AnswerBody::Whole(bytes) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let read = self.dialect.read_pictures(start.created.unwrap_or_default(), &bytes).map_err(unmade)?;
        Ok(Answer { body: AnswerBody::Whole(read.into()), left_out: written.left_out, ..answer })
    }

    /// The order of documents, which few of the dialects have.
    async fn rerank(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let (written, order) = self.dialect.rerank(&call.body).map_err(UpstreamError::unfit)?;
        let to = self.places.rerank()?;
        call.body = written.body.into();
        let answer = self.exchange(call, (to, Form::Whole), written.headers).await?;
        let AnswerBody::Whole(bytes) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let read = order.read(&bytes);
        let read =
            read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer orders no documents"))?;
        Ok(Answer { body: AnswerBody::Whole(read.into()), left_out: written.left_out, ..answer })
    }

    async fn exchange(
        &self,
        call: Call,
        (to, form): (Uri, Form),
        more: Vec<(&'static str, HeaderValue)>,
    ) -> Result<Answer, UpstreamError> {
        let (deadline, body) = (call.deadline, call.body.clone());
        let mut request = post(call, (to, form), &self.headers);
        let more = more.into_iter().map(|(name, value)| (HeaderName::from_static(name), value));
        request.headers_mut().extend(more);
        let answer = self.pass.exchange(&self.line, (request, body), (form, deadline)).await;
        answer.map_err(|error| self.refused(error))
    }

    /// A vendor's error with what it says of it where the pipeline looks for that.
    fn refused(&self, mut error: UpstreamError) -> UpstreamError {
        if let Kind::Status(refusal) = &mut error.kind {
            // The model failed, not the request: as a gateway's error it is, and is tried elsewhere.
            if refusal.status == StatusCode::FAILED_DEPENDENCY {
                refusal.status = StatusCode::BAD_GATEWAY;
            }
            // Google's word for a key that it does not know is a wrong request.
            if self.dialect == Dialect::Gemini
                && refusal.status == StatusCode::BAD_REQUEST
                && memchr::memmem::find(&refusal.body, b"API_KEY_INVALID").is_some()
            {
                refusal.status = StatusCode::UNAUTHORIZED;
            }
            let mut json = Json::default();
            if let Some(message) = self.dialect.message(&refusal.body) {
                json.object(|json| {
                    json.key("error").object(|json| json.key("message").string(&message));
                });
            }
            refusal.body = json.done().into();
        }
        error
    }

    /// The answer as the pipeline reads it.
    fn answer(
        &self,
        answer: Answer,
        start: Start,
        left_out: Vec<Cow<'static, str>>,
    ) -> Result<Answer, UpstreamError> {
        let body = match answer.body {
            AnswerBody::Whole(bytes) => {
                let read = self.dialect.read_answer(&bytes);
                let now = start.created.unwrap_or_default();
                AnswerBody::Whole(openai::answer::write(&named(read, start)?, now).into())
            }
            AnswerBody::Events(events) => {
                let spoken = (self.dialect.framing(), self.dialect.reading());
                AnswerBody::Events(events.translated(spoken, start))
            }
            AnswerBody::Media(_) => return Err(UpstreamError::new(Kind::Protocol)),
        };
        Ok(Answer { body, left_out, ..answer })
    }
}

/// Why there are no pictures: what a filter refused is refused as OpenAI's own does.
fn unmade(unmade: Unmade) -> UpstreamError {
    match unmade {
        Unmade::Unread => UpstreamError::caused(Kind::Protocol, "the answer has no pictures"),
        Unmade::Filtered => {
            let told = r#"{"error":{"code":"content_filter","message":"the vendor's filter refused it"}}"#;
            let body = Bytes::from_static(told.as_bytes());
            let refusal = Refusal { status: StatusCode::BAD_REQUEST, retry_after: None, body };
            UpstreamError::new(Kind::Status(Box::new(refusal)))
        }
    }
}

/// What was read of an answer, named by what the call had where it does not say.
pub(super) fn named(read: Option<Told>, start: Start) -> Result<Told, UpstreamError> {
    let mut read = read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer is none"))?;
    let told = [(&mut read.id, start.id), (&mut read.model, start.model)];
    told.into_iter().filter(|(told, _)| told.is_empty()).for_each(|(told, ours)| *told = ours);
    Ok(read)
}

/// Refuses whatever is no chat, as a vendor does that knows nothing else.
pub(super) fn chats(operation: Operation) -> Result<(), UpstreamError> {
    Err(lacks(match operation {
        Operation::Chat => return Ok(()),
        Operation::Embed => "its vendor has no vectors (`embed`)",
        Operation::Complete => "its vendor goes on with no texts (`complete`)",
        Operation::Moderate => "its vendor judges no content (`moderate`)",
        Operation::Rerank => "its vendor orders no documents (`rerank`)",
        Operation::Image => "its vendor makes no pictures (`image`)",
        Operation::EditImage => "its vendor changes no pictures (`editImage`)",
        Operation::Speech => "its vendor speaks no texts (`speech`)",
        Operation::Transcribe => "its vendor writes no speech down (`transcribe`)",
        Operation::Translate => "its vendor translates no speech (`translate`)",
    }))
}

/// What is asked for is nothing that the vendor does.
pub(super) fn lacks(what: &'static str) -> UpstreamError {
    UpstreamError::unfit(Unfit::new("model", what))
}

/// How the answer to a call begins where the vendor does not say; now, in seconds of Unix time.
pub(super) fn started(call: &Call, model: String) -> Start {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let id = call.request_id.to_str().map(|id| format!("chatcmpl-{id}"));
    Start { id: id.unwrap_or_default(), model, created: Some(now) }
}

/// Whether it is Google's other house for the same models.
pub(super) fn is_vertex(uri: &Uri) -> bool {
    let host = bare_host(uri.host().unwrap_or_default());
    host.ends_with(BEARERS) || host.starts_with("aiplatform.") && host.ends_with(".rep.googleapis.com")
}

/// The credential, and the header in which a vendor looks for it.
pub(super) fn shown((dialect, uri): (Dialect, &Uri), secret: &Secret) -> (HeaderName, Zeroizing<String>) {
    let as_it_is = || Zeroizing::new(secret.reveal().to_owned());
    match dialect {
        Dialect::Anthropic => (HeaderName::from_static("x-api-key"), as_it_is()),
        Dialect::Gemini if !is_vertex(uri) => (HeaderName::from_static("x-goog-api-key"), as_it_is()),
        Dialect::Gemini | Dialect::Bedrock | Dialect::Cohere => bearer(secret),
    }
}

#[cfg(test)]
mod tests;
