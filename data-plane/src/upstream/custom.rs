//! What is the organisation's own: an API by its provider's template, an endpoint of Amazon SageMaker, a function of AWS Lambda.
//!
//! Law: what the template has no place for is not sent; what it leaves out is told to the caller. Without a template, OpenAI's dialect is
//! spoken, as it came. Where there are no streams, who asked for one is given the whole answer in it. Absent on purpose: templates
//! (`dialect::template`), how a call shows whose it is (`pass`), choosing, retrying.
//!
//! | place | path below the base URL | a stream |
//! |---|---|---|
//! | an API | the template's | as the template says |
//! | SageMaker | `/endpoints/MODEL/invocations` | the container's own, in `PayloadPart` frames |
//! | Lambda | `/2015-03-31/functions/MODEL/invocations` | as the template says, in `PayloadChunk` frames; without one, none |

mod place;
mod refused;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use policy_engine::facts::template::{Embed, Pointer};
use policy_engine::vocabulary::{Operation, StreamFraming};
use zeroize::Zeroizing;

use super::{
    call::{Answer, AnswerBody, Call},
    config::{EndpointConfig, Fault, Place},
    cut::Carrier,
    error::{Kind, UpstreamError},
    events::EventStream,
    foreign::{chats, lacks, named, started},
    line::{Form, Line, bearer, headers, post},
    openai::rewrite,
    pass::Pass,
    secret::Secret,
    target::Target,
};
use crate::dialect::event::Start;
use crate::dialect::json::Json;
use crate::dialect::openai::{self, Reader};
use crate::dialect::template::{self, Growth, Plan, answer, events, write};
use crate::dialect::vendor::{Framing, Reading};
use crate::tape::Tape;

/// The most bytes of one frame, where an answer may have as many.
const FRAME_BYTES: usize = 16 << 20;

/// One endpoint of the organisation's own.
pub(crate) struct Custom {
    place: Place,
    /// `None`: it speaks OpenAI's dialect.
    plan: Option<Arc<Plan>>,
    target: Target,
    line: Line,
    pass: Pass,
    /// The headers of every request, the credential among them where it is one.
    headers: HeaderMap,
    /// The most bytes of one frame.
    frame_bytes: usize,
}

/// A call on its way.
struct Asked {
    left_out: Vec<Cow<'static, str>>,
    model: String,
    /// How the answer comes.
    form: Form,
    /// Whether the caller wants it as a stream.
    as_stream: bool,
}

