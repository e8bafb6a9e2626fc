//! OpenAI's HTTP API, and every server compatible with it.
//!
//! Law: the body goes out as it is given, but where its caller spoke another dialect: then what is not published is left out or unfit. The
//! credential is one sensitive header, made once. Deliberately absent: listing of models, vendor-side state.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Uri};
use policy_engine::vocabulary::Operation;

use super::{
    call::{Answer, Call},
    config::{EndpointConfig, Fault},
    error::UpstreamError,
    line::{Form, Line, bearer, headers, post},
    secret::Secret,
    target::Target,
};
use crate::dialect::openai::{self, Reader};

/// OpenAI's own host.
const OPENAI: &str = "api.openai.com";

/// One endpoint that speaks OpenAI's dialect.
pub(crate) struct OpenAi {
    line: Line,
    chat: Uri,
    embeddings: Uri,
    /// Who reads what is written there.
    reader: Reader,
    /// The headers of every request, the credential among them.
    headers: HeaderMap,
}

impl OpenAi {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let credential = config.credential.as_ref().map(|secret| Secret::new(secret.reveal().to_owned()));
        let shown = config.credential.as_ref().map(bearer);
        let chat = target.join("/chat/completions")?;
        Ok(Self {
            embeddings: target.join("/embeddings")?,
            reader: if chat.host() == Some(OPENAI) { Reader::OpenAi } else { Reader::Vendor },
            headers: headers(shown)?,
            line: Line::build(config, &chat, credential.map(Arc::new))?,
            chat,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => rewrite(&mut call, self.reader)?,
            false => Vec::new(),
        };
        let to = match call.operation {
            Operation::Chat => self.chat.clone(),
            Operation::Embed => self.embeddings.clone(),
        };
        let form = if call.stream { Form::Events } else { Form::Whole };
        let deadline = call.deadline;
        let answer = self.line.exchange(post(call, (to, form), &self.headers), form, deadline).await?;
        Ok(Answer { left_out, ..answer })
    }
}

/// Writes a body that may say more than the dialect has words for in those words; gives what had to be left out.
pub(super) fn rewrite(call: &mut Call, reader: Reader) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
    let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
    let written = openai::write::write(&chat, reader).map_err(UpstreamError::unfit)?;
    call.body = written.body.into();
    Ok(written.left_out)
}

#[cfg(test)]
mod tests;
