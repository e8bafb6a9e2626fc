//! OpenAI's HTTP API, and every server compatible with it.
//!
//! Law: the body goes out as it is given, but where its caller spoke another dialect: then what is not published is left out or unfit. The
//! credential is one sensitive header, made once. Deliberately absent: listing of models, vendor-side state.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::Full;
use policy_engine::vocabulary::Operation;

use super::{
    call::{Answer, AnswerBody, Api, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    line::{Form, Line, bearer, headers, post},
    multipart,
    secret::Secret,
    target::Target,
};
use crate::dialect::openai::{self, Reader};
use crate::dialect::{Unfit, responses, transcript};
use crate::tape::Tape;

/// Where the Responses API is, below the base URL.
pub(super) const RESPONSES: &str = "/responses";

/// OpenAI's own host.
const OPENAI: &str = "api.openai.com";

/// One endpoint that speaks OpenAI's dialect.
pub(crate) struct OpenAi {
    line: Line,
    places: Places,
    /// Who reads what is written there.
    reader: Reader,
    speaks_responses: bool,
    /// The headers of every request, the credential among them.
    headers: HeaderMap,
}

/// Where each operation is asked for.
struct Places {
    chat: Uri,
    embed: Uri,
    complete: Uri,
    moderate: Uri,
    rerank: Uri,
    image: Uri,
    edit_image: Uri,
    speech: Uri,
    transcribe: Uri,
    translate: Uri,
    responses: Uri,
}

/// Where an operation is asked for, below the base URL.
pub(super) fn path(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "/chat/completions",
        Operation::Embed => "/embeddings",
        Operation::Complete => "/completions",
        Operation::Moderate => "/moderations",
        Operation::Rerank => "/rerank",
        Operation::Image => "/images/generations",
        Operation::EditImage => "/images/edits",
        Operation::Speech => "/audio/speech",
        Operation::Transcribe => "/audio/transcriptions",
        Operation::Translate => "/audio/translations",
    }
}

impl Places {
    fn of(target: &Target) -> Result<Self, Fault> {
        let at = |operation| target.join(path(operation));
        Ok(Self {
            chat: at(Operation::Chat)?,
            embed: at(Operation::Embed)?,
            complete: at(Operation::Complete)?,
            moderate: at(Operation::Moderate)?,
            rerank: at(Operation::Rerank)?,
            image: at(Operation::Image)?,
            edit_image: at(Operation::EditImage)?,
            speech: at(Operation::Speech)?,
            transcribe: at(Operation::Transcribe)?,
            translate: at(Operation::Translate)?,
            responses: target.join(RESPONSES)?,
        })
    }

    fn place(&self, operation: Operation, api: Api) -> &Uri {
        match operation {
            Operation::Chat if api == Api::Responses => &self.responses,
            Operation::Chat => &self.chat,
            Operation::Embed => &self.embed,
            Operation::Complete => &self.complete,
            Operation::Moderate => &self.moderate,
            Operation::Rerank => &self.rerank,
            Operation::Image => &self.image,
            Operation::EditImage => &self.edit_image,
            Operation::Speech => &self.speech,
            Operation::Transcribe => &self.transcribe,
            Operation::Translate => &self.translate,
        }
    }
}

impl OpenAi {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let credential = config.credential.as_ref().map(|secret| Secret::new(secret.reveal().to_owned()));
        let shown = config.credential.as_ref().map(bearer);
        let places = Places::of(&target)?;
        let is_openai = places.chat.host() == Some(OPENAI);
        Ok(Self {
            reader: if is_openai { Reader::OpenAi } else { Reader::Vendor },
            speaks_responses: config.responses_api.unwrap_or(is_openai),
            headers: headers(shown)?,
            line: Line::build(config, &places.chat, credential.map(Arc::new))?,
            places,
        })
    }

    /// Whether it speaks the Responses API.
    pub(crate) fn speaks_responses(&self) -> bool {
        self.speaks_responses
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => rewrite(&mut call, self.reader)?,
            false => Vec::new(),
        };
        let to = self.places.place(call.operation, call.api).clone();
        let asked = Asked::of(&mut call)?;
        let deadline = call.deadline;
        let mut request = post(call, (to, asked.form), &self.headers);
        asked.type_of(&mut request);
        let answer = self.line.exchange(request, asked.form, deadline).await?;
        Ok(Answer { left_out, ..asked.read(answer)? })
    }
}

