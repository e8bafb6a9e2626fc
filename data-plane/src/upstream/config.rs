//! What one endpoint needs to be called: where, as whom, how long, how much.
//!
//! Law: plain values, checked once when the endpoint is built; every fault says which field and why.
//! Deliberately absent: the model's name there, which the pipeline patches into bodies; prices, regions and flags,
//! which rules read.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use policy_engine::facts::Auth;
use policy_engine::facts::template::Template;

use super::{
    address::AddressPolicy,
    fetched::Fetch,
    secret::{Refused, Secret},
    simulated::pace::Pace,
};
use crate::dialect::vendor::Dialect;

/// One callable deployment, as the snapshot's compiler hands it over.
#[derive(Debug)]
pub(crate) struct EndpointConfig {
    /// Whom it may share connections with: endpoints of the same class that are configured alike in everything else.
    pub(crate) class: String,
    /// Which dialect it speaks.
    pub(crate) adapter: Adapter,
    /// `https://host[:port]/path`, without userinfo, query or fragment; unused by the simulated adapter.
    pub(crate) base_url: String,
    /// The bearer credential; none for servers that ask for none.
    pub(crate) credential: Option<Secret>,
    /// Who is told when the vendor refuses it: a credential that is kept elsewhere may have been changed there.
    pub(crate) refused: Option<Refused>,
    /// How the credential is used where it is not sent itself.
    pub(crate) auth: Option<Auth>,
    /// The version of the API that a query asks for; empty: none.
    pub(crate) api_version: String,
    /// Whether it speaks OpenAI's Responses API, where that is told.
    pub(crate) responses_api: Option<bool>,
    /// How requests are written and answers read, where that is not the dialect's to say.
    pub(crate) template: Option<Arc<Template>>,
    /// How long each stage may take.
    pub(crate) timeouts: Timeouts,
    /// How much may come back.
    pub(crate) caps: Caps,
    /// Which addresses may be dialled.
    pub(crate) addresses: AddressPolicy,
    /// What fetches files by URL for a vendor that takes them only whole; `None`: they are not fetched.
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    /// PEM certificates trusted beside the public roots, for private CAs and tests.
    pub(crate) extra_roots: Option<String>,
}

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Adapter {
    /// OpenAI's HTTP API, or any server compatible with it.
    OpenAi,
    /// The same API as Azure serves it.
    Azure,
    /// Another dialect.
    Foreign(Dialect),
    /// What is the organisation's own.
    Custom(Place),
    /// The same as a service over gRPC.
    Rpc,
    /// The deterministic vendor in this process.
    Simulated(Pace),
}

/// Where what is the organisation's own is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind an API, which a template describes.
    Http,
    /// On an endpoint of Amazon SageMaker.
    SageMaker,
    /// As a function of AWS Lambda.
    Lambda,
}

/// How long each stage of a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Name resolution, TCP and TLS together; default 2 s.
    pub(crate) connect: Duration,
    /// From the call to the first byte of the answer's body; default 30 s.
    pub(crate) first_byte: Duration,
    /// Between two pieces of the answer; default 30 s.
    pub(crate) idle: Duration,
    /// The whole call; default 10 min.
    pub(crate) total: Duration,
}

/// How much one answer may weigh, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// The whole body, streams included; default 32 MiB.
    pub(crate) max_answer_bytes: usize,
    /// One event of a stream, but for those of the Responses API; default 1 MiB.
    pub(crate) max_event_bytes: usize,
}

/// Why an endpoint cannot be built; several faults are several values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The base URL cannot be used.
    #[error("base URL: {0}")]
    BaseUrl(&'static str),
    /// The credential holds bytes that no HTTP header can carry.
    #[error("credential: not a header value")]
    Credential,
    /// The credential is a key that can't be used.
    #[error("credential: {0}")]
    Key(&'static str),
    /// The registry names a credential and there is none.
    #[error("credential: not where the registry says it is")]
    CredentialMissing,
    /// What the adapter needs to be told of the API is not there.
    #[error("template: there is none")]
    Template,
    /// The extra roots are not PEM certificates.
    #[error("extra roots: {0}")]
    Roots(&'static str),
    /// The TLS library refused its own defaults.
    #[error("TLS configuration: {0}")]
    Tls(String),
}

impl Fault {
    /// Whether it is the credential that is at fault. Such an endpoint could be reached; it must not be.
    pub(crate) fn is_of_credential(&self) -> bool {
        matches!(self, Self::Credential | Self::Key(_) | Self::CredentialMissing)
    }
}

impl EndpointConfig {
    /// A digest of everything in here, the credential included: equal digests, equal endpoints.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        // INVARIANT: `Debug` is derived and prints every field but the credential, so new fields are covered.
        context.update(format!("{self:?}").as_bytes());
        context.update(self.credential.as_ref().map_or("", Secret::reveal).as_bytes());
        let mut fingerprint = [0; 32];
        fingerprint.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        fingerprint
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { max_answer_bytes: 32 * 1024 * 1024, max_event_bytes: 1024 * 1024 }
    }
}
