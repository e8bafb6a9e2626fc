//! OpenAI's HTTP API, and every server compatible with it.
//!
//! Law: the body goes out as it is given, but where its caller spoke another dialect: then what is not published is left out or unfit. The
//! credential is one sensitive header, made once. Deliberately absent: listing of models, vendor-side state.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Uri, header};
use policy_engine::vocabulary::Operation;

use super::{
    call::{Answer, AnswerBody, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    line::{Form, Line, bearer, headers, post},
    multipart,
    secret::Secret,
    target::Target,
};
use crate::dialect::openai::{self, Reader};
use crate::dialect::transcript;
use crate::tape::Tape;

/// OpenAI's own host.
const OPENAI: &str = "api.openai.com";

/// One endpoint that speaks OpenAI's dialect.
pub(crate) struct OpenAi {
    line: Line,
    places: Places,
    /// Who reads what is written there.
    reader: Reader,
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
}

impl Places {
    fn of(target: &Target) -> Result<Self, Fault> {
        Ok(Self {
            chat: target.join("/chat/completions")?,
            embed: target.join("/embeddings")?,
            complete: target.join("/completions")?,
            moderate: target.join("/moderations")?,
            rerank: target.join("/rerank")?,
            image: target.join("/images/generations")?,
            edit_image: target.join("/images/edits")?,
            speech: target.join("/audio/speech")?,
            transcribe: target.join("/audio/transcriptions")?,
            translate: target.join("/audio/translations")?,
        })
    }

    fn place(&self, operation: Operation) -> &Uri {
        match operation {
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
        Ok(Self {
            reader: if places.chat.host() == Some(OPENAI) { Reader::OpenAi } else { Reader::Vendor },
            headers: headers(shown)?,
            line: Line::build(config, &places.chat, credential.map(Arc::new))?,
            places,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => self.rewrite(&mut call)?,
            false => Vec::new(),
        };
        let to = self.places.place(call.operation).clone();
        let form = match (call.stream, call.operation) {
            (_, Operation::Speech) => Form::Media,
            (true, _) => Form::Events,
            (false, _) => Form::Whole,
        };
        let (deadline, operation) = (call.deadline, call.operation);
        let (kind, plain) = match operation {
            Operation::EditImage => (Some(write_form(&mut call)?), false),
            Operation::Transcribe | Operation::Translate => {
                let plain = is_plain(&call.body);
                (Some(write_form(&mut call)?), plain)
            }
            _ => (None, false),
        };
        let mut request = post(call, (to, form), &self.headers);
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        let answer = self.line.exchange(request, form, deadline).await?;
        let body = if plain { wrapped(answer.body)? } else { answer.body };
        Ok(Answer { left_out, body, ..answer })
    }

    /// Writes a body that may say more than the dialect has words for in those words; gives what had to be left out.
    fn rewrite(&self, call: &mut Call) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let written = openai::write::write(&chat, self.reader).map_err(UpstreamError::unfit)?;
        call.body = written.body.into();
        Ok(written.left_out)
    }
}

/// Writes the body of a call as the form it stands for; gives its media type.
fn write_form(call: &mut Call) -> Result<HeaderValue, UpstreamError> {
    let boundary = format!("chancery-{}", call.request_id.to_str().unwrap_or("form"));
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
