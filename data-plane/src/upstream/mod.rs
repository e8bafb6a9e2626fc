//! Calling vendors: the upstream half of dispatch.
//!
//! Law: whatever goes wrong at a vendor is a value with a kind, and nothing a vendor sends passes unbounded, undated or
//! unfiltered. Deliberately absent: choosing, retrying, reserving (the pipeline's), and any knowledge of policy.
//!
//! Floors, lowest first: `error secret address fetched` · `config target tls echo timer` · `link connect failure reader way line` · `cut
//! unframed` · `translation` · `rpc::steps` · `events call` · `lease authority grant sign` · `token session` · `multipart pass fetch` ·
//! `openai azure foreign simulated` · `custom rpc registry` · this
//! file. `sse` splits what `events` gives and needs nothing.

pub(crate) mod address;
pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod registry;
pub(crate) mod secret;
pub(crate) mod simulated;
pub(crate) mod sse;

mod authority;
mod azure;
pub(crate) mod connect;
mod custom;
mod cut;
mod echo;
mod failure;
pub(crate) mod fetch;
pub(crate) mod fetched;
mod foreign;
mod grant;
mod lease;
mod line;
mod link;
mod multipart;
mod openai;
mod pass;
mod reader;
pub(crate) mod retry_after;
mod rpc;
mod session;
mod sign;
mod target;
mod timer;
pub(crate) mod tls;
mod token;
mod translation;
mod unframed;
mod way;

#[cfg(test)]
pub(crate) mod scripted;

pub(crate) use secret::{Refused, Secret};

use std::{collections::HashMap, fmt, sync::Arc};

use azure::Azure;
use call::{Answer, Api, Call};
use config::{Adapter, Caps, EndpointConfig, Fault};
use custom::Custom;
use error::UpstreamError;
use foreign::Vendor;
use openai::{OpenAi, as_chat};
use policy_engine::vocabulary::Operation;
use rpc::Rpc;
use simulated::Simulated;

use crate::dialect::template::Growth;

/// The way to one endpoint, or to several that are reached alike.
pub(crate) struct Upstream {
    class: String,
    caps: Caps,
    /// Of the configuration it was built from.
    fingerprint: [u8; 32],
    provider: Provider,
    refused: Option<Refused>,
}

/// The port every vendor implements; a new vendor is a new variant and a new file.
pub(crate) enum Provider {
    /// OpenAI's HTTP API or a compatible server; boxed, the pool's configuration is large.
    OpenAi(Box<OpenAi>),
    /// The same as Azure serves it; boxed likewise.
    Azure(Box<Azure>),
    /// A vendor that speaks another dialect; boxed likewise.
    Foreign(Box<Vendor>),
    /// What is the organisation's own; boxed likewise.
    Custom(Box<Custom>),
    /// The same as a service over gRPC; boxed likewise.
    Rpc(Box<Rpc>),
    /// The deterministic vendor in this process.
    Simulated(Simulated),
}

impl Upstream {
    /// Checks the configuration and prepares the pool; nothing is dialled yet.
    pub(crate) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let provider = match config.adapter {
            Adapter::OpenAi => Provider::OpenAi(Box::new(OpenAi::build(config)?)),
            Adapter::Azure => Provider::Azure(Box::new(Azure::build(config)?)),
            Adapter::Foreign(dialect) => Provider::Foreign(Box::new(Vendor::build(config, dialect)?)),
            Adapter::Custom(place) => Provider::Custom(Box::new(Custom::build(config, place)?)),
            Adapter::Rpc => Provider::Rpc(Box::new(Rpc::build(config)?)),
            Adapter::Simulated(pace) => Provider::Simulated(Simulated::new(pace, config.timeouts)),
        };
        Ok(Self {
            class: config.class.clone(),
            caps: config.caps,
            fingerprint: config.fingerprint(),
            provider,
            refused: config.refused.clone(),
        })
    }

    /// Whether both lead to the same place, by the same credential.
    pub(crate) fn leads_where(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// A splitter for this endpoint's events in an API, with its cap. An event of the Responses API may hold a whole response, or a
    /// picture, so that it may be as large as an answer.
    pub(crate) fn splitter(&self, api: Api) -> sse::Splitter {
        sse::Splitter::new(match api {
            Api::Chat => self.caps.max_event_bytes,
            Api::Responses => self.caps.max_answer_bytes,
        })
    }

    /// The API in which it answers what is written in one: the same where it speaks that, and chats otherwise.
    pub(crate) fn api(&self, asked: Api) -> Api {
        if asked == Api::Responses && self.provider.speaks_responses() { Api::Responses } else { Api::Chat }
    }

    /// How much is sent of a request, where it is not what came.
    pub(crate) fn growth(&self, operation: Operation) -> Growth {
        match &self.provider {
            Provider::Custom(vendor) => vendor.growth(operation),
            _ => Growth::NONE,
        }
    }

    /// One call. Dropping the future, or the events in its answer, cancels the upstream call.
    pub(crate) async fn call(&self, mut call: Call) -> Result<Answer, UpstreamError> {
        let untold = match (call.api, self.api(call.api)) {
            (Api::Responses, Api::Chat) => as_chat(&mut call)?,
            _ => Vec::new(),
        };
        let mut answer = self.provider.call(call).await;
        if let Ok(answer) = &mut answer {
            answer.left_out.extend(untold);
        }
        if let (Err(error), Some(refused)) = (&answer, &self.refused)
            && error.kind.refuses_credential()
        {
            refused.tell();
        }
        answer
    }
}

