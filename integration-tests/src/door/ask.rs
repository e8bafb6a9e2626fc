//! A question, whatever the door.
//!
//! Law: what is here can be said through both doors. Deliberately absent: bodies that are wrong; those are bytes of one door.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::DynamicMessage;
use proto::inference::{
    Audio, ChatRequest, ContentPart, EmbedRequest, File, Image, Message, RequestMetadata, Role,
    content_part::Part, file, image,
};
use serde_json::{Map, Value, json};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An answer.
    Chat,
    /// Vectors.
    Embed,
}

/// Something that is no text, or is not said to be one.
#[derive(Debug, Clone)]
pub enum Attached {
    /// A picture of a media type.
    Image(&'static str, Vec<u8>),
    /// Sound of a format.
    Audio(&'static str, Vec<u8>),
    /// A document of a media type.
    File(&'static str, Vec<u8>),
}

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of which model.
    pub model: String,
    /// What for.
    pub operation: Operation,
    /// Texts with their roles; of an embedding the texts alone.
    pub texts: Vec<(String, String)>,
    /// What is sent with the last of them.
    pub attached: Vec<Attached>,
    /// Whether the answer shall come as it is made.
    pub stream: bool,
    /// How long an answer may be, in tokens.
    pub most: Option<u32>,
    /// How many answers.
    pub n: Option<u32>,
    /// Functions that are offered, each with the schema of its arguments.
    pub functions: Vec<(String, Value)>,
    /// Further fields of the body, or extensions of the message.
    pub fields: Map<String, Value>,
    /// Headers, or metadata.
    pub headers: Vec<(String, String)>,
}

impl Ask {
    /// A user's one message.
    pub fn chat(model: &str, text: &str) -> Self {
        Self {
            model: model.to_owned(),
            operation: Operation::Chat,
            texts: vec![("user".to_owned(), text.to_owned())],
            attached: Vec::new(),
            stream: false,
            most: None,
            n: None,
            functions: Vec::new(),
            fields: Map::new(),
            headers: Vec::new(),
        }
    }

    /// Texts to be turned into vectors.
    pub fn embed(model: &str, texts: &[&str]) -> Self {
        let texts = texts.iter().map(|text| (String::new(), (*text).to_owned())).collect();
        Self { operation: Operation::Embed, texts, ..Self::chat(model, "") }
    }

    /// The same, with a message before the others.
    pub fn after(mut self, role: &str, text: &str) -> Self {
        self.texts.insert(0, (role.to_owned(), text.to_owned()));
        self
    }

    /// The same, with something sent along.
    pub fn attaching(mut self, attached: Attached) -> Self {
        self.attached.push(attached);
        self
    }

    /// The same as a stream, or not.
    pub fn streaming(self, stream: bool) -> Self {
        Self { stream, ..self }
    }

    /// The same, with a bound of tokens.
    pub fn at_most(self, tokens: u32) -> Self {
        Self { most: Some(tokens), ..self }
    }

    /// The same, answered so many times over.
    pub fn times(self, n: u32) -> Self {
        Self { n: Some(n), ..self }
    }

    /// The same, with a function to call.
    pub fn offering(mut self, function: &str, schema: Value) -> Self {
        self.functions.push((function.to_owned(), schema));
        self
    }

    /// The same, with a field that not every vendor knows.
    pub fn having(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    /// The same with a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn path(&self) -> &'static str {
        match self.operation {
            Operation::Chat => "/v1/chat/completions",
            Operation::Embed => "/v1/embeddings",
        }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = self.own_body();
        if let Some(object) = body.as_object_mut() {
            object.extend(self.fields.clone());
        }
        body
    }

    fn own_body(&self) -> Value {
        if self.operation == Operation::Embed {
            let inputs: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
            return json!({"model": self.model, "input": inputs});
        }
        let message = |(role, text): &(String, String)| json!({"role": role, "content": text});
        let mut messages: Vec<Value> = self.texts.iter().map(message).collect();
        if let Some(last) = messages.last_mut().filter(|_| !self.attached.is_empty()) {
            let text = json!({"type": "text", "text": last["content"]});
            last["content"] = std::iter::once(text).chain(self.attached.iter().map(Attached::json)).collect();
        }
        let mut body = json!({"model": self.model, "messages": messages});
        let mut put = |name: &str, value: Value| {
            if let Some(object) = body.as_object_mut() {
                object.insert(name.to_owned(), value);
            }
        };
        if self.stream {
            put("stream", json!(true));
            put("stream_options", json!({"include_usage": true}));
        }
        if let Some(most) = self.most {
            put("max_completion_tokens", json!(most));
        }
        if let Some(n) = self.n {
            put("n", json!(n));
        }
        if !self.functions.is_empty() {
            let tool = |(name, schema): &(String, Value)| json!({"type": "function", "function": {"name": name, "parameters": schema}});
            put("tools", self.functions.iter().map(tool).collect());
        }
        body
    }

    pub(super) fn chat_request(&self) -> Result<ChatRequest> {
        let tool =
            |(name, schema): &(String, Value)| json!({"function": {"name": name, "parameters": schema}});
        let tools: Vec<Value> = self.functions.iter().map(tool).collect();
        let open: ChatRequest = message("ChatRequest", json!({"tools": tools, "extensions": self.fields}))?;
        let said = |(role, text): &(String, String)| Message {
            role: Role::from_str_name(&format!("ROLE_{}", role.to_ascii_uppercase()))
                .unwrap_or_default()
                .into(),
            content: vec![ContentPart { part: Some(Part::Text(text.clone())) }],
            ..Message::default()
        };
        let mut messages: Vec<Message> = self.texts.iter().map(said).collect();
        let attached = self.attached.iter().map(|attached| ContentPart { part: Some(attached.part()) });
        messages.last_mut().into_iter().for_each(|last| last.content.extend(attached.clone()));
        Ok(ChatRequest {
            model: self.model.clone(),
            messages,
            max_output_tokens: self.most,
            n: self.n,
            metadata: Some(RequestMetadata::default()),
            ..open
        })
    }

    pub(super) fn embed_request(&self) -> Result<EmbedRequest> {
        let inputs = self.texts.iter().map(|(_, text)| text.clone()).collect();
        let open: EmbedRequest = message("EmbedRequest", json!({"extensions": self.fields}))?;
        Ok(EmbedRequest { model: self.model.clone(), inputs, ..open })
    }
}

impl Attached {
    fn json(&self) -> Value {
        let url = |of: &str, data: &[u8]| format!("data:{of};base64,{}", BASE64_STANDARD.encode(data));
        match self {
            Self::Image(of, data) => json!({"type": "image_url", "image_url": {"url": url(of, data)}}),
            Self::Audio(format, data) => {
                let data = BASE64_STANDARD.encode(data);
                json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
            }
            Self::File(of, data) => {
                json!({"type": "file", "file": {"file_data": url(of, data), "filename": "a"}})
            }
        }
    }

    fn part(&self) -> Part {
        match self.clone() {
            Self::Image(of, data) => {
                let source = Some(image::Source::Data(data));
                Part::Image(Image { source, media_type: of.to_owned(), ..Image::default() })
            }
            Self::Audio(format, data) => Part::Audio(Audio { data, format: format.to_owned() }),
            Self::File(of, data) => {
                let (source, filename) = (Some(file::Source::Data(data)), "a".to_owned());
                Part::File(File { source, filename, media_type: of.to_owned() })
            }
        }
    }
}

/// A message of `chancery.inference.v1` from proto3 JSON, for what is open in it.
fn message<M: prost::Message + Default>(name: &str, json: Value) -> Result<M> {
    let descriptor = control_plane::descriptors::pool()
        .get_message_by_name(&format!("chancery.inference.v1.{name}"))
        .context("no such message")?;
    Ok(DynamicMessage::deserialize(descriptor, json)?.transcode_to()?)
}
