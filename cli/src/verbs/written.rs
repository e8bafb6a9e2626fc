//! Resources that a verb makes of what others have: written as the files that `apply` takes.
//!
//! Law: fields stand in the order the examples have; what is not said is left out, so that defaults stay the control plane's. Absent
//! on purpose: checking them; `apply` does, and tells every fault.

use policy_engine::vocabulary::Kind;
use proto::name::Collection;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::failure::Failure;
use crate::output::yaml;

/// Resources in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Written(Vec<(Kind, Box<RawValue>)>);

/// A resource as REST has one, as far as somebody who writes it knows.
#[derive(Serialize)]
struct Resource<'r, S> {
    name: String,
    labels: Value,
    spec: &'r S,
}

/// A provider.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provider {
    pub(super) adapter: String,
    pub(super) base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential: Option<Credential>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Auth>,
}

/// Where a secret is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Credential {
    Env(String),
    File(String),
}

/// How a secret is used where it is not sent itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Auth {
    Aws {
        #[serde(skip_serializing_if = "String::is_empty")]
        access_key_id: String,
        region: String,
    },
    Google {},
}

/// An endpoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    pub(super) provider: String,
    pub(super) upstream_model: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) processing_regions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeouts: Option<Timeouts>,
}

/// Time limits of a call.
#[derive(Debug, Serialize)]
pub(super) struct Timeouts {
    pub(super) total: String,
}

/// A model.
#[derive(Debug, Serialize)]
pub(super) struct Model {
    pub(super) card: Card,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
    pub(super) route: Route,
}

/// What people read of a model before they choose it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    pub(super) input: Vec<&'static str>,
    pub(super) output: Vec<&'static str>,
    pub(super) operations: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context_window: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_output_tokens: Option<u32>,
}

/// How a request finds an endpoint.
#[derive(Debug, Serialize)]
pub(super) struct Route {
    pub(super) policy: &'static str,
    pub(super) groups: Vec<Vec<Target>>,
}

/// An endpoint of a group, and its share.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    pub(super) endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weight: Option<u32>,
}

/// A price.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Price {
    pub(super) model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_from: Option<String>,
    pub(super) currency: &'static str,
    #[serde(flatten)]
    pub(super) amounts: Amounts,
}

/// What tokens cost, and what else does; one of them at least.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Amounts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_million: Option<PerMillion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_unit: Option<PerUnit>,
}

/// What is not billed by tokens.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerUnit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) pictures: Vec<Picture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audio_second: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) character: Option<String>,
}

/// What a picture costs.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Picture {
    pub(super) amount: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) size: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) quality: String,
}

/// What a million tokens of each class cost.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerMillion {
    pub(super) input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cached_input: Option<String>,
    pub(super) output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<String>,
}

/// A limit.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    pub(super) scope: Scope,
    pub(super) bound: Bound,
}

/// Whose requests a limit counts.
#[derive(Debug, Default, Serialize)]
pub(super) struct Scope {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
}

/// What a limit counts, how much of it may be, and in which time; one of the first four.
#[derive(Debug, Default, Serialize)]
pub(super) struct Bound {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) concurrent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per: Option<String>,
}

impl Written {
    /// Adds a resource of the platform, with the label `source`, by which `apply --prune` finds what came from there.
    pub(super) fn add<S: Serialize>(
        &mut self,
        kind: Kind,
        (id, source): (&str, &str),
        spec: &S,
    ) -> Result<(), Failure> {
        let name = format!("{}/{id}", Collection::of(kind).plural);
        self.put(kind, (name, json!({ "source": source })), spec)
    }

    /// Adds a resource by its whole name, with labels of its own.
    pub(super) fn put<S: Serialize>(
        &mut self,
        kind: Kind,
        (name, labels): (String, Value),
        spec: &S,
    ) -> Result<(), Failure> {
        let resource = Resource { name, labels, spec };
        self.0.push((kind, serde_json::value::to_raw_value(&resource).map_err(Failure::Answer)?));
        Ok(())
    }

    /// How many there are of a kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.0.iter().filter(|(of, _)| *of == kind).count()
    }

    /// All of them as one file.
    pub(super) fn yaml(&self) -> Result<String, Failure> {
        let documents = self.0.iter().map(|(kind, json)| yaml::document(kind.as_str(), json.get()));
        let documents = documents.collect::<Result<Vec<_>, _>>().map_err(Failure::Answer)?;
        Ok(documents.join("---\n"))
    }

    /// All of them as programs read them: as REST has them, each with its kind.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        let one = |(kind, json): &(Kind, Box<RawValue>)| {
            let mut resource: Value = serde_json::from_str(json.get()).map_err(Failure::Answer)?;
            if let Some(fields) = resource.as_object_mut() {
                fields.insert("kind".to_owned(), kind.as_str().into());
            }
            Ok(resource)
        };
        self.0.iter().map(one).collect()
    }
}