/// The ways upstream of one revision, each found again by what it is built from: what did not change keeps its open
/// connections, and endpoints that are reached alike share theirs, so that a thousand models of one server do not each keep
/// some of their own, all of them cold.
pub(crate) struct Ways(HashMap<[u8; 32], Arc<Upstream>>);

impl Ways {
    /// What the last revision had.
    pub(crate) fn of<'u>(before: impl IntoIterator<Item = &'u Arc<Upstream>>) -> Self {
        Self(before.into_iter().map(|upstream| (upstream.fingerprint, Arc::clone(upstream))).collect())
    }

    /// The way of such a configuration: one that is there already, or a new one.
    pub(crate) fn find(&mut self, config: &EndpointConfig) -> Result<Arc<Upstream>, Fault> {
        let fingerprint = config.fingerprint();
        if let Some(known) = self.0.get(&fingerprint) {
            return Ok(Arc::clone(known));
        }
        let built = Arc::new(Upstream::build(config)?);
        self.0.insert(fingerprint, Arc::clone(&built));
        Ok(built)
    }
}

impl Provider {
    /// Whether it speaks the Responses API.
    fn speaks_responses(&self) -> bool {
        match self {
            Self::OpenAi(vendor) => vendor.speaks_responses(),
            Self::Azure(vendor) => vendor.speaks_responses(),
            Self::Foreign(_) | Self::Custom(_) | Self::Rpc(_) | Self::Simulated(_) => false,
        }
    }

    /// One call.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        match self {
            // The others are larger, and boxed: a request's state has room for this one alone.
            Self::OpenAi(vendor) => vendor.call(call).await,
            Self::Azure(vendor) => Box::pin(vendor.call(call)).await,
            Self::Foreign(vendor) => Box::pin(vendor.call(call)).await,
            Self::Custom(vendor) => Box::pin(vendor.call(call)).await,
            Self::Rpc(vendor) => Box::pin(vendor.call(call)).await,
            Self::Simulated(vendor) => Box::pin(vendor.call(call)).await,
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("class", &self.class).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::facts::Auth;

    use super::*;

    #[test]
    fn an_event_of_the_responses_api_may_be_as_large_as_an_answer() {
        let mut config = scripted::endpoint(8000);
        (config.caps.max_event_bytes, config.caps.max_answer_bytes) = (16, 64);
        let upstream = Upstream::build(&config).unwrap();
        let fits = |api, bytes: usize| {
            let mut splitter = upstream.splitter(api);
            splitter.push(format!("data: {}\n\n", "x".repeat(bytes)).into());
            splitter.next_event().is_ok()
        };
        assert!(fits(Api::Chat, 4) && !fits(Api::Chat, 32));
        assert!(fits(Api::Responses, 32) && !fits(Api::Responses, 64));
    }

    #[test]
    fn what_is_reached_as_before_or_alike_keeps_its_connections() {
        let config = scripted::endpoint(8000);
        let before = Arc::new(Upstream::build(&config).unwrap());
        let mut ways = Ways::of([&before]);
        assert!(Arc::ptr_eq(&before, &ways.find(&config).unwrap()));

        type Change = fn(&mut EndpointConfig);
        let changes: [Change; 8] = [
            |config| config.class.push('x'),
            |config| config.credential = Some(Secret::new("another credential".to_owned())),
            |config| config.credential = None,
            |config| config.auth = Some(Auth::Google { scope: String::new(), federation: None }),
            |config| config.api_version.push('x'),
            |config| config.base_url.push('x'),
            |config| config.caps.max_event_bytes += 1,
            |config| config.addresses.allowed.push("10.0.0.0/8".parse().unwrap()),
        ];
        for change in changes {
            let mut config = scripted::endpoint(8000);
            change(&mut config);
            let after = ways.find(&config).unwrap();
            assert!(!Arc::ptr_eq(&before, &after), "{config:?}");
            assert!(Arc::ptr_eq(&after, &ways.find(&config).unwrap()), "{config:?}");
        }
    }
}
