//! `get`: one resource, or all of a kind.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::failure::Failure;
use super::field::list;
use super::kind::KindName;
use crate::client::Client;
use crate::output;
use crate::output::table::{cell, table};
use crate::output::yaml;

/// Show one resource, or all of a kind.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The kind, such as `team` or `models`.
    kind: KindName,
    /// The last segment of the resource's name; without it all are listed.
    name: Option<String>,
    /// The tenant it belongs to; without it the platform's are meant.
    #[arg(long)]
    tenant: Option<String>,
    /// How it is shown; `json` prints what REST answered.
    #[arg(short, long, value_enum, default_value_t = Form::Table, value_name = "FORM")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Yaml,
    Json,
}

/// Gets.
pub(super) async fn run(client: &Client, get: &Get) -> Result<(), Failure> {
    let path = get.kind.path(get.tenant.as_deref()).map_err(Failure::Input)?;
    let plural = get.kind.0.plural;
    let shown = match &get.name {
        Some(name) => {
            let reply = client.get(&format!("{path}/{name}"), &[]).await?;
            match get.output {
                Form::Json => format!("{}\n", reply.text.trim_end()),
                Form::Yaml => document(get.kind, &reply.text)?,
                Form::Table => rows(get.kind, &[reply.json]),
            }
        }
        None => {
            let reply = client.all(&path, plural).await?;
            let all = list(&reply.json, plural);
            match get.output {
                Form::Json => format!("{}\n", reply.text.trim_end()),
                Form::Yaml => {
                    let documents = all.iter().map(|resource| document(get.kind, &resource.to_string()));
                    documents.collect::<Result<Vec<_>, _>>()?.join("---\n")
                }
                Form::Table => rows(get.kind, all),
            }
        }
    };
    output::text_as_is(&shown);
    Ok(())
}

fn document(kind: KindName, json: &str) -> Result<String, Failure> {
    let written = yaml::document(kind.0.kind.as_str(), json);
    written.map_err(|error| Failure::Input(format!("the answer is not a resource: {error}")))
}

/// A row for each resource: its name, what the kind's columns say, its revision.
fn rows(kind: KindName, resources: &[Value]) -> String {
    let columns = kind.columns();
    let heading = |path: &&'static str| path.rsplit('.').next().unwrap_or(path);
    let headings: Vec<&str> =
        std::iter::once("name").chain(columns.iter().map(heading)).chain(["revision"]).collect();
    let row = |resource: &Value| {
        let name = resource.get("name").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
        let of_spec = |path: &&str| cell(resource.pointer(&format!("/spec/{}", path.replace('.', "/"))));
        let mut row = vec![name.map_or_else(|| "-".to_owned(), output::plain)];
        row.extend(columns.iter().map(of_spec));
        row.push(cell(resource.get("revision")));
        row
    };
    table(&headings, resources.iter().map(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_shows_what_matters_of_a_kind() {
        let models = [
            json!({"name": "models/gpt-4o", "revision": 3, "spec": {"licence": "openai-terms",
                   "card": {"operations": ["chat"], "riskClass": "limited"}, "aliases": ["default-chat"]}}),
            json!({"name": "models/sim", "spec": {}}),
        ];
        let shown = rows("models".parse().unwrap(), &models);
        let cells: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            cells,
            [
                ["NAME", "OPERATIONS", "RISKCLASS", "LICENCE", "ALIASES", "REVISION"],
                ["gpt-4o", "chat", "limited", "openai-terms", "default-chat", "3"],
                ["sim", "-", "-", "-", "-", "-"],
            ]
        );
    }
}