impl Custom {
    /// Checks the base URL, the template and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig, place: Place) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let base = target.join("/")?;
        let pass = Pass::build(config)?;
        let plan = config.template.clone().map(Plan::of);
        let ask = plan.as_ref().map(|plan| &plan.template().ask);
        if ask.is_none() && place == Place::Http {
            return Err(Fault::Template);
        }
        let header = ask.map_or("", |ask| ask.credential_header.as_str());
        let mut headers = headers(pass.secret().map(|secret| shown(header, secret)))?;
        for (name, value) in ask.into_iter().flat_map(|ask| &ask.headers) {
            let name = HeaderName::try_from(name).map_err(|_| Fault::Template)?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| Fault::Template)?);
        }
        let line = Line::build(config, &base, pass.watched())?;
        let frame_bytes = FRAME_BYTES.min(config.caps.max_answer_bytes);
        Ok(Self { place, line, plan: plan.map(Arc::new), target, pass, headers, frame_bytes })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        if call.operation == Operation::Embed
            && let Some(plan) = &self.plan
            && let Some(embed) = &plan.template().embed
        {
            return self.embed(call, (plan, embed)).await;
        }
        chats(call.operation)?;
        let asked = match &self.plan {
            Some(plan) => self.fill(&mut call, plan)?,
            None => self.pass_on(&mut call)?,
        };
        let to = self.to(&asked)?;
        let start = started(&call, asked.model);
        let error = self.plan.as_ref().and_then(|plan| plan.template().told.error.as_ref());
        let answer = self.exchange(call, (to, asked.form), error).await?;
        Ok(Answer { left_out: asked.left_out, ..self.answer(answer, asked.as_stream, start)? })
    }

    /// How much is sent of a request.
    pub(super) fn growth(&self, operation: Operation) -> Growth {
        self.plan.as_ref().map_or(Growth::NONE, |plan| plan.growth(operation))
    }

    /// Vectors, by the template of them.
    async fn embed(&self, mut call: Call, (plan, embed): (&Plan, &Embed)) -> Result<Answer, UpstreamError> {
        let (written, vectors) =
            template::embed::write(&call.body, plan, embed).map_err(UpstreamError::unfit)?;
        let to = match self.place {
            Place::Http => place::below(&self.target, &embed.path, vectors.model())?,
            Place::SageMaker => place::endpoint(&self.target, vectors.model(), false)?,
            Place::Lambda => place::function(&self.target, vectors.model(), false)?,
        };
        call.body = written.body.into();
        let answer = self.exchange(call, (to, Form::Whole), embed.error.as_ref()).await?;
        let AnswerBody::Whole(bytes) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let read = vectors.read(embed, &bytes);
        let read =
            read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer has no such vectors"))?;
        Ok(Answer { body: AnswerBody::Whole(read.into()), left_out: written.left_out, ..answer })
    }

    /// Asks; where an error says what it is, is told.
    async fn exchange(
        &self,
        call: Call,
        (to, form): (Uri, Form),
        error: Option<&Pointer>,
    ) -> Result<Answer, UpstreamError> {
        let (deadline, body) = (call.deadline, call.body.clone());
        let request = post(call, (to, form), &self.headers);
        let answer = self.pass.exchange(&self.line, (request, body), (form, deadline)).await;
        let answer = answer.map_err(|failure| refused::told(failure, (self.place, error)))?;
        refused::failed(&answer)?;
        Ok(answer)
    }

    /// Writes the body by the template.
    fn fill(&self, call: &mut Call, plan: &Plan) -> Result<Asked, UpstreamError> {
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let body = plan.template().ask.body.as_ref();
        let body = body.ok_or_else(|| lacks("its template has no chats (`chat`)"))?;
        let written = write::write(&chat, (plan, body), call.body.len()).map_err(UpstreamError::unfit)?;
        call.body = written.body.into();
        let stream = plan.template().stream.as_ref().filter(|_| chat.stream);
        let form = match (stream.map(|stream| stream.framing), self.place) {
            (None, _) => Form::Whole,
            (_, Place::SageMaker | Place::Lambda) => Form::Frames,
            (Some(StreamFraming::Events), Place::Http) => Form::Events,
            (Some(StreamFraming::Lines), Place::Http) => Form::Lines,
        };
        Ok(Asked { left_out: written.left_out, model: chat.model, form, as_stream: chat.stream })
    }

    /// Leaves the body in OpenAI's dialect, but for what the place makes another: the model is the place itself, which a container may know
    /// by another name; a function has no streams.
    fn pass_on(&self, call: &mut Call) -> Result<Asked, UpstreamError> {
        let model = call.model().map_err(|fault| UpstreamError::unread(&fault))?;
        let left_out = if call.foreign { rewrite(call, Reader::Vendor)? } else { Vec::new() };
        let (form, without): (_, &[&str]) = match (self.place, call.stream) {
            (Place::Lambda, true) => (Form::Whole, &["stream", "stream_options"]),
            (Place::SageMaker, true) => (Form::Frames, &["model"]),
            (Place::SageMaker, false) => (Form::Whole, &["model"]),
            (Place::Lambda | Place::Http, _) => (Form::Whole, &[]),
        };
        if let Some(body) = lacking(&call.body, without) {
            call.body = body;
        }
        Ok(Asked { left_out, model, form, as_stream: call.stream })
    }

    fn to(&self, asked: &Asked) -> Result<Uri, UpstreamError> {
        let stream = asked.form != Form::Whole;
        match (self.place, &self.plan) {
            (Place::Http, Some(plan)) => place::api(&self.target, plan.template(), (&asked.model, stream)),
            (Place::Http, None) => Err(place::no_path()),
            (Place::SageMaker, _) => place::endpoint(&self.target, &asked.model, stream),
            (Place::Lambda, _) => place::function(&self.target, &asked.model, stream),
        }
    }

    /// The answer as the pipeline reads it.
    fn answer(&self, answer: Answer, as_stream: bool, start: Start) -> Result<Answer, UpstreamError> {
        let body = match answer.body {
            AnswerBody::Whole(bytes) => self.whole(bytes, as_stream, start)?,
            AnswerBody::Events(said) => {
                let bytes = match self.place {
                    Place::Http => said,
                    Place::SageMaker => said.unframed(self.frame_bytes, Carrier::Parts),
                    Place::Lambda => said.unframed(self.frame_bytes, Carrier::Chunks),
                };
                AnswerBody::Events(match &self.plan {
                    Some(plan) => bytes.translated((framing(plan), reading(plan)), start),
                    None => bytes,
                })
            }
            AnswerBody::Media(_) => return Err(UpstreamError::new(Kind::Protocol)),
        };
        Ok(Answer { body, ..answer })
    }

    fn whole(&self, bytes: Bytes, as_stream: bool, start: Start) -> Result<AnswerBody, UpstreamError> {
        let read = match &self.plan {
            Some(plan) => answer::read(&plan.template().told, &bytes),
            None if as_stream => openai::answer::read(&bytes),
            None => return Ok(AnswerBody::Whole(bytes)),
        };
        let now = start.created.unwrap_or_default();
        let read = named(read, start)?;
        Ok(match as_stream {
            true => AnswerBody::Events(EventStream::told(openai::whole::as_events(read, now).into())),
            false => AnswerBody::Whole(openai::answer::write(&read, now).into()),
        })
    }
}

fn framing(plan: &Plan) -> Framing {
    match plan.template().stream.as_ref().map(|stream| stream.framing) {
        Some(StreamFraming::Lines) => Framing::Lines,
        Some(StreamFraming::Events) | None => Framing::Events,
    }
}

fn reading(plan: &Arc<Plan>) -> Reading {
    Reading::Template(events::Reading::of(Arc::clone(plan)))
}

/// A body without some of its members; `None`: it has none of them.
fn lacking(body: &[u8], names: &[&str]) -> Option<Bytes> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    names.iter().find(|name| root.get(name).is_some())?;
    let mut json = Json::default();
    json.object(|json| {
        let left = root.members().filter(|(key, _)| !names.iter().any(|name| key.is(name)));
        left.for_each(|(key, value)| json.key(&key.text()).raw(value.raw()));
    });
    Some(json.done().into())
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
