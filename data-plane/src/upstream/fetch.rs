//! Pictures and documents that a conversation names by URL, fetched by this node for vendors that take them only whole.
//!
//! Law: nothing is fetched unless the node's configuration says so. Where to is checked like an endpoint's base URL and again when it
//! is dialled; what was opened for endpoints, which administrators name, is open to callers only at hosts that are listed. Redirects are not
//! followed, encodings are refused, size, time and number are bounded, and what came is believed by its first bytes alone, never by what
//! it is called. Nothing that could be a text is taken, for nobody would have inspected it.
//! Deliberately absent: credentials, cookies, any word of the request, and caching.
//!
//! | vendor | what it does with a URL |
//! |---|---|
//! | `openai` and compatible, `azure`, `anthropic`, `cohere`, Vertex AI | fetches it itself: it is told as it came |
//! | Gemini's developer API | fetches it itself by its newer models; where we may, we do, so that every model can, else it is told as it came |
//! | Bedrock | takes bytes, or what is in S3; where we may not fetch, a 400 that names the field |

mod sniff;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::{
    address::AddressPolicy,
    config::Fault,
    connect::Connector,
    error::{Kind as Failure, UpstreamError},
    fetched::{Fetch, Fetches, host},
    line::is_encoded,
    target::Target,
    tls,
    way::Pool,
};
use crate::dialect::Unfit;
use crate::dialect::chat::{Chat, Kind, Part, Source};
use crate::dialect::gemini::Api;
use crate::dialect::vendor::Dialect;

/// What may be fetched, from where, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Hosts, each by its name or as `*.example.org`; empty: every public one.
    pub(crate) hosts: Vec<String>,
    /// Whether plain HTTP is taken too.
    pub(crate) plain_http: bool,
    /// The most files of one request.
    pub(crate) files: usize,
    /// The most bytes of one.
    pub(crate) file_bytes: usize,
    /// How long one may take in all.
    pub(crate) within: Duration,
    /// Files held at once by all requests together.
    pub(crate) at_once: usize,
    /// Which addresses may be dialled at hosts that are listed; public ones alone where none is.
    pub(crate) addresses: AddressPolicy,
    /// PEM certificates trusted beside the public roots.
    pub(crate) extra_roots: Option<String>,
}

/// Fetches for every endpoint of a node.
pub(crate) struct Fetcher {
    settings: Settings,
    pool: Pool,
    places: Arc<Semaphore>,
}

/// What a vendor takes of what may be fetched, by media type.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// The same of documents.
const DOCUMENTS: [&str; 1] = ["application/pdf"];
/// What is asked for.
const ACCEPT: HeaderValue = HeaderValue::from_static("image/*, application/pdf");

/// Google's own places, which its API looks up by itself: its Files API, and videos.
const GOOGLES: [&str; 3] = ["googleapis.com", "youtube.com", "youtu.be"];

/// Why there is nothing of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unhad {
    /// Our own rules say so; another may have it.
    Ruled(&'static str),
    /// It can't be had.
    Failed(&'static str),
}

impl Unhad {
    fn why(self) -> &'static str {
        match self {
            Self::Ruled(why) | Self::Failed(why) => why,
        }
    }
}

/// Whether what is behind a URL of that host has to be brought to a vendor.
fn is_brought(dialect: Dialect, api: Api, host: &str) -> bool {
    let is_within =
        |name: &str| host == name || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.'));
    match dialect {
        Dialect::Bedrock => true,
        Dialect::Gemini => api == Api::Gemini && !GOOGLES.iter().any(|name| is_within(name)),
        Dialect::Anthropic | Dialect::Cohere => false,
    }
}

impl Fetcher {
    /// Prepares it; nothing is dialled yet.
    pub(crate) fn new(mut settings: Settings) -> Result<Self, Fault> {
        let tls = tls::client(settings.extra_roots.as_deref())?;
        if settings.hosts.is_empty() {
            settings.addresses = AddressPolicy::default();
        }
        Ok(Self::with(Connector::forgetful(settings.addresses.clone(), tls, settings.within), settings))
    }

    fn with(connector: Connector, settings: Settings) -> Self {
        // No connection is kept: whose host it is today says nothing of tomorrow.
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Self { places: Arc::new(Semaphore::new(settings.at_once)), settings, pool }
    }

    async fn bring_each(
        &self,
        chat: &mut Chat,
        (dialect, api): (Dialect, Api),
        noted: (&Fetches, Option<Instant>),
    ) -> Result<Option<OwnedSemaphorePermit>, UpstreamError> {
        let mut wanted = Vec::new();
        for (at, message) in chat.messages.iter_mut().enumerate() {
            collect(&format!("messages[{at}]"), &mut message.content, &mut wanted);
        }
        wanted.retain(|wanted| host(wanted.url()).is_some_and(|host| is_brought(dialect, api, &host)));
        let others = match dialect {
            Dialect::Gemini => Others::Told,
            Dialect::Bedrock | Dialect::Anthropic | Dialect::Cohere => Others::Refused,
        };
        if others == Others::Told {
            wanted.retain(|wanted| self.checked(wanted.url()).is_ok());
            wanted.truncate(self.settings.files);
        }
        if let Some(over) = wanted.get(self.settings.files) {
            let why = "it is one file by URL more than this node fetches for a request";
            return Err(UpstreamError::unfit(Unfit::new(over.path.clone(), why)));
        }
        self.bring_all((wanted, others), noted).await
    }

