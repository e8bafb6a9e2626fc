//! A tonic stub against a data plane: `. .chancery/dev.env && cargo run -p proto --example grpc_chat`.

use std::env;
use std::error::Error;
use std::io::{self, Write as _};

use proto::inference::inference_client::InferenceClient;
use proto::inference::{
    ChatRequest, ContentPart, Message, Role, chat_stream_event::Event, content_part::Part,
    stream_delta::Delta,
};
use tonic::Request;
use tonic::transport::Channel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let said = chat(env::var("CHANCERY_DATA_URL")?, &env::var("CHANCERY_API_KEY")?).await?;
    Ok(writeln!(io::stdout(), "{said}")?)
}

/// What the model says, as it comes.
pub(crate) async fn chat(url: String, key: &str) -> Result<String, Box<dyn Error>> {
    let part = ContentPart { part: Some(Part::Text("hello".to_owned())) };
    let message = Message { role: Role::User.into(), content: vec![part], ..Message::default() };
    let asked =
        ChatRequest { model: "sim-gpt-4o".to_owned(), messages: vec![message], ..ChatRequest::default() };
    let mut request = Request::new(asked);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse()?);

    let channel = Channel::from_shared(url)?.connect().await?;
    let mut events = InferenceClient::new(channel).chat_stream(request).await?.into_inner();
    let mut said = String::new();
    while let Some(event) = events.message().await? {
        if let Some(Event::Delta(piece)) = event.event
            && let Some(Delta::Text(text)) = piece.delta
        {
            said.push_str(&text);
        }
    }
    Ok(said)
}
