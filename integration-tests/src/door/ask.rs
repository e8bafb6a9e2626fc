//! A question, whatever the door.
//!
//! Law: what is here can be said through both doors. Deliberately absent: bodies that are wrong; those are bytes of one door.

use anyhow::{Context, Result};
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::inference::{
    ChatRequest, ContentPart, EmbedRequest, Message, RequestMetadata, Role, content_part::Part,
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

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of which model.
    pub model: String,
    /// What for.
    pub operation: Operation,
    /// Texts with their roles; of an embedding the texts alone.
    pub texts: Vec<(String, String)>,
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
        let messages: Vec<Value> = self.texts.iter().map(message).collect();
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
        Ok(ChatRequest {
            model: self.model.clone(),
            messages: self.texts.iter().map(said).collect(),
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

/// A message of `chancery.inference.v1` from proto3 JSON, for what is open in it.
fn message<M: prost::Message + Default>(name: &str, json: Value) -> Result<M> {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET)?;
    let descriptor =
        pool.get_message_by_name(&format!("chancery.inference.v1.{name}")).context("no such message")?;
    Ok(DynamicMessage::deserialize(descriptor, json)?.transcode_to()?)
}
