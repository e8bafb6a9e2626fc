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
    places: Places,
    /// Who reads what is written there.
    reader: Reader,
    /// The headers of every request, the credential among them.
    headers: HeaderMap,
}

/// Where each operation is asked for.
struct Places {
    chat: Uri,
    embed: Uri,
    complete: Uri,
    moderate: Uri,
    rerank: Uri,
}

impl Places {
    fn of(target: &Target) -> Result<Self, Fault> {
        Ok(Self {
            chat: target.join("/chat/completions")?,
            embed: target.join("/embeddings")?,
            complete: target.join("/completions")?,
            moderate: target.join("/moderations")?,
            rerank: target.join("/rerank")?,
        })
    }

    fn place(&self, operation: Operation) -> &Uri {
        match operation {
            Operation::Chat => &self.chat,
            Operation::Embed => &self.embed,
            Operation::Complete => &self.complete,
            Operation::Moderate => &self.moderate,
            Operation::Rerank => &self.rerank,
        }
    }
}

impl OpenAi {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let target = Target::parse(&config.base_url, &config.addresses)?;
        let credential = config.credential.as_ref().map(|secret| Secret::new(secret.reveal().to_owned()));
        let shown = config.credential.as_ref().map(bearer);
        let places = Places::of(&target)?;
        Ok(Self {
            reader: if places.chat.host() == Some(OPENAI) { Reader::OpenAi } else { Reader::Vendor },
            headers: headers(shown)?,
            line: Line::build(config, &places.chat, credential.map(Arc::new))?,
            places,
        })
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => self.rewrite(&mut call)?,
            false => Vec::new(),
        };
        let to = self.places.place(call.operation).clone();
        let form = if call.stream { Form::Events } else { Form::Whole };
        let deadline = call.deadline;
        let answer = self.line.exchange(post(call, (to, form), &self.headers), form, deadline).await?;
        Ok(Answer { left_out, ..answer })
    }

    /// Writes a body that may say more than the dialect has words for in those words; gives what had to be left out.
    fn rewrite(&self, call: &mut Call) -> Result<Vec<Cow<'static, str>>, UpstreamError> {
        let chat = openai::read::read(&call.body).map_err(|fault| UpstreamError::unread(&fault))?;
        let written = openai::write::write(&chat, self.reader).map_err(UpstreamError::unfit)?;
        call.body = written.body.into();
        Ok(written.left_out)
    }
}

#[cfg(test)]
mod tests;
