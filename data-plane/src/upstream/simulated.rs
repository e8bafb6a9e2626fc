//! A vendor in this process: real OpenAI-dialect bytes without a network, for laptops, demos, tests and load.
//!
//! Law: an answer is a function of the request; faults happen only where the prompt asks for them (`directive`). It keeps
//! the same timeouts and gives the same errors as a vendor on the wire. Deliberately absent: state, randomness, a clock.

mod complete;
mod directive;
mod embed;
mod hash;
mod moderate;
pub(crate) mod pace;
mod picture;
pub(crate) mod pieces;
mod reply;
mod request;
mod rerank;
mod schema;
mod sound;
pub(crate) mod stream;
mod tokens;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use policy_engine::vocabulary::Operation;
use serde::Deserialize;

use super::{
    call::{Answer, AnswerBody, Call},
    config::Timeouts,
    error::{Kind, Refusal, UpstreamError},
    events::EventStream,
    timer::Timer,
};
use directive::Directives;
use pace::Pace;
use pieces::Pieces;
use request::{Chat, Embed};
use stream::{Pauses, Script};

/// The most choices of one request (OpenAI's own bound).
const MOST_CHOICES: u32 = 128;

/// One simulated endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simulated {
    pace: Pace,
    timeouts: Timeouts,
}

impl Simulated {
    /// An endpoint that answers at `pace` and gives up after `timeouts`.
    pub(crate) fn new(pace: Pace, timeouts: Timeouts) -> Self {
        Self { pace, timeouts }
    }

