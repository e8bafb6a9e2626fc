//! `apply`: makes what files declare be so, all of it or nothing.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::field::{list, text};
use super::{Form, Shown};
use crate::client::Client;
use crate::output;

/// Make what files declare be so, all of it or nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A YAML file, a directory of them, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Check and tell what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Return only when every connected node enforces it; fails after this many seconds (30 if none are given).
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30")]
    wait: Option<u64>,
    #[command(flatten)]
    shown: Shown,
}

/// Applies, and tells what became of each resource, or every fault.
pub(super) async fn run(client: &Client, apply: &Apply) -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in &apply.files {
        files.extend(read(path)?);
    }
    let reply = client.post("policy:apply", &json!({ "files": files, "dryRun": apply.dry_run })).await?;
    let faults = list(&reply.json, "faults");
    if faults.is_empty() || apply.shown.output == Form::Json {
        apply.shown.print(&reply, || summary(&reply.json, apply.dry_run));
    }
    if faults.is_empty() {
        let revision = reply.json.get("revision").and_then(Value::as_i64).unwrap_or_default();
        return match apply.wait.filter(|_| revision > 0) {
            Some(seconds) => enforced(client, revision, Duration::from_secs(seconds)).await,
            None => Ok(()),
        };
    }
    faults.iter().for_each(|fault| output::complain(&fault_line(fault)));
    Err(Failure::Faults(faults.len()))
}

/// Waits until every connected node is known to enforce a revision.
async fn enforced(client: &Client, revision: i64, patience: Duration) -> Result<(), Failure> {
    let until = Instant::now() + patience;
    loop {
        let reply = client.all("nodes", "nodes").await?;
        let nodes = list(&reply.json, "nodes");
        let behind = nodes.iter().filter(|node| {
            let confirmed = node.get("confirmedRevision").and_then(Value::as_i64).unwrap_or_default();
            text(node, "state") == "connected" && confirmed < revision
        });
        let behind: Vec<String> = behind.map(|node| text(node, "name")).collect();
        if behind.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Failure::NotEnforced { revision, nodes: behind.join(", ") });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The files at a path, with the paths under which faults name them.
fn read(path: &Path) -> Result<Vec<Value>, Failure> {
    let failed = |source| Failure::File { path: path.to_owned(), source };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
        return Ok(vec![json!({ "path": "-", "text": text })]);
    }
    if !path.is_dir() {
        let text = std::fs::read_to_string(path).map_err(failed)?;
        return Ok(vec![json!({ "path": path.display().to_string(), "text": text })]);
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let mut inner: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    inner.retain(|path| path.is_dir() || path.extension().is_some_and(|end| end == "yaml" || end == "yml"));
    inner.sort();
    let files = inner.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.into_iter().flatten().collect())
}

fn summary(answer: &Value, dry_run: bool) -> String {
    let mut told = String::new();
    let mut counts = std::collections::BTreeMap::new();
    for change in list(answer, "changes") {
        let (what, name) = (text(change, "change"), text(change, "name"));
        told.push_str(&format!("{what:<10}{name}\n"));
        *counts.entry(what).or_insert(0_usize) += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let counts = if counts.is_empty() { "nothing declared".to_owned() } else { counts.join(", ") };
    let end = match answer.get("revision").and_then(Value::as_i64).unwrap_or_default() {
        _ if dry_run => "dry run, nothing was changed".to_owned(),
        0 => "no new revision".to_owned(),
        revision => format!("revision {revision}"),
    };
    format!("{told}{counts}; {end}\n")
}

/// `file:line: field: message`, without what is not known.
fn fault_line(fault: &Value) -> String {
    let mut at = text(fault, "path");
    if let Some(line) = fault.get("line").and_then(Value::as_u64).filter(|line| *line > 0) {
        at.push_str(&format!(":{line}"));
    }
    let field = text(fault, "field");
    let field = if field.is_empty() { field } else { format!(" {field}:") };
    format!("{at}:{field} {}", text(fault, "message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_and_counted() {
        let change = |change: &str, name: &str| json!({"kind": "Team", "name": name, "change": change});
        let answer = json!({"revision": 7, "changes": [
            change("created", "tenants/a/teams/x"), change("unchanged", "roles/r"), change("created", "models/m"),
        ]});
        assert_eq!(
            summary(&answer, false),
            "created   tenants/a/teams/x\nunchanged roles/r\ncreated   models/m\n2 created, 1 unchanged; revision 7\n"
        );
        assert!(summary(&answer, true).ends_with("; dry run, nothing was changed\n"));
        assert_eq!(summary(&json!({}), false), "nothing declared; no new revision\n");
    }

    #[test]
    fn a_fault_names_its_place_as_far_as_it_is_known() {
        let full =
            json!({"path": "a.yaml", "line": 12, "field": "spec.route", "message": "no such endpoint"});
        assert_eq!(fault_line(&full), "a.yaml:12: spec.route: no such endpoint");
        assert_eq!(fault_line(&json!({"path": "a.yaml", "message": "is empty"})), "a.yaml: is empty");
    }

    #[test]
    fn a_directory_is_read_in_the_order_of_its_names_and_only_its_yaml() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("m")).unwrap();
        for name in ["b.yml", "a.yaml", "m/c.yaml", "notes.md"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let texts: Vec<Value> =
            read(dir.path()).unwrap().into_iter().map(|file| file["text"].clone()).collect();
        assert_eq!(texts, ["a.yaml", "b.yml", "m/c.yaml"]);
        assert!(matches!(read(&dir.path().join("gone.yaml")), Err(Failure::File { .. })));
    }
}