/// How an operation is asked for, and how its answer comes.
pub(super) struct Asked {
    /// What the answer is.
    pub(super) form: Form,
    /// The media type of a body that is a form.
    kind: Option<HeaderValue>,
    /// Whether the answer is bare text.
    plain: bool,
}

impl Asked {
    /// Of a call, whose body is made a form where its operation has one.
    pub(super) fn of(call: &mut Call) -> Result<Self, UpstreamError> {
        let form = match (call.stream, call.operation) {
            (_, Operation::Speech) => Form::Media,
            (true, _) => Form::Events,
            (false, _) => Form::Whole,
        };
        let (kind, plain) = match call.operation {
            Operation::EditImage => (Some(write_form(call)?), false),
            Operation::Transcribe | Operation::Translate => {
                let plain = is_plain(&call.body);
                (Some(write_form(call)?), plain)
            }
            _ => (None, false),
        };
        Ok(Self { form, kind, plain })
    }

    /// Says what the body of a request is.
    pub(super) fn type_of(&self, request: &mut Request<Full<Bytes>>) {
        if let Some(kind) = &self.kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
        }
    }

    /// An answer as the pipeline reads it.
    pub(super) fn read(&self, answer: Answer) -> Result<Answer, UpstreamError> {
        let body = if self.plain { wrapped(answer.body)? } else { answer.body };
        Ok(Answer { body, ..answer })
    }
}

/// Writes a body that may say more than the dialect has words for in those words; gives what had to be left out.
pub(super) fn rewrite(call: &mut Call, reader: Reader) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
    let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
    let written = openai::write::write(&chat, reader).map_err(UpstreamError::unfit)?;
    call.body = written.body.into();
    Ok(written.left_out)
}

/// Writes what is asked of the Responses API as a chat, for a vendor that does not speak it; gives what had to be left out.
pub(super) fn as_chat(call: &mut Call) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
    let asked = responses::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
    if let Some(field) = asked.beyond {
        return Err(UpstreamError::unfit(Unfit::new(
            field,
            "its vendor is asked for a chat, which has none",
        )));
    }
    let written = openai::write::write(&asked.chat, Reader::Pipeline).map_err(UpstreamError::unfit)?;
    (call.body, call.api, call.foreign) = (written.body.into(), Api::Chat, true);
    let left_out = asked.left_out.into_iter().map(Cow::Borrowed);
    Ok(left_out.chain(written.left_out).collect())
}

/// Writes the body of a call as the form it stands for; gives its media type.
fn write_form(call: &mut Call) -> Result<HeaderValue, UpstreamError> {
    // Nobody who writes a file may know it beforehand: what the file holds would else be read as fields.
    let mut drawn = [0; 16];
    let unlucky = |_| UpstreamError::caused(Kind::Protocol, "there is no chance to draw a boundary by");
    aws_lc_rs::rand::fill(&mut drawn).map_err(unlucky)?;
    let boundary = format!("chancery-{:032x}", u128::from_be_bytes(drawn));
    let (kind, body) = multipart::write(&call.body, &call.files, &boundary)?;
    call.body = body;
    Ok(kind)
}

/// Whether what was said is asked for as bare text.
fn is_plain(fields: &[u8]) -> bool {
    let mut tape = Tape::for_text(fields.len());
    let read = tape.read(fields).is_ok();
    let format = tape.root(fields).filter(|_| read).and_then(|root| root.get("response_format"));
    format.is_some_and(|format| transcript::plain(&format.text()).is_some())
}

/// Bare text as the pipeline reads it.
fn wrapped(body: AnswerBody) -> Result<AnswerBody, UpstreamError> {
    let AnswerBody::Whole(bytes) = body else { return Err(UpstreamError::new(Kind::Protocol)) };
    let text = transcript::wrap(&bytes);
    let text = text.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "what was said is not UTF-8"))?;
    Ok(AnswerBody::Whole(text.into()))
}

#[cfg(test)]
mod tests;