    async fn bring_all(
        &self,
        (wanted, others): (Vec<Wanted<'_>>, Others),
        (noted, deadline): (&Fetches, Option<Instant>),
    ) -> Result<Option<OwnedSemaphorePermit>, UpstreamError> {
        if wanted.is_empty() {
            return Ok(None);
        }
        let end = Instant::now() + self.settings.within;
        let end = deadline.map_or(end, |deadline| deadline.min(end));
        let count = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        // All at once, so that no two requests wait for each other.
        let places = timeout_at(end, self.places.clone().acquire_many_owned(count)).await;
        let Ok(Ok(places)) = places else { return Err(UpstreamError::new(Failure::Full)) };
        let all = wanted.iter().map(|wanted| async {
            let took = timeout_at(end, self.fetch(wanted.url(), wanted.takes)).await;
            let had = took.unwrap_or(Err(Unhad::Failed("it took too long to fetch")));
            noted.note(wanted.url(), had.as_ref().ok().map(|(bytes, _)| bytes.len()));
            had
        });
        let all = join_all(all).await;
        for (wanted, had) in wanted.into_iter().zip(all) {
            match had {
                Ok((bytes, media_type)) => {
                    let data = BASE64_STANDARD.encode(&bytes);
                    *wanted.source = Source::Data { media_type: media_type.to_owned(), data };
                }
                Err(Unhad::Ruled(_)) if others == Others::Told => {}
                Err(unhad) => return Err(UpstreamError::unfit(Unfit::new(wanted.path, unhad.why()))),
            }
        }
        Ok(Some(places))
    }

    /// What is behind a URL, and what that is by its first bytes.
    async fn fetch(&self, url: &str, takes: &[&'static str]) -> Result<(Bytes, &'static str), Unhad> {
        // Which of these it was says what there is in a network, and is nobody's to know.
        const UNREACHED: &str = "its host can't be reached from here, or may not be";
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.checked(url).map_err(Unhad::Ruled)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, ACCEPT);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("chancery/", env!("CARGO_PKG_VERSION"))),
        );
        let response = self.pool.request(request).await.map_err(|_| Unhad::Failed(UNREACHED))?;
        if response.status().is_redirection() {
            return Err(Unhad::Ruled("its host answered with a redirect, which is not followed"));
        }
        if response.status() != StatusCode::OK {
            return Err(Unhad::Failed("its host did not give it"));
        }
        if is_encoded(response.headers()) {
            return Err(Unhad::Ruled("its host sent it compressed, which is not taken"));
        }
        const LARGE: Unhad = Unhad::Ruled("it is larger than what this node fetches");
        let body = response.into_body();
        if body.size_hint().lower() > self.settings.file_bytes as u64 {
            return Err(LARGE);
        }
        let read = Limited::new(body, self.settings.file_bytes).collect().await;
        let bytes = read.map_err(|error| match error.is::<LengthLimitError>() {
            true => LARGE,
            false => Unhad::Failed("it broke off while it was fetched"),
        })?;
        let bytes = bytes.to_bytes();
        let kind = sniff::media_type(&bytes).filter(|kind| takes.contains(kind));
        let media_type = kind.ok_or(Unhad::Ruled(
            "what is there is of no type that is fetched here: PNG, JPEG, GIF, WebP, or PDF as a file",
        ))?;
        Ok((bytes, media_type))
    }

    /// A URL that may be fetched from, as far as it shows.
    fn checked(&self, url: &str) -> Result<Uri, &'static str> {
        const WRONG: &str = "it is no URL that is fetched from here";
        let whole = url.split('#').next().unwrap_or_default();
        let base = whole.split('?').next().unwrap_or_default();
        Target::parse(base, &self.settings.addresses).map_err(|_| WRONG)?;
        if whole.contains('\\') || !whole.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(WRONG);
        }
        let uri: Uri = whole.parse().map_err(|_| WRONG)?;
        if uri.scheme_str() != Some("https") && !self.settings.plain_http {
            return Err("only `https` URLs are fetched from here");
        }
        let host = host(whole).unwrap_or_default();
        let listed = |listed: &String| match listed.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|sub| sub.ends_with('.')),
            None => host == *listed,
        };
        if !self.settings.hosts.is_empty() && !self.settings.hosts.iter().any(listed) {
            return Err("its host is none that is fetched from here");
        }
        Ok(uri)
    }
}

impl Fetch for Fetcher {
    fn bring<'c>(
        &'c self,
        chat: &'c mut Chat,
        vendor: (Dialect, Api),
        noted: (&'c Fetches, Option<Instant>),
    ) -> BoxFuture<'c, Result<Option<OwnedSemaphorePermit>, UpstreamError>> {
        Box::pin(self.bring_each(chat, vendor, noted))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// What becomes of a URL that our rules refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// The vendor is told it as it came, and may fetch it itself.
    Told,
    /// The request is refused.
    Refused,
}

/// Something that is named by a URL.
struct Wanted<'c> {
    path: String,
    takes: &'static [&'static str],
    source: &'c mut Source,
}

impl Wanted<'_> {
    fn url(&self) -> &str {
        match &*self.source {
            Source::Url(url) => url,
            Source::Data { .. } | Source::Id(_) => "",
        }
    }
}

fn collect<'c>(path: &str, parts: &'c mut [Part], wanted: &mut Vec<Wanted<'c>>) {
    for (at, part) in parts.iter_mut().enumerate() {
        let path = format!("{path}.content[{at}]");
        let (takes, source): (&[_], _) = match &mut part.kind {
            Kind::Image(source, _) => (&PICTURES, source),
            Kind::File { source, .. } => (&DOCUMENTS, source),
            Kind::Output { content, .. } => {
                collect(&path, content, wanted);
                continue;
            }
            _ => continue,
        };
        if matches!(source, Source::Url(_)) {
            wanted.push(Wanted { path, takes, source });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
