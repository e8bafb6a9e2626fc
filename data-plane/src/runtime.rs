//! One revision, ready to be served: the snapshot with everything that is prepared from it, built off the request path.
//!
//! Law: immutable but for lazily made limits and the endpoints' vital signs; a request takes one and keeps it to its end.
//! Deliberately absent: where snapshots come from (`policy`), and counters of any caller (`quota`).

mod limits;
pub(crate) mod tally;
pub(crate) mod vitals;

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::HeaderValue;
use policy_engine::decision::EndpointIx;
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::{Geo, Id, Name};

use crate::captured::ContentKey;
use crate::freshness::Spans;
use crate::overlay::Subject;
use crate::policy::Version;
use crate::upstream::Upstream;
use crate::upstream::config::Fault;
use limits::Limits;
pub(crate) use limits::{Counted, aip_name};
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
    /// How it is doing; goes on from runtime to runtime.
    pub(crate) vitals: Arc<Vitals>,
}

impl Endpoint {
    /// What a kill may hit of it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { endpoint: Some(&self.id), provider: self.provider.as_ref(), ..Subject::default() }
    }
}

impl Runtime {
    /// Prepares a snapshot; vital signs go on from `before`, and what was counted if it is of the same version.
    pub(crate) fn new(parts: Parts, before: Option<&Self>) -> Self {
        let Parts { version, snapshot, geo, upstreams, scope_keys, content_keys } = parts;
        let known: HashMap<&Id, &Arc<Vitals>> =
            before.iter().flat_map(|b| &b.endpoints).map(|e| (&e.id, &e.vitals)).collect();
        let endpoints = snapshot.endpoints().zip(upstreams).map(|((_, row), upstream)| Endpoint {
            id: row.id.clone(),
            provider: snapshot.provider_of(row).map(|provider| provider.id.clone()),
            upstream,
            header: header(row.id.name.as_str()),
            model_json: json_string(&row.upstream_model),
            vitals: known.get(&row.id).map_or_else(Arc::default, |vitals| Arc::clone(vitals)),
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

/// A header of a name, whose letters all are allowed in one.
fn header(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("unnamed"))
}

fn json_string(text: &str) -> Bytes {
    serde_json::to_vec(text).unwrap_or_default().into()
}
