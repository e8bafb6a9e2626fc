//! OpenAI's API as Azure serves it, by both forms of its URL.
//!
//! | `api_version` of the provider | base URL | where a call goes |
//! |---|---|---|
//! | none | `https://R.openai.azure.com`, also with `/openai` or `/openai/v1` | `/openai/v1/chat/completions`, the deployment in `model` |
//! | told, base URL without `/v1` | the same | `/openai/deployments/DEPLOYMENT/chat/completions?api-version=…` |
//! | told, base URL with `/v1` | the same with `/openai/v1` | `/openai/v1/chat/completions?api-version=…` |
//!
//! The Responses API is at `/openai/v1/responses`; with an `api_version` and a base URL without `/v1`, where only some of the versions have it,
//! at `/openai/responses?api-version=…` if the provider says so.
//!
//! Law: as of `openai`: the body goes out as it is given, and comes back as it is, what the vendor says of its content filter included. Absent
//! on purpose: managed identities, listing of deployments.

use http::{HeaderMap, HeaderName, Uri};
use policy_engine::vocabulary::Operation;
use zeroize::Zeroizing;

use super::{
    call::{Answer, Api, Call},
    config::{EndpointConfig, Fault},
    error::{Kind, UpstreamError},
    foreign::lacks,
    line::{Line, headers, post},
    openai::{Asked, RESPONSES, path, rewrite},
    pass::Pass,
    target::Target,
};
use crate::dialect::openai::Reader;

/// The header of a key.
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// One resource, or a gateway before it.
pub(crate) struct Azure {
    line: Line,
    pass: Pass,
    places: Places,
    headers: HeaderMap,
    speaks_responses: bool,
}

/// Where calls go.
enum Places {
    /// To one place for all deployments, below the base.
    Common(Target, String),
    /// To a place for each, below the base, with this query.
    Each(Target, String),
}

/// Where deployments are, below the root of a resource.
const DEPLOYMENTS: &str = "/deployments";

impl Azure {
    /// Checks the base URL and the credential; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let pass = Pass::build(config)?;
        let places = Places::of(config)?;
        let shown = pass.secret().map(|secret| (API_KEY, Zeroizing::new(secret.reveal().to_owned())));
        let base = match &places {
            Places::Common(target, _) | Places::Each(target, _) => target.join("/")?,
        };
        let speaks_responses = config.responses_api.unwrap_or(matches!(places, Places::Common(..)));
        let line = Line::build(config, &base, pass.watched())?;
        Ok(Self { headers: headers(shown)?, line, pass, places, speaks_responses })
    }

    /// Whether it speaks the Responses API.
    pub(crate) fn speaks_responses(&self) -> bool {
        self.speaks_responses
    }

    /// One call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let left_out = match call.foreign && call.operation == Operation::Chat {
            true => rewrite(&mut call, Reader::OpenAi)?,
            false => Vec::new(),
        };
        let what = match call.operation {
            Operation::Chat if call.api == Api::Responses => RESPONSES,
            Operation::Moderate => return Err(lacks("its vendor judges no content (`moderate`)")),
            Operation::Rerank => return Err(lacks("its vendor orders no documents (`rerank`)")),
            operation => path(operation),
        };
        let to = self.places.place(what, &call)?;
        let asked = Asked::of(&mut call)?;
        let (deadline, body) = (call.deadline, call.body.clone());
        let mut request = post(call, (to, asked.form), &self.headers);
        asked.type_of(&mut request);
        let answer = self.pass.exchange(&self.line, (request, body), (asked.form, deadline)).await?;
        Ok(Answer { left_out, ..asked.read(answer)? })
    }
}

impl Places {
    fn of(config: &EndpointConfig) -> Result<Self, Fault> {
        let base = config.base_url.trim_end_matches('/');
        let query = match config.api_version.as_str() {
            "" => String::new(),
            version => format!("?api-version={version}"),
        };
        let path = base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        let parse = |base: &str| Target::parse(base, &config.addresses);
        let is_new = base.ends_with("/v1");
        if query.is_empty() || is_new {
            return Ok(Self::Common(
                match path {
                    None => parse(&format!("{base}/openai/v1"))?,
                    Some("openai") => parse(&format!("{base}/v1"))?,
                    Some(_) => parse(base)?,
                },
                query,
            ));
        }
        let root = base.strip_suffix("/openai").unwrap_or(base);
        Ok(Self::Each(parse(&format!("{root}/openai"))?, query))
    }

    /// Where a call goes; the name of a deployment is an administrator's, and is no path of its own.
    fn place(&self, what: &str, call: &Call) -> Result<Uri, UpstreamError> {
        let path = match self {
            Self::Common(_, query) => format!("{what}{query}"),
            Self::Each(_, query) if call.api == Api::Responses => format!("{what}{query}"),
            Self::Each(_, query) => {
                let name = call.model().map_err(|fault| UpstreamError::unread(&fault))?;
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                if name.is_empty() || !name.bytes().all(fits) || name.bytes().all(|byte| byte == b'.') {
                    return Err(UpstreamError::caused(Kind::Connect, "the deployment's name makes no path"));
                }
                format!("{DEPLOYMENTS}/{name}{what}{query}")
            }
        };
        let (Self::Common(target, _) | Self::Each(target, _)) = self;
        target.join(&path).map_err(|fault| UpstreamError::caused(Kind::Connect, fault))
    }
}

#[cfg(test)]
mod tests;
