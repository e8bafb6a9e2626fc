//! What was made and no node can call: endpoints in geos where no node is, without a credential at any node that is there, and models
//! that have none but such.
//!
//! Law: it is a warning and never a failure. That a node lacks a credential is known as of its last report, which may be before it
//! was told of the endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::field::{list, text};
use crate::client::Client;
use crate::output;

/// A look at what may be called, and by whom.
struct Look {
    /// The nodes that are there.
    nodes: Vec<Value>,
    /// Endpoints by name.
    endpoints: BTreeMap<String, Value>,
}

/// Warns of everything that was made or changed by an answer's `changes` and that no node can call. Silent where the caller may not
/// look, or nobody answers: what was asked for is done.
pub(super) async fn warn(client: &Client, answer: &Value) {
    let made = |kind: &str| -> Vec<String> {
        let of_kind = list(answer, "changes").iter().filter(|change| text(change, "kind") == kind);
        let made = of_kind.filter(|change| matches!(text(change, "change").as_str(), "created" | "updated"));
        made.map(|change| text(change, "name")).collect()
    };
    let (endpoints, models) = (made("Endpoint"), made("Model"));
    if endpoints.is_empty() && models.is_empty() {
        return;
    }
    let Some(look) = Look::at(client).await else { return };
    let models = if models.is_empty() { Vec::new() } else { named(client, "models", &models).await };
    look.told(&endpoints, &models).iter().for_each(|line| output::complain(line));
}

/// All of a kind, of the platform and of every tenant, by name.
async fn all(client: &Client, plural: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for path in [plural.to_owned(), format!("tenants/-/{plural}")] {
        let Ok(reply) = client.all(&path, plural).await else { continue };
        found.extend(list(&reply.json, plural).iter().map(|one| (text(one, "name"), one.clone())));
    }
    found
}

async fn named(client: &Client, plural: &str, names: &[String]) -> Vec<Value> {
    let mut all = all(client, plural).await;
    names.iter().filter_map(|name| all.remove(name)).collect()
}

impl Look {
    async fn at(client: &Client) -> Option<Self> {
        let nodes = client.all("nodes", "nodes").await.ok()?.json;
        let nodes = list(&nodes, "nodes").iter().filter(|node| text(node, "state") == "connected");
        Some(Self { nodes: nodes.cloned().collect(), endpoints: all(client, "endpoints").await })
    }

    /// A line for each that nobody can call, and what to do.
    fn told(&self, endpoints: &[String], models: &[Value]) -> Vec<String> {
        if self.nodes.is_empty() {
            let line =
                "warning: no node is connected, so nothing can be called yet: see `chancery nodes list`";
            return vec![line.to_owned()];
        }
        let of_endpoint = |name: &String| {
            let why = self.hindered(self.endpoints.get(name)?, &[])?;
            Some(format!("warning: `{name}` can't be called: {why}"))
        };
        let of_model = |model: &Value| {
            let why = self.closed(model)?;
            Some(format!("warning: `{}` can't be called: {why}", text(model, "name")))
        };
        endpoints.iter().filter_map(of_endpoint).chain(models.iter().filter_map(of_model)).collect()
    }

    /// Why no node can call an endpoint, of those in some geos alone where any are named; `None` where one can, as far as is known.
    fn hindered(&self, endpoint: &Value, geos: &[String]) -> Option<String> {
        let own = geos_of(endpoint);
        let is_in = |node: &&Value, geos: &[String]| geos.is_empty() || geos.contains(&text(node, "geo"));
        let there: Vec<&Value> =
            self.nodes.iter().filter(|node| is_in(node, &own) && is_in(node, geos)).collect();
        let Some(first) = there.first() else {
            let geos = if own.is_empty() { geos } else { &own };
            return Some(self.nobody_in(geos));
        };
        let unusable = |node: &&Value| {
            let of_it = |it: &&Value| text(it, "endpoint") == text(endpoint, "name");
            list(node, "unusableEndpoints").iter().find(of_it).map(|it| text(it, "reason"))
        };
        if there.iter().any(|node| unusable(node).is_none()) {
            return None;
        }
        let reason = unusable(first).unwrap_or_default();
        Some(format!("{} says: {reason}; mend that at the node, or in the provider", text(first, "name")))
    }

