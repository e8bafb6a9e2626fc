//! What is the organisation's own as a service over gRPC: `chancery.adapter.v1.Adapter`.
//!
//! Law: what the messages have no place for is not sent, and told or refused by its name; an answer is one once its status says so, and a
//! stream once each of its choices ended. An RPC that is not implemented is an operation that the vendor does not have; whoever asks for a
//! stream there is given the whole answer in one. Absent on purpose: the messages (`dialect::rpc`), choosing, retrying.

mod channel;
mod codec;
mod refused;
pub(super) mod steps;

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, header};
use policy_engine::facts::Auth;
use policy_engine::vocabulary::Operation;
use prost::Message;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::{Response, Status, Streaming};

use super::{
    call::{Answer, AnswerBody, Call},
    config::{Caps, EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    events::EventStream,
    foreign::{chats, named, started},
    line::{Line, REQUEST_ID, TRACEPARENT, bearer, headers, kept},
    pass::Pass,
    target::Target,
    token::Token,
    way::Spoken,
};
use crate::dialect::chat::Chat;
use crate::dialect::event::Start;
use crate::dialect::{openai, rpc};
use channel::Channel;
use codec::Bounded;
use steps::Steps;

/// One adapter of the organisation's.
pub(crate) struct Rpc {
    line: Line,
    pass: Pass,
    target: Target,
    /// What every call tells beside its message, the credential among it where it is one.
    headers: HeaderMap,
    caps: Caps,
    /// How long a call may take at most.
    total: Duration,
}

/// A call on its way.
struct Asking<'r> {
    rpc: &'r Rpc,
    headers: HeaderMap,
    deadline: Option<Instant>,
    token: Option<Arc<Token>>,
}

impl Rpc {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        if matches!(config.auth, Some(Auth::Aws { .. })) {
            return Err(Fault::Key("calls by gRPC are not signed"));
        }
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let base = target.join("/")?;
        let pass = Pass::build(config)?;
        let mut headers = headers(pass.secret().map(bearer))?;
        // gRPC has its own.
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::ACCEPT_ENCODING);
        let line = Line::speaking(config, (&base, Spoken::Http2), pass.watched())?;
        Ok(Self { line, pass, target, headers, caps: config.caps, total: config.timeouts.total })
    }

    /// One call.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        match call.operation {
            Operation::Embed => self.embed(call).await,
            Operation::Moderate => self.moderate(call).await,
            Operation::Rerank => self.rerank(call).await,
            operation => {
                chats(operation)?;
                self.chat(call).await
            }
        }
    }

    async fn chat(&self, call: Call) -> Result<Answer, UpstreamError> {
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let start = started(&call, chat.model.clone());
        let asking = self.asking(&call).await?;
        if !chat.stream {
            return asking.whole(&chat, start).await;
        }
        match asking.stream(&chat, start.clone()).await {
            // What the request says has a place: else nothing had been asked.
            Err(Unstreamed::Unimplemented) => asking.whole(&chat, start).await,
            Err(Unstreamed::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
        }
    }

    async fn embed(&self, call: Call) -> Result<Answer, UpstreamError> {
        let (written, encoding) = rpc::embed::write(&call.body).map_err(UpstreamError::unfit)?;
        let (model, count) = (written.message.model.clone(), written.message.inputs.len());
        let asking = self.asking(&call).await?;
        let answer = asking.one("/chancery.adapter.v1.Adapter/Embed", written.message).await;
        let (headers, told) = asking.told(answer)?;
        let read = rpc::embed::read((&model, encoding), count, told);
        let read =
            read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer has no such vectors"))?;
        Ok(Answer { headers, body: AnswerBody::Whole(read.into()), left_out: written.left_out })
    }

    async fn moderate(&self, call: Call) -> Result<Answer, UpstreamError> {
        let written = rpc::moderate::write(&call.body).map_err(UpstreamError::unfit)?;
        let model = written.message.model.clone();
        // Parts are judged as one.
        let count = written.message.inputs.len().max(1);
        let asking = self.asking(&call).await?;
        let answer = asking.one("/chancery.adapter.v1.Adapter/Moderate", written.message).await;
        let (headers, told) = asking.told(answer)?;
        let read = rpc::moderate::read(&model, count, &told);
        let read =
            read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer judges no such content"))?;
        Ok(Answer { headers, body: AnswerBody::Whole(read.into()), left_out: written.left_out })
    }

    async fn rerank(&self, call: Call) -> Result<Answer, UpstreamError> {
        let (written, asked) = rpc::rerank::write(&call.body).map_err(UpstreamError::unfit)?;
        let asking = self.asking(&call).await?;
        let answer = asking.one("/chancery.adapter.v1.Adapter/Rerank", written.message).await;
        let (headers, told) = asking.told(answer)?;
        let read = rpc::rerank::read(&asked, told);
        let read =
            read.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the answer orders no documents"))?;
        Ok(Answer { headers, body: AnswerBody::Whole(read.into()), left_out: written.left_out })
    }

    async fn asking(&self, call: &Call) -> Result<Asking<'_>, UpstreamError> {
        let token = self.pass.token(call.deadline).await?;
        let mut headers = self.headers.clone();
        if let Some(token) = &token {
            headers.insert(header::AUTHORIZATION, token.given.header.clone());
        }
        headers.insert(REQUEST_ID, call.request_id.clone());
        let traced = |trace: &HeaderValue| headers.insert(TRACEPARENT, trace.clone());
        call.traceparent.as_ref().map(traced);
        Ok(Asking { rpc: self, headers, deadline: call.deadline, token })
    }
}

