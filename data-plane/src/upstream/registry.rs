//! A vendor's own registry: what models it has, asked page by page and read as cards.
//!
//! | adapter | asks | below |
//! |---|---|---|
//! | `openai` | `GET /models` | the base URL |
//! | `azure` | `GET /models`, of what could be deployed | `/openai/v1`, or `/openai` with the api-version |
//! | `anthropic` | `GET /models` | the base URL |
//! | `gemini` | `GET /models` | the base URL; Vertex AI has no such list |
//! | `cohere` | `GET /models` | `/v1` in place of the base URL's `/v2` |
//! | `bedrock` | `GET /foundation-models`, then `GET /inference-profiles` | the host, `bedrock` in place of its first label `bedrock-runtime` |
//! | `sagemaker` | `ListEndpoints`, by `POST /` | the host, `api` in place of its first label `runtime` |
//! | `simulated` | nobody | |
//! | `custom` | nobody: it has no such list | |
//!
//! Law: a list is whole, or there is none: a page that can't be read, pages that lead back or never end, and a list that is too large or too
//! slow are failures. It goes out by the same rules as a call: address policy, credential, no redirects, caps. What a registry does not
//! say is not guessed. Deliberately absent: what becomes of it, and who asks.

mod anthropic;
mod bedrock;
mod card;
mod cohere;
mod gemini;
mod openai;
mod sagemaker;
mod simulated;

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use proto::admin::VendorModel;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    call::AnswerBody,
    config::{Adapter, Caps, EndpointConfig, Fault, Place},
    error::{Kind, UpstreamError},
    foreign::{is_vertex, shown},
    line::{Form, Line, bearer, headers},
    pass::Pass,
    secret::Refused,
    target::Target,
};
use crate::dialect::vendor::Dialect;

/// The largest page, in bytes.
const PAGE_BYTES: usize = 2 << 20;
/// The most objects of one page: read, each takes many times the bytes that it has there.
const OBJECTS: usize = 50_000;
/// The most pages of one list.
const PAGES: usize = 100;
/// The most models of one list.
const MODELS: usize = 5_000;
/// The longest that a whole list may take.
const WITHIN: Duration = Duration::from_secs(40);

/// The header in which Azure looks for a key.
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The registry of one provider.
pub(crate) enum Registry {
    /// At a vendor; boxed, the pool's configuration is large.
    Vendor(Box<Vendor>),
    /// In this process.
    Simulated,
}

/// A registry that is asked over the network.
pub(crate) struct Vendor {
    form: Written,
    line: Line,
    pass: Pass,
    target: Target,
    headers: HeaderMap,
    refused: Option<Refused>,
}

/// How a registry is written.
#[derive(Debug, Clone)]
enum Written {
    OpenAi,
    /// With the query of each page.
    Azure(String),
    Anthropic,
    Gemini,
    Cohere,
    Bedrock,
    SageMaker,
}

