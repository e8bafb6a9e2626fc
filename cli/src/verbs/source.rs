//! Declarative files as a command line names them, and what the control plane finds wrong in them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::failure::Failure;
use super::field::{list, text};
use crate::client::{Client, Reply};
use crate::output;

/// Sends the files at these paths to a call that takes them. Errors where nothing at all is declared in them.
pub(super) async fn send(
    client: &Client,
    call: &str,
    (paths, dry_run): (&[PathBuf], bool),
) -> Result<Reply, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(read(path)?);
    }
    let nothing = || Failure::Nothing(paths.to_vec());
    if files.is_empty() {
        return Err(nothing());
    }
    let reply = client.post(call, &json!({ "files": files, "dryRun": dry_run })).await?;
    let empty = ["changes", "faults"].iter().all(|field| list(&reply.json, field).is_empty());
    if empty { Err(nothing()) } else { Ok(reply) }
}

/// How many faults an answer tells.
pub(super) fn faults(answer: &Value) -> usize {
    list(answer, "faults").len()
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
    let mut inner: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    inner.retain(|path| path.is_dir() || path.extension().is_some_and(|end| end == "yaml" || end == "yml"));
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