    /// One call.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        let timer = Timer::start(&self.timeouts, call.deadline);
        match call.operation {
            Operation::Chat => self.chat(call, timer).await,
            Operation::Embed => self.embed(call, timer).await,
            Operation::Complete => self.complete(call, timer).await,
            Operation::Moderate => self.moderate(call, timer).await,
            Operation::Rerank => self.rerank(call, timer).await,
            Operation::Image | Operation::EditImage => self.picture(call, timer).await,
            Operation::Speech => self.speak(call, timer).await,
            Operation::Transcribe | Operation::Translate => self.hear(call, timer).await,
        }
    }

    async fn chat(&self, call: Call, mut timer: Timer) -> Result<Answer, UpstreamError> {
        let chat: Chat<'_> = parse(&call.body)?;
        if chat.messages.is_empty() || !(1..=MOST_CHOICES).contains(&chat.n.unwrap_or(1)) {
            return Err(wrong("`messages` must not be empty and `n` must be 1 to 128"));
        }
        let (directives, text) =
            directive::read(reply::asked(&chat)).map_err(|error| wrong(&error.to_string()))?;
        self.wait(&directives, &mut timer).await?;
        let id = format!("chatcmpl-{:016x}", hash::fnv(&call.body));
        let reply = reply::reply(&chat, &directives, &text);
        if chat.stream == Some(true) {
            let asks_usage = chat.stream_options.unwrap_or_default().include_usage == Some(true);
            return Ok(self.stream((id, asks_usage), reply, &directives, timer));
        }
        self.break_off(&directives, &mut timer).await?;
        Ok(whole(&id, wire::completion(&id, &reply)))
    }

    async fn complete(&self, call: Call, mut timer: Timer) -> Result<Answer, UpstreamError> {
        let request: complete::Request<'_> = parse(&call.body)?;
        let asked = complete::Asked::of(&request).map_err(|error| wrong(&error))?;
        self.wait(&asked.directives, &mut timer).await?;
        let id = format!("cmpl-{:016x}", hash::fnv(&call.body));
        let reply = complete::reply(&request, &asked);
        if request.stream == Some(true) {
            let asks_usage = request.stream_options.unwrap_or_default().include_usage == Some(true);
            return Ok(self.stream((id, asks_usage), reply, &asked.directives, timer));
        }
        self.break_off(&asked.directives, &mut timer).await?;
        Ok(whole(&id, complete::answer(&id, &reply)))
    }

    /// A reply as events.
    fn stream(
        &self,
        (id, asks_usage): (String, bool),
        reply: reply::Reply,
        directives: &Directives,
        timer: Timer,
    ) -> Answer {
        let tokens = u32::try_from(directives.chunk.unwrap_or(3)).unwrap_or(u32::MAX);
        let each = self.pace.of_tokens(tokens).max(directives.pace);
        let pauses = Pauses { first: self.pace.first_token.max(directives.pace), each };
        let headers = headers(&id, "text/event-stream");
        let script = Script::new((id, asks_usage), reply, directives, (pauses, timer));
        Answer { headers, body: AnswerBody::Events(EventStream::script(script)), left_out: Vec::new() }
    }

    async fn moderate(&self, call: Call, timer: Timer) -> Result<Answer, UpstreamError> {
        let request: moderate::Request<'_> = parse(&call.body)?;
        self.obey(request.first(), timer).await?;
        let id = format!("modr-{:016x}", hash::fnv(&call.body));
        Ok(whole(&id, moderate::answer(&id, &request)))
    }

    async fn rerank(&self, call: Call, timer: Timer) -> Result<Answer, UpstreamError> {
        let request: rerank::Request<'_> = parse(&call.body)?;
        self.obey(&request.query, timer).await?;
        let id = format!("rerank-{:016x}", hash::fnv(&call.body));
        Ok(whole(&id, rerank::answer(&id, &request)))
    }

    async fn picture(&self, call: Call, mut timer: Timer) -> Result<Answer, UpstreamError> {
        let request: picture::Request<'_> = parse(&call.body)?;
        let (directives, prompt) =
            directive::read(&request.prompt).map_err(|error| wrong(&error.to_string()))?;
        self.wait(&directives, &mut timer).await?;
        self.break_off(&directives, &mut timer).await?;
        let said = directives.say.as_deref().unwrap_or(&prompt);
        Ok(whole(&format!("img-{:016x}", hash::fnv(&call.body)), picture::answer(&request, said)))
    }

    async fn speak(&self, call: Call, mut timer: Timer) -> Result<Answer, UpstreamError> {
        let request: sound::Speech<'_> = parse(&call.body)?;
        let (directives, text) =
            directive::read(&request.input).map_err(|error| wrong(&error.to_string()))?;
        self.wait(&directives, &mut timer).await?;
        let headers = headers(&format!("tts-{:016x}", hash::fnv(&call.body)), "audio/wav");
        let pieces = Pieces::new(sound::pieces(&text), &directives, timer);
        Ok(Answer { headers, body: AnswerBody::Media(EventStream::pieces(pieces)), left_out: Vec::new() })
    }

    async fn hear(&self, call: Call, mut timer: Timer) -> Result<Answer, UpstreamError> {
        let request: sound::Transcription<'_> = parse(&call.body)?;
        let file = call.files.first().ok_or_else(|| wrong("`file` must be there"))?;
        let heard = sound::heard(&file.bytes);
        let (directives, text) = directive::read(&heard).map_err(|error| wrong(&error.to_string()))?;
        self.wait(&directives, &mut timer).await?;
        self.break_off(&directives, &mut timer).await?;
        let said = directives.say.as_deref().unwrap_or(&text);
        let id = format!("stt-{:016x}", hash::fnv(&call.body));
        let task = call.operation.as_str();
        Ok(whole(&id, sound::transcript(&request, said, task, file.bytes.len())))
    }

    /// Does what a text asks for that is answered at once and not in words.
    async fn obey(&self, text: &str, mut timer: Timer) -> Result<(), UpstreamError> {
        let (directives, _) = directive::read(text).map_err(|error| wrong(&error.to_string()))?;
        self.wait(&directives, &mut timer).await?;
        self.break_off(&directives, &mut timer).await
    }

    async fn embed(&self, call: Call, timer: Timer) -> Result<Answer, UpstreamError> {
        let request: Embed<'_> = parse(&call.body)?;
        let first = request.input.0.iter().find_map(|input| match input {
            request::Input::Text(text) => Some(text.as_ref()),
            request::Input::Tokens(_) => None,
        });
        self.obey(first.unwrap_or_default(), timer).await?;
        let body = embed::answer(&request).map_err(wrong)?;
        Ok(whole(&format!("embd-{:016x}", hash::fnv(&call.body)), body))
    }

    /// Lets the latency pass, then fails if the prompt asked for a status.
    async fn wait(&self, directives: &Directives, timer: &mut Timer) -> Result<(), UpstreamError> {
        let latency = self.pace.latency.saturating_add(directives.delay);
        if latency > Duration::ZERO {
            timer.watch(tokio::time::sleep(latency)).await.map_err(timed_out)?;
        }
        match directives.error {
            Some(status) => {
                let failed = refusal(status, "api_error", "the simulated provider was asked to fail");
                Err(told(failed, directives.after))
            }
            None => Ok(()),
        }
    }

    /// What `cut` and `hang` mean for a whole answer.
    async fn break_off(&self, directives: &Directives, timer: &mut Timer) -> Result<(), UpstreamError> {
        if directives.hang.is_some() {
            timer.watch(std::future::pending::<()>()).await.map_err(timed_out)?;
        }
        match directives.cut {
            Some(_) => Err(UpstreamError::new(Kind::Reset)),
            None => Ok(()),
        }
    }
}

fn timed_out(stage: super::error::Stage) -> UpstreamError {
    UpstreamError::new(Kind::Timeout(stage))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, UpstreamError> {
    serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))
}

fn wrong(message: &str) -> UpstreamError {
    refusal(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

fn refusal(status: StatusCode, kind: &'static str, message: &str) -> UpstreamError {
    let body = wire::failure(kind, message);
    UpstreamError::new(Kind::Status(Box::new(Refusal { status, retry_after: None, body })))
}

/// The same, with how long the vendor wants to be left alone.
fn told(mut error: UpstreamError, after: Option<Duration>) -> UpstreamError {
    if let Kind::Status(refusal) = &mut error.kind {
        refusal.retry_after = after;
    }
    error
}

fn whole(id: &str, body: Bytes) -> Answer {
    let headers = headers(id, "application/json");
    Answer { headers, body: AnswerBody::Whole(body), left_out: Vec::new() }
}

fn headers(id: &str, content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers
}

#[cfg(test)]
mod tests;
