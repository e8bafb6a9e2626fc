//! Vendors that speak another dialect than OpenAI's: what the pipeline has is written for them, and their answers as it reads them.
//!
//! Law: what can't be told to a vendor is not sent to it; what may be left out is told to the caller. The credential is one sensitive
//! header, made once. Absent on purpose: the dialects (`dialect`), choosing, retrying.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use policy_engine::vocabulary::Operation;
use zeroize::Zeroizing;

use super::{
    call::{Answer, AnswerBody, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    line::{Form, Line, bearer, headers, post},
    secret::Secret,
    target::{Target, bare_host},
};
use crate::dialect::field::BodyFault;
use crate::dialect::foreign::Foreign;
use crate::dialect::gemini::Api;
use crate::dialect::json::Json;
use crate::dialect::{Unfit, gemini, openai};
use crate::tape::Tape;

/// Google's hosts that know a caller by a bearer's token, and not by a key.
const BEARERS: &str = "aiplatform.googleapis.com";

/// One endpoint that speaks another dialect.
pub(crate) struct Vendor {
    dialect: Foreign,
    line: Line,
    target: Target,
    /// Which of Google's two it is, where it is one.
    api: Api,
    /// Where a dialect has one place for every model.
    messages: Uri,
    /// The headers of every request, the credential among them.
    headers: HeaderMap,
}

impl Vendor {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig, dialect: Foreign) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let credential = config.credential.as_ref().map(|secret| Secret::new(secret.reveal().to_owned()));
        let messages = target.join("/messages")?;
        let told = config.credential.as_ref().map(|secret| shown((dialect, &messages), secret));
        let mut headers = headers(told)?;
        if dialect == Foreign::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        Ok(Self {
            dialect,
            api: if is_vertex(&messages) { Api::Vertex } else { Api::Gemini },
            headers,
            line: Line::build(config, &messages, credential.map(Arc::new))?,
            messages,
            target,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        match call.operation {
            Operation::Chat => {}
            Operation::Embed => return self.embed(call).await,
            Operation::Complete => return Err(lacks("its vendor goes on with no texts (`complete`)")),
            Operation::Moderate => return Err(lacks("its vendor judges no content (`moderate`)")),
            Operation::Rerank => return Err(lacks("its vendor orders no documents (`rerank`)")),
            Operation::Image => return Err(lacks("its vendor makes no pictures (`image`)")),
            Operation::EditImage => return Err(lacks("its vendor changes no pictures (`editImage`)")),
            Operation::Speech => return Err(lacks("its vendor speaks no texts (`speech`)")),
            Operation::Transcribe => return Err(lacks("its vendor writes no speech down (`transcribe`)")),
            Operation::Translate => return Err(lacks("its vendor translates no speech (`translate`)")),
        }
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let written = self.dialect.request(&chat, self.api).map_err(UpstreamError::unfit)?;
        let (form, deadline) = (if chat.stream { Form::Events } else { Form::Whole }, call.deadline);
        let to = match self.dialect {
            Foreign::Anthropic => self.messages.clone(),
            Foreign::Gemini if chat.stream => self.of_model(&chat.model, "streamGenerateContent?alt=sse")?,
            Foreign::Gemini => self.of_model(&chat.model, "generateContent")?,
        };
        call.body = written.body.into();
        let mut request = post(call, (to, form), &self.headers);
        request
            .headers_mut()
            .extend(written.headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)));
        let answer = self.line.exchange(request, form, deadline).await;
        let answer = answer.map_err(|error| self.refused(error))?;
        self.answer(answer, written.left_out)
    }

    /// Vectors, which one of the dialects has.
    async fn embed(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        if self.dialect != Foreign::Gemini {
            return Err(lacks("its vendor has no vectors"));
        }
        let (written, encoding) = gemini::embed::write(&call.body).map_err(UpstreamError::unfit)?;
        let model = model(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let (to, deadline) = (self.of_model(&model, "batchEmbedContents")?, call.deadline);
        call.body = written.body.into();
        let request = post(call, (to, Form::Whole), &self.headers);
        let answer = self.line.exchange(request, Form::Whole, deadline).await;
        let answer = answer.map_err(|error| self.refused(error))?;
        let AnswerBody::Whole(bytes) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let read = gemini::embed::read_answer(&model, encoding, &bytes);
        let read = read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer has no vectors"))?;
        Ok(Answer { body: AnswerBody::Whole(read.into()), left_out: written.left_out, ..answer })
    }

    /// Where a model answers that is named in the path. The name is an administrator's, and is no path of its own.
    fn of_model(&self, model: &str, verb: &str) -> Result<Uri, UpstreamError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@/:".contains(&byte);
        let is_name =
            !model.is_empty() && model.bytes().all(fits) && !model.split('/').any(|part| part == "..");
        let path = match model.contains('/') {
            true => format!("/{model}:{verb}"),
            false => format!("/models/{model}:{verb}"),
        };
        let uri = self.target.join(&path).ok().filter(|_| is_name);
        uri.ok_or_else(|| UpstreamError::caused(Kind::Connect, "the model's name there makes no path"))
    }

    /// A vendor's error with what it says of it where the pipeline looks for that.
    fn refused(&self, mut error: UpstreamError) -> UpstreamError {
        if let Kind::Status(refusal) = &mut error.kind {
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
    fn answer(&self, answer: Answer, left_out: Vec<Cow<'static, str>>) -> Result<Answer, UpstreamError> {
        let body = match answer.body {
            AnswerBody::Whole(bytes) => {
                let read = self.dialect.read_answer(&bytes);
                let read = read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer is none"))?;
                AnswerBody::Whole(openai::answer::write(&read, now()).into())
            }
            AnswerBody::Events(events) => AnswerBody::Events(events.translated(self.dialect, now())),
            AnswerBody::Media(_) => return Err(UpstreamError::new(Kind::Protocol)),
        };
        Ok(Answer { body, left_out, ..answer })
    }
}

/// What is asked for is nothing that the vendor does.
fn lacks(what: &'static str) -> UpstreamError {
    UpstreamError::unfit(Unfit::new("model", what))
}

/// The model that a body names.
fn model(body: &[u8]) -> Result<String, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let named = tape.root(body).and_then(|root| root.get("model"));
    named.map(|model| model.text().into_owned()).ok_or_else(|| BodyFault::Missing("model".to_owned()))
}

/// Seconds of Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether it is Google's other house for the same models.
fn is_vertex(uri: &Uri) -> bool {
    bare_host(uri.host().unwrap_or_default()).ends_with(BEARERS)
}

/// The credential, and the header in which a vendor looks for it.
fn shown((dialect, uri): (Foreign, &Uri), secret: &Secret) -> (HeaderName, Zeroizing<String>) {
    let as_it_is = || Zeroizing::new(secret.reveal().to_owned());
    match dialect {
        Foreign::Anthropic => (HeaderName::from_static("x-api-key"), as_it_is()),
        Foreign::Gemini if is_vertex(uri) => bearer(secret),
        Foreign::Gemini => (HeaderName::from_static("x-goog-api-key"), as_it_is()),
    }
}

#[cfg(test)]
mod tests;
