//! Putting a verified snapshot in force: every endpoint's way upstream is prepared, then one pointer is swapped.
//!
//! Law: what can't be prepared is an endpoint without a way, which is not called; it never holds back the policy of all
//! others. Requests in flight keep the runtime they began with.

mod credential;
mod report;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use policy_engine::facts::Timeouts as Stated;
use policy_engine::snapshot::{CompiledSnapshot, EndpointRow, ModelRow, ProviderRow};
use policy_engine::vocabulary::{self, Kind, Transport};
use proto::sync::Status;

use crate::config;
use crate::dialect::vendor::Dialect;
use crate::drain::Drains;
use crate::node::Node;
use crate::overlay::Overlay;
use crate::policy::{Install, Secrets, Version};
use crate::record::Shelf;
use crate::retained::Retained;
use crate::runtime::{Parts, Runtime};
use crate::secrets::{Remote, Renew};
use crate::simulate::Simulator;
use crate::upstream::address::AddressPolicy;
use crate::upstream::config::{Adapter, Caps, EndpointConfig, Fault, Place, Timeouts};
use crate::upstream::fetch::{Fetcher, Settings};
use crate::upstream::fetched::Fetch;
use crate::upstream::registry::{Registry, Unlisted};
use crate::upstream::simulated::pace::Pace;
use crate::upstream::{Upstream, Ways};

/// Models that are past their end which one line of the log names at most.
const NAMED: usize = 20;

/// Builds runtimes for a node.
pub(crate) struct Installer {
    pub(crate) node: Arc<Node>,
    pub(crate) addresses: AddressPolicy,
    pub(crate) extra_roots: Option<String>,
    /// What fetches files by URL, where the node may.
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    /// Credentials that are kept elsewhere.
    pub(crate) remote: Arc<Remote>,
    /// What was put in force last; whoever swaps holds it, so that nothing older is swapped in after.
    pub(crate) last: Mutex<Option<InForce>>,
}

/// What a runtime is built of.
pub(crate) struct InForce {
    snapshot: Arc<CompiledSnapshot>,
    version: Version,
    secrets: Arc<Secrets>,
}

impl Renew for Installer {
    /// Builds the same anew, with credentials as they are now.
    fn renew(&self) {
        let last = self.last.lock();
        if let Some(last) = &*last {
            self.put(last);
        }
    }
}

impl Install for Installer {
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Arc<Secrets>,
    ) -> Result<(), String> {
        let mut last = self.last.lock();
        // Also of providers without endpoints: their vendors may be asked what they have.
        let named = snapshot.providers().filter_map(|provider| provider.credential.clone());
        self.remote.want(&named.filter(Remote::keeps).collect());
        let next = InForce { snapshot, version: *version, secrets: secrets.clone() };
        self.put(&next);
        let now = self.node.clock.now();
        let before = last.as_ref().map(|before| ended(&before.snapshot, now)).unwrap_or_default();
        let ended = ended(&next.snapshot, now);
        if !ended.is_empty() && ended != before {
            let models = ended.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
            tracing::warn!(models, "models are past their end, by their cards, and served still");
        }
        *last = Some(next);
        Ok(())
    }

    fn report(&self) -> Status {
        report::of(&self.node)
    }

    fn overlay(&self) -> &Overlay {
        &self.node.overlay
    }

    fn drains(&self) -> &Drains {
        &self.node.drains
    }

    fn shelf(&self) -> &Shelf {
        self.node.outbox.shelf()
    }

    fn retained(&self) -> &Retained {
        &self.node.retained
    }

    fn simulator(&self) -> &Simulator {
        &self.node.simulator
    }

    fn registry(&self, provider: &str) -> Result<Registry, Unlisted> {
        const UNKNOWN: Unlisted = Unlisted::None("the policy in force here has no such provider (yet)");
        let id = proto::name::parse_as(Kind::Provider, provider).map_err(|_| UNKNOWN)?;
        let config = {
            let last = self.last.lock();
            let InForce { snapshot, secrets, .. } = last.as_ref().ok_or(UNKNOWN)?;
            let provider = snapshot.provider(&id).ok_or(UNKNOWN)?;
            self.reached(provider, (format!("{id} registry"), Timeouts::default()), secrets)?
        };
        Registry::build(&config)
    }
}

impl Installer {
    fn put(&self, InForce { snapshot, version, secrets }: &InForce) {
        let upstreams = self.upstreams(snapshot, secrets);
        let scope_keys = secrets.scope_keys.iter().filter_map(|(id, key)| {
            Some((Arc::from(id.as_str()), <[u8; 32]>::try_from(key.as_slice()).ok()?))
        });
        let parts = Parts {
            version: *version,
            snapshot: snapshot.clone(),
            geo: self.node.geo.clone(),
            upstreams,
            scope_keys: scope_keys.collect(),
            content_keys: secrets.content_keys.clone(),
        };
        let before = self.node.runtime.load_full();
        let runtime = Runtime::new(parts, before.as_deref());
        tracing::debug!(revision = version.revision, "a runtime is swapped in");
        let runtime = Arc::new(runtime);
        self.node.enforce(runtime.clone());
        credential::tell(&self.node, &runtime);
    }

