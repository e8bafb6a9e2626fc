//! One revision, ready to be served: the snapshot with everything that is prepared from it, built off the request path.
//!
//! Law: immutable but for lazily made limits, the endpoints' vital signs and the routes' budgets of retries; a request takes one and keeps it to its end.
//! Deliberately absent: where snapshots come from (`policy`), and counters of any caller (`quota`).

pub(crate) mod ending;
mod limits;
pub(crate) mod retries;
pub(crate) mod tally;
pub(crate) mod vitals;

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::HeaderValue;
use policy_engine::decision::{EndpointIx, ModelIx};
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::{Geo, Id, Name};

use crate::captured::ContentKey;
use crate::freshness::Spans;
use crate::overlay::Subject;
use crate::policy::Version;
use crate::upstream::Upstream;
use crate::upstream::config::Fault;
use ending::Ending;
use limits::Limits;
pub(crate) use limits::{Counted, aip_name};
use retries::Budget;
use tally::Tally;
use vitals::Vitals;

/// What a runtime is made of.
pub(crate) struct Parts {
    /// Which snapshot it is.
    pub(crate) version: Version,
    /// The compiled facts.
    pub(crate) snapshot: Arc<CompiledSnapshot>,
    /// Where this node runs.
    pub(crate) geo: Geo,
    /// The way to each endpoint, by position, or why there is none.
    pub(crate) upstreams: Vec<Result<Arc<Upstream>, Fault>>,
    /// The scope keys the snapshot's key MACs were made with, by id.
    pub(crate) scope_keys: Vec<(Arc<str>, [u8; 32])>,
    /// To whom captured content of tenants is sealed.
    pub(crate) content_keys: HashMap<Name, ContentKey>,
}

/// One revision, ready to be served.
pub(crate) struct Runtime {
    /// Which snapshot it is.
    pub(crate) version: Version,
    /// The compiled facts.
    pub(crate) snapshot: Arc<CompiledSnapshot>,
    /// The revision, for `x-chancery-revision`.
    pub(crate) revision_header: HeaderValue,
    /// The geo, for `x-chancery-geo`.
    pub(crate) geo_header: HeaderValue,
    endpoints: Vec<Endpoint>,
    /// Of the models' routes, by position; they go on from runtime to runtime.
    budgets: Vec<Arc<Budget>>,
    /// Of the models, by position.
    endings: Vec<Ending>,
    scope_keys: HashMap<Arc<str>, hmac::Key>,
    /// What an unknown key is compared under, so that it costs what a known one does.
    decoy: hmac::Key,
    content_keys: HashMap<Name, ContentKey>,
    limits: Limits,
    spans: Spans,
    tally: Arc<Tally>,
}

/// What is prepared for one endpoint.
pub(crate) struct Endpoint {
    /// Its id.
    pub(crate) id: Id,
    /// Whose it is.
    pub(crate) provider: Option<Id>,
    /// The way there, or why there is none.
    pub(crate) upstream: Result<Arc<Upstream>, Fault>,
    /// Its name, for `x-chancery-endpoint`.
    pub(crate) header: HeaderValue,
    /// The model's name there as a JSON string, to be patched into bodies.
    pub(crate) model_json: Bytes,
    /// How it is doing; goes on from runtime to runtime while the endpoint is the same.
    pub(crate) vitals: Arc<Vitals>,
}

impl Endpoint {
    /// How it is doing, for one that leads there now: nothing is known of another place, or of another credential.
    fn known(&self, upstream: &Result<Arc<Upstream>, Fault>) -> Option<Arc<Vitals>> {
        let is_same = match (&self.upstream, upstream) {
            (Ok(before), Ok(now)) => before.leads_where(now),
            (Err(_), Ok(_)) => false,
            (_, Err(_)) => true,
        };
        is_same.then(|| Arc::clone(&self.vitals))
    }

    /// What a kill may hit of it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { endpoint: Some(&self.id), provider: self.provider.as_ref(), ..Subject::default() }
    }
}

impl Runtime {
    /// Prepares a snapshot; vital signs go on from `before`, and what was counted if it is of the same version.
    pub(crate) fn new(parts: Parts, before: Option<&Self>) -> Self {
        let Parts { version, snapshot, geo, upstreams, scope_keys, content_keys } = parts;
        let known: HashMap<&Id, &Endpoint> =
            before.iter().flat_map(|b| &b.endpoints).map(|endpoint| (&endpoint.id, endpoint)).collect();
        let endpoints = snapshot.endpoints().zip(upstreams).map(|((_, row), upstream)| Endpoint {
            id: row.id.clone(),
            provider: snapshot.provider_of(row).map(|provider| provider.id.clone()),
            vitals: known.get(&row.id).and_then(|before| before.known(&upstream)).unwrap_or_default(),
            upstream,
            header: header(row.id.name.as_str()),
            model_json: json_string(&row.upstream_model),
        });
        let endpoints = endpoints.collect();
        let same = before.filter(|before| before.version == version);
        let keys = scope_keys.into_iter().map(|(id, key)| (id, hmac::Key::new(hmac::HMAC_SHA256, &key)));
        Self {
            version,
            revision_header: HeaderValue::from(snapshot.header().revision),
            geo_header: header(geo.as_str()),
            limits: Limits::of(&snapshot),
            spans: Spans::of(&snapshot),
            tally: same.map_or_else(Arc::default, |before| before.tally.clone()),
            endpoints,
            budgets: budgets(&snapshot, before),
            endings: snapshot.models().map(|(_, row)| Ending::of(&row.card)).collect(),
            scope_keys: keys.collect(),
            content_keys,
            decoy: hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]),
            snapshot,
        }
    }

    /// What is prepared for an endpoint.
    pub(crate) fn endpoint(&self, ix: EndpointIx) -> Option<&Endpoint> {
        self.endpoints.get(ix.position())
    }

    /// All endpoints, in the order of their positions.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How much of a model's load may be asked a second time.
    pub(crate) fn budget(&self, ix: ModelIx) -> Option<&Budget> {
        self.budgets.get(ix.position()).map(|budget| &**budget)
    }

    /// Until when a model may be used.
    pub(crate) fn ending(&self, ix: ModelIx) -> Ending {
        self.endings.get(ix.position()).cloned().unwrap_or_default()
    }

    /// The scope key of an id, or one that verifies nothing.
    pub(crate) fn scope_key(&self, id: &str) -> &hmac::Key {
        self.scope_keys.get(id).unwrap_or(&self.decoy)
    }

    /// To whom content of a tenant is sealed, where that is known here.
    pub(crate) fn content_key(&self, tenant: &Name) -> Option<&ContentKey> {
        self.content_keys.get(tenant)
    }

    /// The ledger's form of the snapshot's limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// For how long its tenants may be served by it.
    pub(crate) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// What became of the requests it judged.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}

/// A budget for each model, by position: the one it had, where it was there before.
fn budgets(snapshot: &CompiledSnapshot, before: Option<&Runtime>) -> Vec<Arc<Budget>> {
    let known: HashMap<&Id, &Arc<Budget>> = before
        .iter()
        .flat_map(|before| before.snapshot.models().zip(&before.budgets))
        .map(|((_, row), budget)| (&row.id, budget))
        .collect();
    let of = |id: &Id| known.get(id).map_or_else(Arc::default, |budget| Arc::clone(budget));
    snapshot.models().map(|(_, row)| of(&row.id)).collect()
}

/// A header of a name, whose letters all are allowed in one.
fn header(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("unnamed"))
}

fn json_string(text: &str) -> Bytes {
    serde_json::to_vec(text).unwrap_or_default().into()
}
