//! The platform's models and what serves them, as far as a price needs it.
//!
//! Law: a vendor is known by where it is called; what is called somewhere of one's own has no vendor, and so no price of a list.

use std::collections::{BTreeMap, HashSet};

use policy_engine::vocabulary::{Instant, decimal_nanos};
use serde_json::Value;

use crate::client::Client;
use crate::verbs::failure::Failure;
use crate::verbs::field::{list, text};
use crate::verbs::vendors::Vendor;
use crate::verbs::written::Amounts;

/// What is registered.
pub(super) struct Registered {
    /// By name: adapter and base URL.
    providers: BTreeMap<String, (String, String)>,
    /// By name: provider and the model's name there.
    endpoints: BTreeMap<String, (String, String)>,
    /// By name: endpoints, in the order of the route.
    models: BTreeMap<String, Vec<String>>,
    prices: Vec<Value>,
}

/// An endpoint of a model.
#[derive(Debug)]
pub(super) struct Of<'r> {
    pub(super) endpoint: &'r str,
    /// What a list may call its vendor.
    pub(super) vendors: Vec<&'static str>,
    /// The model's name there.
    pub(super) upstream: &'r str,
}

impl Registered {
    /// What a control plane has.
    pub(super) async fn at(client: &Client) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for plural in ["providers", "endpoints", "models", "prices"] {
            all.push(Value::from(list(&client.all(plural, plural).await?.json, plural).to_vec()));
        }
        let mut all = all.into_iter();
        let mut next = || all.next().unwrap_or_default();
        Ok(Self::of(next(), next(), next(), next()))
    }

    /// The same of lists that REST answered.
    pub(super) fn of(providers: Value, endpoints: Value, models: Value, prices: Value) -> Self {
        let pairs = |all: &Value, (one, other): (&str, &str)| {
            let each = all.as_array().into_iter().flatten();
            each.map(|resource| (id(resource), (spec(resource, one), spec(resource, other)))).collect()
        };
        let targets = |model: &Value| {
            let groups = model.pointer("/spec/route").map(|route| list(route, "groups")).unwrap_or_default();
            let mut seen = HashSet::new();
            let targets =
                groups.iter().flat_map(|group| list(group, "targets")).map(|target| text(target, "endpoint"));
            targets.filter(|endpoint| seen.insert(endpoint.clone())).collect()
        };
        let models = models.as_array().into_iter().flatten().map(|model| (id(model), targets(model)));
        Self {
            providers: pairs(&providers, ("adapter", "baseUrl")),
            endpoints: pairs(&endpoints, ("provider", "upstreamModel")),
            models: models.collect(),
            prices: prices.as_array().cloned().unwrap_or_default(),
        }
    }

    /// Every model and its endpoints.
    pub(super) fn models(&self) -> impl Iterator<Item = (&str, Vec<Of<'_>>)> {
        self.models.iter().map(|(model, endpoints)| {
            let of = |endpoint: &'_ String| {
                let (endpoint, (provider, upstream)) = self.endpoints.get_key_value(endpoint)?;
                let (adapter, base_url) = self.providers.get(provider)?;
                // What is made up here costs nobody anything.
                (adapter != "simulated").then(|| Of {
                    endpoint,
                    vendors: Vendor::at(adapter, base_url),
                    upstream,
                })
            };
            (model.as_str(), endpoints.iter().filter_map(of).collect())
        })
    }

    /// Whether a model costs this at an endpoint, or at all of them, at a time.
    pub(super) fn costs(&self, (model, endpoint): (&str, Option<&str>), price: &Amounts, at: &str) -> bool {
        let Ok(at) = Instant::parse(at) else { return false };
        let begun = |of: &Value| Instant::parse(&spec(of, "validFrom")).unwrap_or(Instant(i64::MIN));
        let is_its =
            |of: &&Value| spec(of, "model") == model && spec(of, "endpoint") == endpoint.unwrap_or_default();
        let in_force =
            self.prices.iter().filter(is_its).filter(|of| begun(of) <= at).max_by_key(|of| begun(of));
        in_force.is_some_and(|of| {
            let tokens = price.per_million.clone().unwrap_or_default();
            let units = of.pointer("/spec/perUnit").cloned().unwrap_or(Value::Null);
            let has = |class: &str| {
                let amount =
                    of.pointer("/spec/perMillion").map(|amounts| text(amounts, class)).unwrap_or_default();
                if amount.is_empty() { None } else { decimal_nanos(&amount).ok() }
            };
            let is = |class: &str, amount: Option<&String>| {
                has(class) == amount.and_then(|amount| decimal_nanos(amount).ok())
            };
            spec(of, "currency") == "USD"
                && has("input").unwrap_or(0) == decimal_nanos(&tokens.input).unwrap_or(0)
                && has("output").unwrap_or(0) == decimal_nanos(&tokens.output).unwrap_or(0)
                && is("cachedInput", tokens.cached_input.as_ref())
                && is("reasoning", tokens.reasoning.as_ref())
                && is_same(&units, &serde_json::to_value(&price.per_unit).unwrap_or_default())
        })
    }
}

/// Whether two of `perUnit` say the same, however their amounts are spelled.
fn is_same(one: &Value, other: &Value) -> bool {
    let empty = serde_json::Map::new();
    let (one, other) = (one.as_object().unwrap_or(&empty), other.as_object().unwrap_or(&empty));
    let amount = |of: &Value, field: &str| decimal_nanos(&text(of, field)).ok();
    let each = |of: &serde_json::Map<String, Value>, field: &str| {
        of.get(field).and_then(Value::as_str).and_then(|amount| decimal_nanos(amount).ok())
    };
    let pictures = |of: &serde_json::Map<String, Value>| {
        let pictures = of.get("pictures").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut pictures: Vec<_> = pictures
            .iter()
            .map(|picture| (text(picture, "size"), text(picture, "quality"), amount(picture, "amount")))
            .collect();
        pictures.sort();
        pictures
    };
    ["request", "audioSecond", "character"].iter().all(|field| each(one, field) == each(other, field))
        && pictures(one) == pictures(other)
}

fn id(resource: &Value) -> String {
    let name = text(resource, "name");
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn spec(resource: &Value, field: &str) -> String {
    resource.get("spec").map(|spec| text(spec, field)).unwrap_or_default()
}
