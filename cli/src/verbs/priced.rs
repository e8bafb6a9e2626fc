//! What was made and nobody may use for want of a price: models that a limit of money counts, and that are priced nowhere.
//!
//! Law: it is a warning and never a failure, and only of what is sure. A price of anywhere and of any endpoint counts as one, since
//! what is priced for some is known to who priced it; of models, those that were made, and those under a limit that was.

use policy_engine::facts::ModelGlob;
use serde_json::Value;

use super::field::{list, text};
use crate::client::Client;
use crate::output;

/// How many are told.
const MOST: usize = 10;

/// What there is to judge by.
struct Look {
    models: Vec<Value>,
    limits: Vec<Value>,
    prices: Vec<Value>,
}

/// Warns of every model that was made or changed by an answer's `changes`, or that a limit counts which was, and that is refused for
/// want of a price. Silent where the caller may not look, or nobody answers: what was asked for is done.
pub(super) async fn warn(client: &Client, answer: &Value) {
    let made: Vec<String> = list(answer, "changes")
        .iter()
        .filter(|change| matches!(text(change, "kind").as_str(), "Model" | "Limit"))
        .filter(|change| matches!(text(change, "change").as_str(), "created" | "updated"))
        .map(|change| text(change, "name"))
        .collect();
    if made.is_empty() {
        return;
    }
    let Some(look) = Look::at(client).await else { return };
    let told = look.told(&made);
    told.iter().take(MOST).for_each(|line| output::complain(line));
    if let Some(more) = told.len().checked_sub(MOST).filter(|more| *more > 0) {
        output::complain(&format!("warning: {more} more models have no price either"));
    }
}

/// All of a kind, of the platform and of every tenant; `None` where some can't be read.
async fn all(client: &Client, plural: &str) -> Option<Vec<Value>> {
    let mut found = Vec::new();
    for path in [plural.to_owned(), format!("tenants/-/{plural}")] {
        found.extend_from_slice(list(&client.all(&path, plural).await.ok()?.json, plural));
    }
    Some(found)
}

impl Look {
    async fn at(client: &Client) -> Option<Self> {
        Some(Self {
            models: all(client, "models").await?,
            limits: all(client, "limits").await?,
            prices: all(client, "prices").await?,
        })
    }

    /// A line for each model that a limit of money counts without a price, and what to do.
    fn told(&self, made: &[String]) -> Vec<String> {
        let of_model = |model: &Value| {
            let name = text(model, "name");
            let own = made.contains(&name);
            let meets =
                |limit: &&Value| (own || made.contains(&text(limit, "name"))) && self.lacks(model, limit);
            let limit = text(self.limits.iter().find(meets)?, "name");
            let id = last(&name);
            Some(format!(
                "warning: `{name}` has no price, so whom `{limit}` counts is refused it (`unpriced_model`): declare one \
                 (`kind: Price`, `spec: {{model: {id}, ..}}`)"
            ))
        };
        self.models.iter().filter_map(of_model).collect()
    }

    /// Whether a limit is of money and counts a model that has no price for anybody whom it counts.
    fn lacks(&self, model: &Value, limit: &Value) -> bool {
        let (name, limit_of) = (text(model, "name"), text(limit, "name"));
        let (of, counted) = (tenant(&name), tenant(&limit_of));
        let scope = |field: &str| text(limit.pointer("/spec/scope").unwrap_or(&Value::Null), field);
        // A limit of one endpoint or provider leaves the others to be used.
        let narrow = ["endpoint", "provider"].iter().any(|field| !scope(field).is_empty());
        let pattern = Some(scope("model")).filter(|pattern| !pattern.is_empty());
        let fits =
            pattern.is_none_or(|text| ModelGlob::new(&text).is_ok_and(|glob| glob.matches(last(&name))));
        let is_money = limit.pointer("/spec/bound/spend").is_some();
        let meet = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
        is_money && !narrow && fits && meet(of, counted) && !self.is_priced((&name, of), counted)
    }

    /// Whether there is a price of a model that counts for somebody of a tenant; without one, for anybody.
    fn is_priced(&self, (name, of): (&str, Option<&str>), whose: Option<&str>) -> bool {
        let mut prices = self.prices.iter();
        prices.any(|price| {
            let own = text(price, "name");
            let by = tenant(&own);
            let named = price.pointer("/spec/model").and_then(Value::as_str) == Some(last(name));
            // What is a tenant's is priced by it; the platform's by the platform, and by a tenant for itself.
            named && (by == of || of.is_none() && (whose.is_none() || by == whose))
        })
    }
}

fn tenant(name: &str) -> Option<&str> {
    name.strip_prefix("tenants/")?.split('/').next()
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limit(name: &str, scope: Value, bound: Value) -> Value {
        json!({"name": name, "spec": {"scope": scope, "bound": bound}})
    }

    fn price(name: &str, model: &str) -> Value {
        json!({"name": name, "spec": {"model": model}})
    }

    fn told(limits: &[Value], prices: &[Value], made: &[&str]) -> Vec<String> {
        let models =
            ["models/m", "models/other", "tenants/acme/models/own"].map(|name| json!({"name": name}));
        let look = Look { models: models.into(), limits: limits.to_vec(), prices: prices.to_vec() };
        let made: Vec<String> = made.iter().map(|name| (*name).to_owned()).collect();
        look.told(&made)
    }

    #[test]
    fn a_model_without_a_price_is_told_where_a_limit_of_money_counts_it() {
        let spend = json!({"spend": "5.00 USD", "per": "month"});
        let budget = limit("tenants/acme/limits/budget", json!({"model": "m*"}), spend.clone());
        let lines = told(std::slice::from_ref(&budget), &[], &["models/m", "models/other"]);
        assert_eq!(
            lines,
            [
                "warning: `models/m` has no price, so whom `tenants/acme/limits/budget` counts is refused it (`unpriced_model`): \
              declare one (`kind: Price`, `spec: {model: m, ..}`)"
            ]
        );
        // Who makes the limit meets every model under it, and who makes neither is told nothing.
        assert_eq!(told(std::slice::from_ref(&budget), &[], &["tenants/acme/limits/budget"]).len(), 1);
        assert!(told(std::slice::from_ref(&budget), &[], &["models/other"]).is_empty());
        // Its own price, or the platform's, is enough; another tenant's is not.
        for (by, lines) in [("prices/p", 0), ("tenants/acme/prices/p", 0), ("tenants/x/prices/p", 1)] {
            assert_eq!(
                told(std::slice::from_ref(&budget), &[price(by, "m")], &["models/m"]).len(),
                lines,
                "{by}"
            );
        }
        let of_all = limit("limits/all", json!({}), spend.clone());
        assert_eq!(told(std::slice::from_ref(&of_all), &[], &["tenants/acme/models/own"]).len(), 1);
        let own = price("tenants/acme/prices/p", "own");
        assert!(told(&[of_all], &[own], &["tenants/acme/models/own"]).is_empty());
        // Neither what counts no money, nor what counts one vendor of several, nor another tenant's.
        for other in [
            limit("limits/tokens", json!({}), json!({"tokens": "5", "per": "1m"})),
            limit("limits/vendor", json!({"provider": "p"}), spend.clone()),
        ] {
            assert!(told(&[other], &[], &["models/m"]).is_empty());
        }
        let theirs = limit("tenants/x/limits/budget", json!({}), spend);
        assert!(told(&[theirs], &[], &["tenants/acme/models/own"]).is_empty());
    }
}
