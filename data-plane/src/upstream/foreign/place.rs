//! Where the calls of a vendor go.
//!
//! Law: a model's name is an administrator's, and is no path of its own: what could lead elsewhere makes no path, or is escaped. Absent on
//! purpose: hosts, which are checked when the endpoint is built and when they are dialled.

use http::Uri;
use percent_encoding::utf8_percent_encode;

use crate::dialect::Unfit;
use crate::dialect::gemini::pictures::is_imagen;
use crate::dialect::vendor::Dialect;
use crate::upstream::error::{Kind, UpstreamError};
use crate::upstream::target::{SEGMENT, Target};

/// The places of one endpoint.
pub(super) struct Places {
    dialect: Dialect,
    target: Target,
}

impl Places {
    /// Of a vendor at a base.
    pub(super) fn of(dialect: Dialect, target: Target) -> Self {
        Self { dialect, target }
    }

    /// Where a conversation goes.
    pub(super) fn chat(&self, model: &str, stream: bool) -> Result<Uri, UpstreamError> {
        match self.dialect {
            Dialect::Anthropic => self.join("/messages"),
            Dialect::Gemini if stream => self.method(model, "streamGenerateContent?alt=sse"),
            Dialect::Gemini => self.method(model, "generateContent"),
            Dialect::Bedrock => self.action(model, if stream { "converse-stream" } else { "converse" }),
            Dialect::Cohere => self.join("/chat"),
        }
    }

    /// Where texts go whose vectors are asked for.
    pub(super) fn embed(&self, model: &str) -> Result<Uri, UpstreamError> {
        match self.dialect {
            Dialect::Anthropic => Err(UpstreamError::unfit(Unfit::new("model", "its vendor has no vectors"))),
            Dialect::Gemini => self.method(model, "batchEmbedContents"),
            Dialect::Bedrock => self.action(model, "invoke"),
            Dialect::Cohere => self.join("/embed"),
        }
    }

    /// Where what is to be seen goes.
    pub(super) fn picture(&self, model: &str) -> Result<Uri, UpstreamError> {
        match self.dialect {
            Dialect::Anthropic | Dialect::Cohere => {
                Err(UpstreamError::unfit(Unfit::new("model", "its vendor makes no pictures (`image`)")))
            }
            Dialect::Gemini if is_imagen(model) => self.method(model, "predict"),
            Dialect::Gemini => self.method(model, "generateContent"),
            Dialect::Bedrock => self.action(model, "invoke"),
        }
    }

    /// Where documents go whose order is asked for.
    pub(super) fn rerank(&self) -> Result<Uri, UpstreamError> {
        self.join("/rerank")
    }

    /// A method of a model at Google, whose name may be a path with slashes.
    fn method(&self, model: &str, verb: &str) -> Result<Uri, UpstreamError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@/:".contains(&byte);
        let is_name =
            !model.is_empty() && model.bytes().all(fits) && !model.split('/').any(|part| part == "..");
        if !is_name {
            return Err(no_path());
        }
        match model.contains('/') {
            true => self.join(&format!("/{model}:{verb}")),
            false => self.join(&format!("/models/{model}:{verb}")),
        }
    }

    /// An action of a model at AWS: its name is an id, of a model or of an inference profile, or an ARN, and is one label of the path.
    fn action(&self, model: &str, action: &str) -> Result<Uri, UpstreamError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
        if !model.bytes().all(fits) || model.bytes().all(|byte| byte == b'.') {
            return Err(no_path());
        }
        self.join(&format!("/model/{}/{action}", utf8_percent_encode(model, SEGMENT)))
    }

    fn join(&self, path: &str) -> Result<Uri, UpstreamError> {
        self.target.join(path).map_err(|_| no_path())
    }
}

fn no_path() -> UpstreamError {
    UpstreamError::caused(Kind::Connect, "the model's name there makes no path")
}