    fn upstreams(&self, snapshot: &CompiledSnapshot, secrets: &Secrets) -> Vec<Result<Arc<Upstream>, Fault>> {
        let before = self.node.runtime.load_full();
        let before = before.iter().flat_map(|runtime| runtime.endpoints());
        let mut ways = Ways::of(before.filter_map(|endpoint| endpoint.upstream.as_ref().ok()));
        let all = snapshot.endpoints().map(|(_, row)| {
            let config = self.config(row, snapshot.provider_of(row), secrets);
            config.and_then(|config| ways.find(&config)).inspect_err(|fault| {
                if !fault.is_of_credential() {
                    tracing::error!(endpoint = %row.id, %fault, "an endpoint can't be prepared and will not be called");
                }
            })
        });
        all.collect()
    }

    fn config(
        &self,
        row: &EndpointRow,
        provider: Option<&ProviderRow>,
        secrets: &Secrets,
    ) -> Result<EndpointConfig, Fault> {
        let provider = provider.ok_or(Fault::BaseUrl("the endpoint has no provider"))?;
        self.reached(provider, (class(row, provider), timeouts(&row.timeouts)), secrets)
    }

    /// What is needed to reach a provider's vendor, of connections that are shared within a class.
    fn reached(
        &self,
        provider: &ProviderRow,
        (class, timeouts): (String, Timeouts),
        secrets: &Secrets,
    ) -> Result<EndpointConfig, Fault> {
        let adapter = match provider.adapter {
            vocabulary::Adapter::OpenAi => Adapter::OpenAi,
            vocabulary::Adapter::Azure => Adapter::Azure,
            vocabulary::Adapter::Anthropic => Adapter::Foreign(Dialect::Anthropic),
            vocabulary::Adapter::Bedrock => Adapter::Foreign(Dialect::Bedrock),
            vocabulary::Adapter::Gemini => Adapter::Foreign(Dialect::Gemini),
            vocabulary::Adapter::Cohere => Adapter::Foreign(Dialect::Cohere),
            vocabulary::Adapter::SageMaker => Adapter::Custom(Place::SageMaker),
            vocabulary::Adapter::Custom => match provider.transport {
                Transport::Http => Adapter::Custom(Place::Http),
                Transport::Lambda => Adapter::Custom(Place::Lambda),
                Transport::Grpc => Adapter::Rpc,
            },
            vocabulary::Adapter::Simulated => Adapter::Simulated(Pace::default()),
        };
        Ok(EndpointConfig {
            class,
            adapter,
            base_url: provider.base_url.clone(),
            credential: credential::open(provider, (secrets, &self.remote))?,
            refused: credential::refused(provider, &self.remote),
            auth: provider.auth.clone(),
            api_version: provider.api_version.clone(),
            responses_api: provider.responses_api,
            template: provider.template.clone(),
            timeouts,
            caps: Caps::default(),
            addresses: self.addresses.clone(),
            fetch: self.fetch.clone(),
            extra_roots: self.extra_roots.clone(),
        })
    }
}

/// What fetches files by URL, where the node may.
pub(crate) fn fetcher(
    told: &config::Fetch,
    (addresses, extra_roots): (&AddressPolicy, &Option<String>),
) -> Result<Option<Arc<dyn Fetch>>, Fault> {
    let config::Fetch { enabled, hosts, plain_http, files, file_bytes, seconds, at_once } = told.clone();
    let (addresses, extra_roots) = (addresses.clone(), extra_roots.clone());
    let within = Duration::from_secs(seconds);
    let settings = Settings { hosts, plain_http, files, file_bytes, within, at_once, addresses, extra_roots };
    enabled.then(|| Fetcher::new(settings).map(|fetcher| Arc::new(fetcher) as Arc<dyn Fetch>)).transpose()
}

/// The models that are past their end at a time, and can be asked for still.
fn ended(snapshot: &CompiledSnapshot, now: vocabulary::Instant) -> Vec<String> {
    let is_over = |row: &&ModelRow| row.has_endpoint() && row.card.retired_from.is_some_and(|end| end <= now);
    snapshot.models().map(|(_, row)| row).filter(is_over).map(|row| row.id.to_string()).collect()
}

/// Whom an endpoint shares connections with: the others of its provider, so that all of them stay warm. Under TLS the server may
/// choose HTTP/2, and gRPC is nothing else, where one connection carries all calls and a bounded number at a time; there each endpoint has its own.
fn class(row: &EndpointRow, provider: &ProviderRow) -> String {
    let secure = provider.base_url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    let multiplexed = secure || provider.transport == Transport::Grpc;
    let id = if multiplexed { &row.id } else { &provider.id };
    id.to_string()
}

fn timeouts(stated: &Stated) -> Timeouts {
    let or = |stated: Option<vocabulary::Duration>, default: Duration| {
        stated.map_or(default, |d| Duration::from_micros(u64::try_from(d.0).unwrap_or(0)))
    };
    let default = Timeouts::default();
    Timeouts {
        connect: or(stated.connect, default.connect),
        first_byte: or(stated.first_byte, default.first_byte),
        idle: or(stated.idle, default.idle),
        total: or(stated.total, default.total),
    }
}
