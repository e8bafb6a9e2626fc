//! `get`: one resource, or all of a kind.

use std::collections::BTreeSet;
use std::time::SystemTime;

use clap::Args;
use policy_engine::vocabulary::Kind;
use proto::name::Owner;
use serde_json::Value;

use super::failure::Failure;
use super::field::{self, list};
use super::keys;
use super::kind::KindName;
use super::meant::What;
use super::{Form, Shown};
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};
use crate::output::yaml;

/// Show one resource, or all of a kind.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The kind, such as `team` or `models`, or a resource's name such as `rules/eu-residency`.
    #[arg(value_name = "KIND|NAME")]
    what: What,
    /// The resource's name, or the last segment of it; without it all of the kind are listed.
    name: Option<String>,
    /// The tenant it belongs to, or `-` to list every tenant's; without it the platform's are meant, or every tenant's where only
    /// tenants have such.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Gets.
pub(super) async fn run(client: &Client, get: &Get) -> Result<(), Failure> {
    let meant = get.what.meant(get.name.as_deref(), get.tenant.as_deref()).map_err(Failure::Input)?;
    let (kind, tenant) = (meant.kind, meant.tenant.as_deref());
    let plural = kind.0.plural;
    let shown = match &meant.id {
        Some(name) => {
            let path = kind.one(name, tenant).map_err(Failure::Input)?;
            let reply = client.get(&path, &[]).await?;
            match get.shown.output {
                Form::Json => format!("{}\n", reply.text.trim_end()),
                Form::Yaml => document(kind, &reply.text)?,
                Form::Text => rows(kind, &[reply.json]),
            }
        }
        None => {
            let path = kind.listed(tenant).map_err(Failure::Input)?;
            let reply = client.all(&path, plural).await?;
            let all = list(&reply.json, plural);
            if kind.0.owner == Owner::Either {
                field::hint(all, tenant, plural);
            }
            let filter: Vec<_> = tenant.map(|tenant| ("tenant", tenant.to_owned())).into_iter().collect();
            field::unmatched(all, &filter, get.shown);
            match get.shown.output {
                Form::Json => format!("{}\n", reply.text.trim_end()),
                Form::Yaml => {
                    let documents = all.iter().map(|resource| document(kind, &resource.to_string()));
                    documents.collect::<Result<Vec<_>, _>>()?.join("---\n")
                }
                Form::Text => rows(kind, all),
            }
        }
    };
    output::text_as_is(&shown);
    Ok(())
}

/// A resource as files declare it; of a key, which no file declares, what was answered: whether it was revoked is no part of its spec.
fn document(kind: KindName, json: &str) -> Result<String, Failure> {
    if kind.0.kind == Kind::Key {
        return Ok(yaml::answer(json));
    }
    yaml::document(kind.0.kind.as_str(), json).map_err(Failure::Answer)
}

/// A row for each resource: its name, what the kind's columns say, its revision.
fn rows(kind: KindName, resources: &[Value]) -> String {
    let columns = kind.columns();
    let tenants: BTreeSet<&str> =
        resources.iter().filter_map(|r| tenant_of(r.get("name")?.as_str()?)).collect();
    let across = tenants.len() > 1;
    let heading = |path: &&'static str| path.rsplit('.').next().unwrap_or(path);
    // The one column that is not declared.
    let state = (kind.0.kind == Kind::Key).then_some("state");
    let now = SystemTime::now();
    let headings: Vec<&str> =
        std::iter::once("name").chain(state).chain(columns.iter().map(heading)).chain(["revision"]).collect();
    let row = |resource: &Value| {
        let name = resource.get("name").and_then(Value::as_str).map(|name| short(name, across));
        let of_spec = |path: &&str| cell(resource.pointer(&format!("/spec/{}", path.replace('.', "/"))));
        let mut row = vec![name.map_or_else(|| "-".to_owned(), |name| output::plain(&name))];
        row.extend(state.map(|_| keys::state(resource, now).to_owned()));
        row.extend(columns.iter().map(of_spec));
        row.push(cell(resource.get("revision")));
        row
    };
    table(&headings, resources.iter().map(row))
}

fn tenant_of(name: &str) -> Option<&str> {
    name.strip_prefix("tenants/")?.split_once('/').map(|(tenant, _)| tenant)
}

/// The last step of a name, with its tenant where several are shown.
fn short(name: &str, across: bool) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match tenant_of(name).filter(|_| across) {
        Some(tenant) => format!("{tenant}/{last}"),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_several_tenants_each_row_tells_whose_it_is() {
        let teams =
            ["tenants/acme/teams/research", "tenants/other/teams/research"].map(|n| json!({"name": n}));
        let names = |teams: &[Value]| -> Vec<String> {
            let shown = rows("teams".parse().unwrap(), teams);
            shown.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&teams), ["acme/research", "other/research"]);
        assert_eq!(names(&teams[..1]), ["research"]);
    }

    #[test]
    fn a_keys_row_tells_whether_it_still_works() {
        let keys = [json!({"name": "tenants/acme/keys/k", "spec": {"expireTime": "2020-01-01T00:00:00Z"}})];
        let shown = rows("keys".parse().unwrap(), &keys);
        let row: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[..2], ["k", "expired"], "{shown}");
        assert!(shown.starts_with("NAME"), "{shown}");
    }

    #[test]
    fn a_key_in_yaml_tells_that_it_was_revoked() {
        let key =
            r#"{"name": "tenants/acme/keys/k", "spec": {"team": "r"}, "revokeTime": "2026-01-01T00:00:00Z"}"#;
        let shown = document("keys".parse().unwrap(), key).unwrap();
        assert!(shown.contains("revokeTime: ") && !shown.contains("apiVersion"), "{shown}");
    }

    #[test]
    fn a_table_shows_what_matters_of_a_kind() {
        let models = [
            json!({"name": "models/gpt-4o", "revision": 3, "spec": {"licence": "openai-terms",
                   "card": {"operations": ["chat"], "riskClass": "limited"}, "aliases": ["default-chat"]}}),
            json!({"name": "models/sim", "spec": {}}),
        ];
        let shown = rows("models".parse().unwrap(), &models);
        let cells: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        let names =
            ["NAME", "OPERATIONS", "RISK", "CLASS", "LICENCE", "ALIASES", "RETIRED", "FROM", "REVISION"];
        assert_eq!(cells[0], names);
        assert_eq!(cells[1], ["gpt-4o", "chat", "limited", "openai-terms", "default-chat", "-", "3"]);
        assert_eq!(cells[2], ["sim", "-", "-", "-", "-", "-", "-"]);
    }
}
