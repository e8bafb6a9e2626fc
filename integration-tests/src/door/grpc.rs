//! `chancery.inference.v1` over gRPC.

use anyhow::{Result, bail, ensure};
use proto::{
    inference::{
        ChatStreamEvent, FinishReason, ListModelsRequest, chat_stream_event::Event, content_part::Part,
        inference_client::InferenceClient, stream_delta::Delta,
    },
    status::Refusal,
};
use tonic::{
    Request, Status, Streaming,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, KeyAndValueRef, MetadataMap},
    transport::{Certificate, Channel, ClientTlsConfig},
};

use super::{
    Ask, Caller, Operation,
    told::{Head, Refused, Step, Told},
};

/// A stream of events as it comes.
pub struct Events {
    head: Head,
    stream: Streaming<ChatStreamEvent>,
}

async fn client(caller: &Caller) -> Result<InferenceClient<Channel>> {
    let mut endpoint = Channel::from_shared(caller.url.clone())?;
    if let Some(roots) = &caller.roots {
        endpoint =
            endpoint.tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots)))?;
    }
    Ok(InferenceClient::new(endpoint.connect().await?))
}

fn request<T>(caller: &Caller, headers: &[(String, String)], message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    if let Some(key) = &caller.key {
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse()?);
    }
    for (name, value) in headers {
        let (name, value): (AsciiMetadataKey, AsciiMetadataValue) = (name.parse()?, value.parse()?);
        request.metadata_mut().append(name, value);
    }
    Ok(request)
}

pub(super) async fn ask(caller: &Caller, ask: &Ask) -> Result<Result<Told, Refused>> {
    let mut client = client(caller).await?;
    match ask.operation {
        Operation::Chat => {
            let answer = client.chat(request(caller, &ask.headers, ask.chat_request()?)?).await;
            let (metadata, answer) = match answer {
                Ok(answer) => (head(answer.metadata()), answer.into_inner()),
                Err(status) => return Ok(Err(refused(&status))),
            };
            let first = answer.choices.first().cloned().unwrap_or_default();
            let parts = first.message.clone().unwrap_or_default().content.into_iter();
            let texts = parts.filter_map(|part| match part.part {
                Some(Part::Text(text)) => Some(text),
                _ => None,
            });
            Ok(Ok(Told {
                head: metadata,
                text: texts.collect(),
                finish: finish(first.finish_reason()),
                choices: answer.choices.len(),
                usage: answer.usage.map(|usage| (usage.input_tokens, usage.output_tokens)),
                model: answer.model,
                ..Told::default()
            }))
        }
        Operation::Embed => {
            let answer = client.embed(request(caller, &ask.headers, ask.embed_request()?)?).await;
            let (metadata, answer) = match answer {
                Ok(answer) => (head(answer.metadata()), answer.into_inner()),
                Err(status) => return Ok(Err(refused(&status))),
            };
            Ok(Ok(Told {
                head: metadata,
                vectors: answer.embeddings.into_iter().map(|embedding| embedding.values).collect(),
                usage: answer.usage.map(|usage| (usage.input_tokens, usage.output_tokens)),
                model: answer.model,
                ..Told::default()
            }))
        }
    }
}

pub(super) async fn open(caller: &Caller, ask: &Ask) -> Result<Result<Events, Refused>> {
    let mut client = client(caller).await?;
    match client.chat_stream(request(caller, &ask.headers, ask.chat_request()?)?).await {
        Ok(answer) => Ok(Ok(Events { head: head(answer.metadata()), stream: answer.into_inner() })),
        Err(status) => Ok(Err(refused(&status))),
    }
}

pub(super) async fn models(caller: &Caller) -> Result<Result<Vec<String>, Refused>> {
    match client(caller).await?.list_models(request(caller, &[], ListModelsRequest::default())?).await {
        Ok(answer) => Ok(Ok(answer.into_inner().models.into_iter().map(|model| model.name).collect())),
        Err(status) => Ok(Err(refused(&status))),
    }
}

impl Events {
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) async fn next(&mut self) -> Result<Result<Option<Step>, Refused>> {
        let event = match self.stream.message().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Ok(None)),
            Err(status) => return Ok(Err(Refused { status: 0, ..refused(&status) })),
        };
        let Some(event) = event.event else { bail!("an event that is nothing") };
        Ok(Ok(Some(match event {
            Event::Start(start) => {
                ensure!(!start.id.is_empty(), "a stream without an id");
                Step::Start(start.model)
            }
            Event::Delta(delta) => match delta.delta {
                Some(Delta::Text(text)) => Step::Text(usize::try_from(delta.index)?, text),
                other => bail!("a delta that no story asks for: {other:?}"),
            },
            Event::Finish(end) => Step::Finish(usize::try_from(end.index)?, finish(end.reason())),
            Event::Usage(usage) => Step::Usage(usage.input_tokens, usage.output_tokens),
        })))
    }
}

fn finish(reason: FinishReason) -> String {
    reason.as_str_name().trim_start_matches("FINISH_REASON_").to_ascii_lowercase()
}

fn head(metadata: &MetadataMap) -> Head {
    let mut head = Head::new();
    for entry in metadata.iter() {
        if let KeyAndValueRef::Ascii(name, value) = entry {
            let known = head.entry(name.as_str().to_owned()).or_default();
            if !known.is_empty() {
                known.push('\n');
            }
            known.push_str(value.to_str().unwrap_or_default());
        }
    }
    head
}

/// A status as the refusal it stands for.
fn refused(status: &Status) -> Refused {
    let refusal = Refusal::of_status(status);
    let row = refusal.code.row();
    let field = refusal.fields.first().map(|wrong| wrong.field.clone()).unwrap_or_default();
    Refused {
        status: row.http.as_u16(),
        code: refusal.code.as_str().to_owned(),
        message: refusal.message,
        reasons: refusal.reasons.into_iter().map(|reason| reason.code).collect(),
        field,
        retry_after: refusal.retry_after.map(|wait| wait.as_secs()),
        head: head(status.metadata()),
        before: None,
    }
}
