//! What is registered of a provider's owner, as far as a vendor's list is compared with it.
//!
//! Law: a model is of the vendor alone where every endpoint of its route that answers is; what others serve too, the vendor does not end.

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::vocabulary::Id;
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::verbs::failure::Failure;
use crate::verbs::field::{list, text};

/// What is registered.
pub(super) struct Registered {
    /// Of this provider: endpoints by their ids, with the model's name there.
    pub(super) endpoints: BTreeMap<String, String>,
    /// Ids of all endpoints of the owner.
    pub(super) endpoint_ids: BTreeSet<String>,
    /// Models of the owner by their ids, as REST has them.
    pub(super) models: BTreeMap<String, Value>,
    /// Names and aliases of the platform's models, where the owner is a tenant; none: they may not be read.
    pub(super) platform: Option<BTreeSet<String>>,
}

impl Registered {
    /// What a control plane has.
    pub(super) async fn at(client: &Client, provider: &Id) -> Result<Self, Failure> {
        let path = |plural: &str| match &provider.tenant {
            Some(tenant) => format!("tenants/{tenant}/{plural}"),
            None => plural.to_owned(),
        };
        let endpoints = client.all(&path("endpoints"), "endpoints").await?.json;
        let models = client.all(&path("models"), "models").await?.json;
        let platform = match &provider.tenant {
            None => Some(BTreeSet::new()),
            Some(_) => match client.all("models", "models").await {
                Ok(reply) => Some(names(list(&reply.json, "models"))),
                Err(ClientError::Refused(refused)) if refused.grpc == "PERMISSION_DENIED" => None,
                Err(error) => return Err(error.into()),
            },
        };
        let of = Self::of(provider, list(&endpoints, "endpoints"), list(&models, "models"));
        Ok(Self { platform, ..of })
    }

    /// The same of lists that REST answered, with none of the platform's.
    pub(super) fn of(provider: &Id, endpoints: &[Value], models: &[Value]) -> Self {
        let of_spec = |endpoint: &Value, field: &str| {
            let value = endpoint.pointer(&format!("/spec/{field}")).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let its = endpoints.iter().filter(|it| of_spec(it, "provider") == provider.name.as_str());
        Self {
            endpoints: its.map(|it| (id(it), of_spec(it, "upstreamModel"))).collect(),
            endpoint_ids: endpoints.iter().map(id).collect(),
            models: models.iter().map(|model| (id(model), model.clone())).collect(),
            platform: Some(BTreeSet::new()),
        }
    }

    /// The models of the vendor alone, each with its names there. A mirror answers nobody.
    pub(super) fn own(&self) -> impl Iterator<Item = (&str, &Value, Vec<&str>)> {
        self.models.iter().filter_map(|(id, model)| {
            let groups = model.pointer("/spec/route").map(|route| list(route, "groups")).unwrap_or_default();
            let targets = groups.iter().flat_map(|group| list(group, "targets"));
            let targets = targets.filter(|target| target.get("mirrorPercent").is_none_or(Value::is_null));
            let names =
                targets.map(|target| self.endpoints.get(&text(target, "endpoint")).map(String::as_str));
            let names = names.collect::<Option<Vec<_>>>()?;
            (!names.is_empty()).then_some((id.as_str(), model, names))
        })
    }

    /// Whether a model of the owner is asked for by a name.
    pub(super) fn has_name(&self, name: &str) -> bool {
        let is_alias = |model: &Value| {
            let spec = model.get("spec").map(|spec| list(spec, "aliases")).unwrap_or_default();
            spec.iter().any(|alias| alias.as_str() == Some(name))
        };
        self.models.contains_key(name) || self.models.values().any(is_alias)
    }

    /// Whether a model of the platform is asked for by a name, beside a tenant's own.
    pub(super) fn is_platforms(&self, name: &str) -> bool {
        self.platform.as_ref().is_some_and(|names| names.contains(name))
    }
}

/// By what names models are asked for.
fn names(models: &[Value]) -> BTreeSet<String> {
    let aliases = |model: &Value| -> Vec<String> {
        let all = model.get("spec").map(|spec| list(spec, "aliases")).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    models.iter().map(id).chain(models.iter().flat_map(aliases)).collect()
}

fn id(resource: &Value) -> String {
    let name = resource.get("name").and_then(Value::as_str).unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