/// Why there is no stream.
enum Unstreamed {
    /// It has none.
    Unimplemented,
    /// It failed.
    Failed(UpstreamError),
}

impl<'r> Asking<'r> {
    async fn whole(&self, chat: &Chat, start: Start) -> Result<Answer, UpstreamError> {
        let written = rpc::write::write(chat).map_err(UpstreamError::unfit)?;
        let answer = self.one("/chancery.adapter.v1.Adapter/Chat", written.message).await;
        let (headers, told) = self.told(answer)?;
        let now = start.created.unwrap_or_default();
        let read = named(rpc::answer::read(told), start)?;
        let body = match chat.stream {
            true => AnswerBody::Events(EventStream::told(openai::whole::as_events(read, now).into())),
            false => AnswerBody::Whole(openai::answer::write(&read, now).into()),
        };
        Ok(Answer { headers, body, left_out: written.left_out })
    }

    async fn stream(&self, chat: &Chat, start: Start) -> Result<Answer, Unstreamed> {
        let written =
            rpc::write::write(chat).map_err(|unfit| Unstreamed::Failed(UpstreamError::unfit(unfit)))?;
        let answer = self.many("/chancery.adapter.v1.Adapter/ChatStream", written.message).await;
        if answer.as_ref().is_err_and(refused::is_unimplemented) {
            return Err(Unstreamed::Unimplemented);
        }
        let (headers, events) = self.told(answer).map_err(Unstreamed::Failed)?;
        let body = AnswerBody::Events(EventStream::steps(Steps::of(events, start)));
        Ok(Answer { headers, body, left_out: written.left_out })
    }

    /// Calls what answers with one message.
    async fn one<M, A>(&self, path: &'static str, message: M) -> Result<Response<A>, Status>
    where
        M: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut client = self.client(self.rpc.caps.max_answer_bytes);
        let (path, codec) = (PathAndQuery::from_static(path), Bounded::<M, A>::default());
        client.unary(self.request(message), path, codec).await
    }

    /// Calls what answers with messages, one after another.
    async fn many<M, A>(&self, path: &'static str, message: M) -> Result<Response<Streaming<A>>, Status>
    where
        M: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut client = self.client(self.rpc.caps.max_event_bytes);
        let (path, codec) = (PathAndQuery::from_static(path), Bounded::<M, A>::default());
        client.server_streaming(self.request(message), path, codec).await
    }

    /// A client whose answers may weigh so many bytes a message. Not the generated one, which reads whatever number of fields there is.
    fn client(&self, most: usize) -> Grpc<Channel<'r>> {
        let Rpc { line, target, pass, .. } = self.rpc;
        let watched =
            self.token.as_ref().map(|token| Arc::clone(&token.given.secret)).or_else(|| pass.watched());
        let (headers, deadline) = (self.headers.clone(), self.deadline);
        Grpc::new(Channel { line, target, headers, deadline, watched }).max_decoding_message_size(most)
    }

    fn request<M>(&self, message: M) -> tonic::Request<M> {
        let mut request = tonic::Request::new(message);
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        request.set_timeout(left.map_or(self.rpc.total, |left| left.min(self.rpc.total)));
        request
    }

    /// What came, and those of its headers that reach the pipeline.
    fn told<M>(&self, answer: Result<Response<M>, Status>) -> Result<(HeaderMap, M), UpstreamError> {
        let answer = answer.map_err(|status| {
            let error = refused::of(&status);
            self.token.iter().for_each(|token| self.rpc.pass.refused(token, &error));
            error
        });
        let (metadata, message, _) = answer?.into_parts();
        let watched = self.token.as_ref().map(|token| Arc::clone(&token.given.secret));
        let watched = watched.or_else(|| self.rpc.pass.watched());
        Ok((kept(&metadata.into_headers(), &watched), message))
    }
}

#[cfg(test)]
mod tests;