    /// Why no node can call a model.
    fn closed(&self, model: &Value) -> Option<String> {
        let geos = geos_of(model);
        let mut routed = BTreeSet::new();
        targets(model.pointer("/spec/route").unwrap_or(&Value::Null), &mut routed);
        let tenant = text(model, "name").split_once("/models/").map(|(tenant, _)| tenant.to_owned());
        let found = |id: &String| {
            let own =
                tenant.as_ref().and_then(|tenant| self.endpoints.get(&format!("{tenant}/endpoints/{id}")));
            own.or_else(|| self.endpoints.get(&format!("endpoints/{id}")))
        };
        let found: Vec<&Value> = routed.iter().filter_map(found).collect();
        if found.is_empty() {
            return Some("its route has no endpoint: name one in `spec.route.groups`".to_owned());
        }
        let mut hindered = Vec::new();
        for endpoint in found {
            hindered.push(format!("`{}`: {}", text(endpoint, "name"), self.hindered(endpoint, &geos)?));
        }
        Some(hindered.join("; "))
    }

    fn nobody_in(&self, geos: &[String]) -> String {
        let there: BTreeSet<String> = self.nodes.iter().map(|node| text(node, "geo")).collect();
        let there: Vec<String> = there.into_iter().collect();
        format!(
            "no node is connected in `{}`, only in `{}`: mend `spec.geos`, or let one in by `chancery nodes enrol`",
            geos.join("`, `"),
            there.join("`, `")
        )
    }
}

fn geos_of(resource: &Value) -> Vec<String> {
    let geos = resource.pointer("/spec/geos").and_then(Value::as_array).into_iter().flatten();
    geos.filter_map(|geo| geo.as_str().map(output::plain)).collect()
}

/// Every endpoint that a route names, however its groups are written.
fn targets(route: &Value, found: &mut BTreeSet<String>) {
    match route {
        Value::Array(parts) => parts.iter().for_each(|part| targets(part, found)),
        Value::Object(fields) => {
            found.extend(fields.get("endpoint").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|part| targets(part, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look() -> Look {
        let endpoints = [
            json!({"name": "endpoints/fine", "spec": {}}),
            json!({"name": "endpoints/far", "spec": {"geos": ["mars"]}}),
            json!({"name": "endpoints/keyless", "spec": {"geos": ["eu"]}}),
        ];
        let broken = json!([{"endpoint": "endpoints/keyless", "reason": "`OPENAI_API_KEY` is not set"}]);
        let nodes = vec![
            json!({"name": "nodes/eu-1", "geo": "eu", "unusableEndpoints": broken}),
            json!({"name": "nodes/us-1", "geo": "us"}),
        ];
        Look { nodes, endpoints: endpoints.map(|one| (text(&one, "name"), one)).into() }
    }

    fn model(geos: Value, endpoints: &[&str]) -> Value {
        let targets: Vec<Value> = endpoints.iter().map(|id| json!({"endpoint": id})).collect();
        json!({"name": "models/m", "spec": {"geos": geos, "route": {"groups": [{"targets": targets}]}}})
    }

    #[test]
    fn an_endpoint_is_named_that_no_node_can_call_with_what_to_do() {
        let names = ["endpoints/fine", "endpoints/far", "endpoints/keyless"].map(str::to_owned);
        let told = look().told(&names, &[]);
        assert_eq!(
            told,
            [
                "warning: `endpoints/far` can't be called: no node is connected in `mars`, only in `eu`, `us`: mend \
                 `spec.geos`, or let one in by `chancery nodes enrol`",
                "warning: `endpoints/keyless` can't be called: nodes/eu-1 says: `OPENAI_API_KEY` is not set; mend that at \
                 the node, or in the provider",
            ]
        );
        let nobody = Look { nodes: Vec::new(), ..look() };
        assert!(nobody.told(&names, &[])[0].contains("no node is connected, so nothing"));
    }

    #[test]
    fn a_model_is_named_where_none_of_its_endpoints_can_be_called_in_its_geos() {
        let told = |geos: Value, endpoints: &[&str]| look().told(&[], &[model(geos, endpoints)]).pop();
        assert_eq!(told(json!([]), &["far", "fine"]), None);
        assert_eq!(told(json!(["us"]), &["fine"]), None);
        let far = told(json!([]), &["far", "keyless"]).unwrap();
        assert!(
            far.contains("`endpoints/far`: no node") && far.contains("`endpoints/keyless`: nodes/eu-1"),
            "{far}"
        );
        assert!(told(json!(["eu"]), &["keyless"]).is_some());
        assert!(told(json!(["us"]), &["keyless"]).unwrap().contains("no node is connected in `eu`"));
        assert!(told(json!(["pluto"]), &["fine"]).unwrap().contains("no node is connected in `pluto`"));
        assert!(told(json!([]), &[]).unwrap().contains("has no endpoint"));
    }
}
