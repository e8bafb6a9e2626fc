//! Declarative files as a command line names them, and what the control plane makes of them.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::changes::{self, Mood};
use super::failure::Failure;
use super::field::{list, text};
use super::wait::Wait;
use super::{Form, Shown};
use crate::client::{Client, Reply};
use crate::output;

/// What files declare, and how a verb deals with it.
pub(super) struct Declared<'d> {
    /// Paths of them, as the command line has them.
    pub(super) files: &'d [PathBuf],
    /// Further fields of the call.
    pub(super) terms: Value,
    /// Nothing is changed.
    pub(super) dry_run: bool,
    /// Whether nodes are waited for.
    pub(super) wait: Wait,
    /// How the answer is shown.
    pub(super) shown: Shown,
}

/// Sends it to a call that settles it, and tells what became of each resource, or every fault; `done` is what was not done because
/// of those. Errors where nothing at all is declared.
pub(super) async fn settle(
    client: &Client,
    (call, done): (&str, &'static str),
    declared: Declared<'_>,
) -> Result<(), Failure> {
    let Declared { files, mut terms, dry_run, wait, shown } = declared;
    let proposes = !dry_run && terms.get("propose").and_then(Value::as_bool).unwrap_or_default();
    if let Some(terms) = terms.as_object_mut() {
        terms.insert("dryRun".to_owned(), dry_run.into());
    }
    let reply = send(client, call, (files, terms)).await?;
    if list(&reply.json, "faults").is_empty() || shown.output == Form::Json {
        let mood = match (dry_run, proposes) {
            (true, _) => Mood::Tried,
            (_, true) => Mood::Proposed,
            _ => Mood::Done,
        };
        shown.print(&reply, || changes::told(&reply.json, mood));
    }
    faultless(&reply.json, done)?;
    let rollout = text(&reply.json, "rollout");
    if proposes {
        // What would change nothing is no proposal.
        let name = Some(text(&reply.json, "proposal")).filter(|name| !name.is_empty());
        let waits = |name: &String| {
            let line = format!("{name} waits for another principal: chancery proposals approve {name}");
            output::complain(&line);
        };
        name.iter().for_each(waits);
        return Ok(());
    }
    match dry_run {
        true => Ok(()),
        false if !rollout.is_empty() => wait.rolled_out(client, &rollout, shown).await,
        // Where nothing changed, the revision that was there is the one to wait for.
        false => wait.enforced(client, reply.revision, shown).await,
    }
}

async fn send(client: &Client, call: &str, (paths, mut body): (&[PathBuf], Value)) -> Result<Reply, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(read(path)?);
    }
    let nothing = || Failure::Nothing(paths.to_vec());
    if files.is_empty() {
        return Err(nothing());
    }
    if let Some(body) = body.as_object_mut() {
        body.insert("files".to_owned(), files.into());
    }
    let reply = client.post(call, &body).await?;
    let empty = ["changes", "faults"].iter().all(|field| list(&reply.json, field).is_empty());
    if empty { Err(nothing()) } else { Ok(reply) }
}

/// Tells every fault; `done` is what was not done because of them.
pub(super) fn faultless(answer: &Value, done: &'static str) -> Result<(), Failure> {
    let faults = list(answer, "faults");
    faults.iter().for_each(|fault| output::complain(&fault_line(fault)));
    if faults.is_empty() { Ok(()) } else { Err(Failure::Faults { done, count: faults.len() }) }
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
    // Kubernetes keeps a mounted directory's earlier and present contents beside it, as `..data` and the like: the same once more.
    let is_kept = |name: &OsStr| name.as_encoded_bytes().starts_with(b"..");
    let entries = entries.into_iter().filter(|entry| !is_kept(&entry.file_name()));
    let mut inner: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // JSON is YAML.
    let declares = |end: &OsStr| ["yaml", "yml", "json"].iter().any(|known| end == *known);
    inner.retain(|path| path.is_dir() || path.extension().is_some_and(declares));
    inner.sort();
    let files = inner.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.into_iter().flatten().collect())
}

/// `file:line: field: message`, without what is not known.
fn fault_line(fault: &Value) -> String {
    // What no file declares has no place, only a name.
    let mut at =
        Some(text(fault, "path")).filter(|path| !path.is_empty()).unwrap_or_else(|| text(fault, "name"));
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
    fn a_fault_names_its_place_as_far_as_it_is_known() {
        let full =
            json!({"path": "a.yaml", "line": 12, "field": "spec.route", "message": "no such endpoint"});
        assert_eq!(fault_line(&full), "a.yaml:12: spec.route: no such endpoint");
        assert_eq!(fault_line(&json!({"path": "a.yaml", "message": "is empty"})), "a.yaml: is empty");
        let elsewhere =
            json!({"name": "roles/r", "field": "spec.inherits[0]", "message": "there is no such role"});
        assert_eq!(fault_line(&elsewhere), "roles/r: spec.inherits[0]: there is no such role");
    }

    #[test]
    fn a_directory_is_read_in_the_order_of_its_names_and_only_its_yaml_and_json() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("m")).unwrap();
        std::fs::create_dir(dir.path().join("..data")).unwrap();
        for name in ["b.yml", "a.yaml", "d.json", "m/c.yaml", "notes.md", "..data/a.yaml"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let texts: Vec<Value> =
            read(dir.path()).unwrap().into_iter().map(|file| file["text"].clone()).collect();
        assert_eq!(texts, ["a.yaml", "b.yml", "d.json", "m/c.yaml"]);
        assert!(matches!(read(&dir.path().join("gone.yaml")), Err(Failure::File { .. })));
    }
}
