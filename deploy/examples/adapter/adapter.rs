//! An adapter: a service of one's own that the gateway calls as a vendor. `cargo run -p proto --example adapter -- 127.0.0.1:50051`, and
//! `chancery apply -f deploy/examples/adapter.yaml`. Where this one counts words, yours calls what it stands for.

use std::env;
use std::error::Error;
use std::pin::Pin;

use proto::adapter::adapter_server::{Adapter, AdapterServer};
use proto::inference::chat_stream_event::Event;
use proto::inference::content_part::Part;
use proto::inference::stream_delta::Delta;
use proto::inference::{
    ChatRequest, ChatResponse, ChatStreamEvent, Choice, ContentPart, EmbedRequest, EmbedResponse,
    FinishReason, Message, ModerateRequest, ModerateResponse, RerankRequest, RerankResponse, Role,
    StreamDelta, StreamFinish, StreamStart, Usage,
};
use tokio::net::TcpListener;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(TcpListener::bind(env::args().nth(1).ok_or("where to listen is missing")?).await?).await
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let adapter = AdapterServer::new(House).max_decoding_message_size(64 << 20);
    Ok(Server::builder().add_service(adapter).serve_with_incoming(TcpIncoming::from(listener)).await?)
}

struct House;

#[tonic::async_trait]
impl Adapter for House {
    type ChatStreamStream = Pin<Box<dyn Stream<Item = Result<ChatStreamEvent, Status>> + Send>>;

    async fn chat(&self, request: Request<ChatRequest>) -> Result<Response<ChatResponse>, Status> {
        let (text, usage) = answer(request.get_ref())?;
        let content = vec![ContentPart { part: Some(Part::Text(text)) }];
        let message = Message { role: Role::Assistant.into(), content, ..Message::default() };
        let choice = Choice { index: 0, message: Some(message), finish_reason: FinishReason::Stop.into() };
        Ok(Response::new(ChatResponse {
            choices: vec![choice],
            usage: Some(usage),
            ..ChatResponse::default()
        }))
    }

    /// One word after the other, then why it ends, then what was used. Once nobody waits any more, the stream is dropped.
    async fn chat_stream(
        &self,
        request: Request<ChatRequest>,
    ) -> Result<Response<Self::ChatStreamStream>, Status> {
        let (text, usage) = answer(request.get_ref())?;
        let words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let words = words
            .into_iter()
            .map(|word| Event::Delta(StreamDelta { index: 0, delta: Some(Delta::Text(word)) }));
        let end = Event::Finish(StreamFinish { index: 0, reason: FinishReason::Stop.into() });
        let events = tokio_stream::once(Event::Start(StreamStart::default()))
            .chain(tokio_stream::iter(words))
            .chain(tokio_stream::iter([end, Event::Usage(usage)]));
        Ok(Response::new(Box::pin(events.map(|event| Ok(ChatStreamEvent { event: Some(event) })))))
    }

    async fn embed(&self, _: Request<EmbedRequest>) -> Result<Response<EmbedResponse>, Status> {
        Err(Status::unimplemented("this house has no vectors"))
    }

    async fn moderate(&self, _: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        Err(Status::unimplemented("this house judges nothing"))
    }

    async fn rerank(&self, _: Request<RerankRequest>) -> Result<Response<RerankResponse>, Status> {
        Err(Status::unimplemented("this house orders no documents"))
    }
}

/// How many words were said last.
fn answer(request: &ChatRequest) -> Result<(String, Usage), Status> {
    if request.n.unwrap_or(1) > 1 {
        return Err(Status::invalid_argument("this house has one answer"));
    }
    let said =
        request.messages.iter().flat_map(|message| &message.content).filter_map(|part| match &part.part {
            Some(Part::Text(text)) => Some(text.as_str()),
            _ => None,
        });
    let said: Vec<&str> = said.collect();
    let words = |text: &str| text.split_whitespace().count() as u64;
    let last = said.last().ok_or_else(|| Status::invalid_argument("nobody said anything"))?;
    let text = format!("{} counts {} words: {last}", request.model, words(last));
    let (input, output) = (said.iter().map(|text| words(text)).sum(), words(&text));
    Ok((text, Usage { input_tokens: input, output_tokens: output, ..Usage::default() }))
}
