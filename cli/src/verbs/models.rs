//! `models`: what models there are, and until when.
//!
//! Law: without `--mine` the registry is read, by who governs it; with it, a data plane is asked as a caller asks it, and says what the
//! holder of the key may use there and now.

use clap::Args;
use serde_json::Value;

use super::Shown;
use super::failure::Failure;
use super::field::{hint, list, text};
use crate::client::{Client, Reply};
use crate::output;
use crate::output::table::{cell, table};

/// Show what models there are, with their cards and until when they may be used.
#[derive(Debug, Args)]
pub(crate) struct Models {
    /// One of them, by its name, or with --mine also by an alias.
    name: Option<String>,
    /// The tenant they belong to, or `-` for every tenant's; without it the platform's are meant.
    #[arg(long, conflicts_with = "mine")]
    tenant: Option<String>,
    /// What the holder of `CHANCERY_API_KEY` may use at `CHANCERY_DATA_URL`, here and now.
    #[arg(long)]
    mine: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Models {
    /// Whether a data plane is asked.
    pub(super) fn is_mine(&self) -> bool {
        self.mine
    }
}

/// What is registered.
pub(super) async fn registered(client: &Client, asked: &Models) -> Result<(), Failure> {
    let owner = asked.tenant.as_ref().map(|tenant| format!("tenants/{tenant}/")).unwrap_or_default();
    let reply = match &asked.name {
        Some(name) if name.contains('/') => client.get(name, &[]).await?,
        Some(name) => client.get(&format!("{owner}models/{name}"), &[]).await?,
        None => client.all(&format!("{owner}models"), "models").await?,
    };
    if asked.name.is_none() {
        hint(list(&reply.json, "models"), asked.tenant.as_deref(), "models");
    }
    print(asked, &reply, "models", registry);
    Ok(())
}

/// What a key may use.
pub(super) async fn mine(node: &Client, asked: &Models) -> Result<(), Failure> {
    let path = asked.name.as_ref().map_or_else(|| "models".to_owned(), |name| format!("models/{name}"));
    let reply = node.get(&path, &[]).await?;
    print(asked, &reply, "data", catalogue);
    Ok(())
}

fn print(asked: &Models, reply: &Reply, field: &str, rows: fn(&[Value]) -> String) {
    asked.shown.print(reply, || match asked.name {
        Some(_) => rows(std::slice::from_ref(&reply.json)),
        None => rows(list(&reply.json, field)),
    });
    if asked.shown.is_text() && asked.name.is_some() {
        let description = ["/spec/card/description", "/chancery/description"];
        let told = description.iter().find_map(|pointer| reply.json.pointer(pointer)?.as_str());
        told.filter(|text| !text.is_empty()).into_iter().for_each(|text| output::line(&output::plain(text)));
    }
}

fn registry(models: &[Value]) -> String {
    let row = |model: &Value| {
        let card = |field: &str| cell(model.pointer(&format!("/spec/card/{field}")));
        let name = text(model, "name");
        let name = name.strip_prefix("models/").unwrap_or(&name).to_owned();
        vec![
            name,
            card("operations"),
            card("contextWindow"),
            cell(model.pointer("/spec/licence")),
            geos(model.pointer("/spec/geos")),
            endpoints(model),
            card("deprecatedFrom"),
            card("retiredFrom"),
        ]
    };
    let headings = [
        "name",
        "operations",
        "contextWindow",
        "licence",
        "geos",
        "endpoints",
        "deprecatedFrom",
        "retiredFrom",
    ];
    table(&headings, models.iter().map(row))
}

fn catalogue(models: &[Value]) -> String {
    let row = |model: &Value| {
        let card = |field: &str| cell(model.pointer(&format!("/chancery/{field}")));
        let available = model.pointer("/chancery/available").and_then(Value::as_bool) == Some(true);
        vec![
            text(model, "id"),
            if available { "yes".to_owned() } else { card("reasons") },
            card("operations"),
            card("context_window"),
            card("processing_regions"),
            card("deprecated_from"),
            card("retired_from"),
        ]
    };
    let headings = [
        "name",
        "available",
        "operations",
        "contextWindow",
        "processingRegions",
        "deprecatedFrom",
        "retiredFrom",
    ];
    table(&headings, models.iter().map(row))
}

/// Where it is there: nowhere else, or everywhere.
fn geos(geos: Option<&Value>) -> String {
    match cell(geos) {
        none if none == "-" || none.is_empty() => "all".to_owned(),
        some => some,
    }
}

/// What serves it, in the order of its route.
fn endpoints(model: &Value) -> String {
    let groups = model.pointer("/spec/route").map(|route| list(route, "groups")).unwrap_or_default();
    let targets = groups.iter().flat_map(|group| list(group, "targets"));
    let names: Vec<String> = targets.map(|target| text(target, "endpoint")).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_shows_what_is_registered_and_until_when() {
        let model = json!({"name": "models/m", "spec": {"card": {"operations": ["chat"], "contextWindow": 128_000, "retiredFrom": "2027-01-01"},
            "licence": "terms", "route": {"groups": [{"targets": [{"endpoint": "a"}, {"endpoint": "b"}]}, {"targets": [{"endpoint": "c"}]}]}}});
        let shown = registry(&[model]);
        let cells: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["m", "chat", "128000", "terms", "all", "a,b,c", "-", "2027-01-01"]);
        let of_a_key = json!({"id": "m", "chancery": {"available": false, "reasons": ["residency_unsatisfied"], "operations": [],
            "context_window": 8192, "processing_regions": [], "deprecated_from": "2026-01-01", "retired_from": null}});
        let shown = catalogue(&[of_a_key]);
        let cells: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..2], ["m", "residency_unsatisfied"]);
        assert_eq!(cells[cells.len() - 2..], ["2026-01-01", "-"]);
    }
}