/// Everything that a registry has.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Listed {
    /// In the order of their ids.
    pub(crate) models: Vec<VendorModel>,
    /// What is listed can't be called by its id, and what is not listed may be there.
    pub(crate) catalogue_only: bool,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unlisted {
    /// It can't be asked.
    #[error("it can't be asked: {0}")]
    Fault(#[from] Fault),
    /// The vendor did not answer as it should.
    #[error("{0}")]
    Upstream(#[from] UpstreamError),
    /// Nothing of the kind is known of the vendor.
    #[error("{0}")]
    None(&'static str),
    /// A page is none.
    #[error("page {0} of the list is not what the vendor's registry answers")]
    Unread(usize),
    /// A page has too much in it.
    #[error("a page of the list has more than {OBJECTS} objects")]
    Crowded,
    /// A page leads to one that there was.
    #[error("the list goes round: page {0} leads back to one before it")]
    Round(usize),
    /// There is no end.
    #[error("the list does not end within {PAGES} pages")]
    Endless,
    /// There is too much.
    #[error("the list has more than {MODELS} models")]
    TooMany,
}

/// One page, as it is read.
#[derive(Debug, Default)]
struct Page {
    models: Vec<VendorModel>,
    /// Where the next one is, below the target, or what asks for it; none: this was the last.
    next: Option<String>,
}

/// How the pages of one list are read.
enum Reading {
    OpenAi,
    Azure(String),
    Anthropic,
    Gemini,
    Cohere,
    /// Boxed: it keeps what it has read.
    Bedrock(Box<bedrock::Reading>),
    SageMaker,
}

impl Registry {
    /// Checks the configuration and prepares the way; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Unlisted> {
        let Some(form) = Written::of(config)? else { return Ok(Self::Simulated) };
        let target = Target::parse(&form.base(config), &config.addresses)?;
        let base = target.join("/")?;
        if matches!(form, Written::Gemini) && is_vertex(&base) {
            return Err(Unlisted::None("Vertex AI has no list of the models that a project may call"));
        }
        let pass = Pass::build(config)?;
        let told = pass.secret().map(|secret| match &form {
            Written::OpenAi => bearer(secret),
            Written::Azure(_) => (API_KEY, Zeroizing::new(secret.reveal().to_owned())),
            Written::Anthropic => shown((Dialect::Anthropic, &base), secret),
            Written::Gemini => shown((Dialect::Gemini, &base), secret),
            Written::Cohere => shown((Dialect::Cohere, &base), secret),
            Written::Bedrock => shown((Dialect::Bedrock, &base), secret),
            // Without a signature nobody is let in.
            Written::SageMaker => bearer(secret),
        });
        let mut headers = headers(told)?;
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if matches!(form, Written::Anthropic) {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        if matches!(form, Written::SageMaker) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
            headers.insert("x-amz-target", HeaderValue::from_static(sagemaker::TARGET));
        }
        let caps = Caps { max_answer_bytes: PAGE_BYTES, ..config.caps };
        let line = Line::build(config, &base, pass.watched())?.capped(caps);
        let refused = config.refused.clone();
        Ok(Self::Vendor(Box::new(Vendor { form, line, pass, target, headers, refused })))
    }

    /// Everything it has. Dropping the future ends it.
    pub(crate) async fn list(&self) -> Result<Listed, Unlisted> {
        match self {
            Self::Simulated => Ok(Listed { models: simulated::models(), catalogue_only: false }),
            Self::Vendor(vendor) => vendor.list().await,
        }
    }
}

impl Vendor {
    async fn list(&self) -> Result<Listed, Unlisted> {
        let deadline = Instant::now() + WITHIN;
        let mut reading = Reading::of(&self.form);
        let (mut models, mut seen) = (Vec::new(), HashSet::new());
        let mut next = Some(reading.first());
        while let Some(path) = next {
            let number = seen.len().saturating_add(1);
            if number > PAGES {
                return Err(Unlisted::Endless);
            }
            let body = self.page(&path, deadline).await?;
            seen.insert(path);
            let (read, page) = read_aside(reading, (body, number)).await?;
            reading = read;
            models.extend(page.models);
            if models.len() > MODELS {
                return Err(Unlisted::TooMany);
            }
            next = page.next;
            if next.as_ref().is_some_and(|next| seen.contains(next)) {
                return Err(Unlisted::Round(number));
            }
        }
        models.sort_by(|a, b| a.id.cmp(&b.id));
        // A list may name one twice; the first is as good as the other.
        models.dedup_by(|later, first| later.id == first.id);
        Ok(Listed { models, catalogue_only: matches!(self.form, Written::Azure(_)) })
    }

    async fn page(&self, path: &str, deadline: Instant) -> Result<Bytes, Unlisted> {
        let (method, path, body) = match self.form {
            Written::SageMaker => (Method::POST, "/", Bytes::copy_from_slice(path.as_bytes())),
            _ => (Method::GET, path, Bytes::new()),
        };
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = self.target.join(path)?;
        *request.headers_mut() = self.headers.clone();
        let whole = (Form::Whole, Some(deadline));
        let answer = self.pass.exchange(&self.line, (request, body), whole).await;
        if let (Err(error), Some(refused)) = (&answer, &self.refused)
            && error.kind.refuses_credential()
        {
            refused.tell();
        }
        match answer?.body {
            AnswerBody::Whole(body) => Ok(body),
            AnswerBody::Events(_) | AnswerBody::Media(_) => Err(UpstreamError::new(Kind::Protocol).into()),
        }
    }
}

impl Written {
    /// How the registry of an endpoint's vendor is written; none: it is in this process.
    fn of(config: &EndpointConfig) -> Result<Option<Self>, Unlisted> {
        Ok(Some(match config.adapter {
            Adapter::OpenAi => Self::OpenAi,
            Adapter::Azure => Self::Azure(match config.api_version.as_str() {
                "" => String::new(),
                version => format!("?api-version={version}"),
            }),
            Adapter::Foreign(Dialect::Anthropic) => Self::Anthropic,
            Adapter::Foreign(Dialect::Gemini) => Self::Gemini,
            Adapter::Foreign(Dialect::Cohere) => Self::Cohere,
            Adapter::Foreign(Dialect::Bedrock) => Self::Bedrock,
            Adapter::Custom(Place::SageMaker) => Self::SageMaker,
            Adapter::Custom(Place::Http | Place::Lambda) | Adapter::Rpc => {
                return Err(Unlisted::None("what is the organisation's own has no such list"));
            }
            Adapter::Simulated(_) => return Ok(None),
        }))
    }

    /// Where the registry is of a vendor whose calls go to a base URL.
    fn base(&self, config: &EndpointConfig) -> String {
        let base = config.base_url.trim_end_matches('/');
        match self {
            Self::OpenAi | Self::Anthropic | Self::Gemini => base.to_owned(),
            Self::Azure(query) => {
                let root = base.strip_suffix("/v1").unwrap_or(base);
                let root = root.strip_suffix("/openai").unwrap_or(root);
                let is_new = query.is_empty() || base.ends_with("/v1");
                format!("{root}/openai{}", if is_new { "/v1" } else { "" })
            }
            // The list is of the first version of the API alone.
            Self::Cohere => {
                base.strip_suffix("/v2").map_or_else(|| base.to_owned(), |root| format!("{root}/v1"))
            }
            // Of a host of another form nothing is known; in another place the key would go to somebody else's.
            Self::Bedrock => match base.split_once("://bedrock-runtime.") {
                Some((scheme, rest)) if !scheme.contains('/') => format!("{scheme}://bedrock.{rest}"),
                _ => base.to_owned(),
            },
            // Likewise.
            Self::SageMaker => match base.split_once("://runtime.sagemaker.") {
                Some((scheme, rest)) if !scheme.contains('/') => format!("{scheme}://api.sagemaker.{rest}"),
                _ => base.to_owned(),
            },
        }
    }
}

impl Reading {
    fn of(form: &Written) -> Self {
        match form {
            Written::OpenAi => Self::OpenAi,
            Written::Azure(query) => Self::Azure(query.clone()),
            Written::Anthropic => Self::Anthropic,
            Written::Gemini => Self::Gemini,
            Written::Cohere => Self::Cohere,
            Written::Bedrock => Self::Bedrock(Box::default()),
            Written::SageMaker => Self::SageMaker,
        }
    }

    /// Where the first page is, below the target.
    fn first(&self) -> String {
        match self {
            Self::OpenAi => "/models".to_owned(),
            Self::Azure(query) => format!("/models{query}"),
            Self::Anthropic => anthropic::place(None),
            Self::Gemini => gemini::place(None),
            Self::Cohere => cohere::place(None),
            Self::Bedrock(_) => bedrock::FOUNDATION.to_owned(),
            Self::SageMaker => sagemaker::question(None),
        }
    }

    /// Reads a page; none: it is not what the registry answers.
    fn read(&mut self, body: &[u8]) -> Option<Page> {
        let json = serde_json::from_slice(body).ok()?;
        match self {
            Self::OpenAi => openai::read(&json),
            // One page has all there are.
            Self::Azure(_) => openai::read(&json).map(|page| Page { next: None, ..page }),
            Self::Anthropic => anthropic::read(&json),
            Self::Gemini => gemini::read(&json),
            Self::Cohere => cohere::read(&json),
            Self::Bedrock(reading) => reading.read(&json),
            Self::SageMaker => sagemaker::read(&json),
        }
    }
}

/// Reads a page where nobody's request waits for it.
async fn read_aside(
    mut reading: Reading,
    (body, number): (Bytes, usize),
) -> Result<(Reading, Page), Unlisted> {
    let read = move || {
        if body.iter().filter(|byte| **byte == b'{').count() > OBJECTS {
            return Err(Unlisted::Crowded);
        }
        let page = reading.read(&body).ok_or(Unlisted::Unread(number))?;
        Ok((reading, page))
    };
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(Unlisted::Unread(number)))
}

#[cfg(test)]
mod tests;
