//! An API of the organisation's own, by its provider's template.
//!
//! Law: what the template has no place for is not sent; what it leaves out is told to the caller. Where it describes no streams, who asked for
//! one is given the whole answer in it. Absent on purpose: templates (`dialect::template`), how a call shows whose it is (`pass`), choosing,
//! retrying.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::utf8_percent_encode;
use policy_engine::facts::template::{Path, Piece};
use policy_engine::vocabulary::StreamFraming;
use zeroize::Zeroizing;

use super::{
    call::{Answer, AnswerBody, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    events::EventStream,
    foreign::{chats, named, started},
    line::{Form, Line, bearer, headers, post},
    pass::Pass,
    secret::Secret,
    target::{SEGMENT, Target},
};
use crate::dialect::event::Start;
use crate::dialect::json::Json;
use crate::dialect::openai;
use crate::dialect::template::{Plan, answer, events, write};
use crate::dialect::vendor::{Framing, Reading};

/// One endpoint that is spoken to by a template.
pub(crate) struct Custom {
    plan: Arc<Plan>,
    target: Target,
    line: Line,
    pass: Pass,
    /// The headers of every request, the credential among them where it is one.
    headers: HeaderMap,
}

impl Custom {
    /// Checks the base URL, the template and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let base = target.join("/")?;
        let pass = Pass::build(config)?;
        let plan = Plan::of(config.template.clone().ok_or(Fault::Template)?);
        let ask = &plan.template().ask;
        let mut headers = headers(pass.secret().map(|secret| shown(&ask.credential_header, secret)))?;
        for (name, value) in &ask.headers {
            let name = HeaderName::try_from(name).map_err(|_| Fault::Template)?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| Fault::Template)?);
        }
        Ok(Self {
            line: Line::build(config, &base, pass.watched())?,
            plan: Arc::new(plan),
            target,
            pass,
            headers,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        chats(call.operation)?;
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let written = write::write(&chat, &self.plan).map_err(UpstreamError::unfit)?;
        let template = self.plan.template();
        let stream = template.stream.as_ref().filter(|_| chat.stream);
        let form = match stream.map(|stream| stream.framing) {
            None => Form::Whole,
            Some(StreamFraming::Events) => Form::Events,
            Some(StreamFraming::Lines) => Form::Lines,
        };
        let path = stream.and_then(|stream| stream.path.as_ref()).unwrap_or(&template.ask.path);
        let to = self.place(path, &chat.model)?;
        call.body = written.body.into();
        let start = started(&call, chat.model);
        let (deadline, body) = (call.deadline, call.body.clone());
        let request = post(call, (to, form), &self.headers);
        let answer = self.pass.exchange(&self.line, (request, body), (form, deadline)).await;
        let answer = answer.map_err(|error| self.refused(error))?;
        Ok(Answer { left_out: written.left_out, ..self.answer(answer, chat.stream, start)? })
    }

    /// Where a call goes; the model's name is one segment of the path, whatever it is.
    fn place(&self, path: &Path, model: &str) -> Result<Uri, UpstreamError> {
        let no_path = || UpstreamError::caused(Kind::Connect, "the model's name there makes no path");
        let mut below = String::new();
        for piece in &path.pieces {
            match piece {
                Piece::Words(words) => below.push_str(words),
                Piece::Gap(_) if model.bytes().all(|byte| byte == b'.') => return Err(no_path()),
                Piece::Gap(_) => below.extend(utf8_percent_encode(model, SEGMENT)),
            }
        }
        self.target.join(&below).map_err(|_| no_path())
    }

    /// A vendor's error with what it says of it where the pipeline looks for that.
    fn refused(&self, mut error: UpstreamError) -> UpstreamError {
        if let Kind::Status(refusal) = &mut error.kind
            && let Some(message) = answer::message(&self.plan.template().told, &refusal.body)
        {
            let mut json = Json::default();
            json.object(|json| json.key("error").object(|json| json.key("message").string(&message)));
            refusal.body = json.done().into();
        }
        error
    }

    /// The answer as the pipeline reads it.
    fn answer(&self, answer: Answer, as_stream: bool, start: Start) -> Result<Answer, UpstreamError> {
        let told = &self.plan.template().told;
        let body = match answer.body {
            AnswerBody::Whole(bytes) => {
                let now = start.created.unwrap_or_default();
                let read = named(answer::read(told, &bytes), start)?;
                match as_stream {
                    true => AnswerBody::Events(EventStream::told(answer::as_events(read, now).into())),
                    false => AnswerBody::Whole(openai::answer::write(&read, now).into()),
                }
            }
            AnswerBody::Events(said) => {
                let framing = match self.plan.template().stream.as_ref().map(|stream| stream.framing) {
                    Some(StreamFraming::Lines) => Framing::Lines,
                    Some(StreamFraming::Events) | None => Framing::Events,
                };
                let reading = Reading::Template(events::Reading::of(Arc::clone(&self.plan)));
                AnswerBody::Events(said.translated((framing, reading), start))
            }
            AnswerBody::Media(_) => return Err(UpstreamError::new(Kind::Protocol)),
        };
        Ok(Answer { body, ..answer })
    }
}

/// The credential, and the header in which the API looks for it.
fn shown(header: &str, secret: &Secret) -> (HeaderName, Zeroizing<String>) {
    match HeaderName::try_from(header) {
        Ok(name) => (name, Zeroizing::new(secret.reveal().to_owned())),
        Err(_) => bearer(secret),
    }
}

#[cfg(test)]
mod tests;
