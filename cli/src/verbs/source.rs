//! Declarative files as a command line names them, and what the control plane makes of them.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::field::{fault_of as told, list};
use super::simulate::tried;
use super::terms::Terms;
use super::{Shown, changes, differences};
use crate::client::{Client, Reply};
use crate::output;

/// Where declarative files are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Files<'d> {
    /// At paths, as the command line has them.
    At(&'d [PathBuf]),
    /// Here, as the control plane takes them.
    These(&'d [Value]),
}

/// Sends it, with what else the call is to know, to a call that settles it, and tells what became of each resource, or every fault; `done` is what was not done because
/// of those. Errors where nothing at all is declared.
pub(super) async fn settle(
    client: &Client,
    (call, done): (&str, &'static str),
    files: Files<'_>,
    (fields, terms, shown): (Map<String, Value>, Terms, Shown),
) -> Result<(), Failure> {
    let (mut reply, body) = send(client, call, (files, fields)).await?;
    let is_tried = terms.dry_run && list(&reply.json, "faults").is_empty() && changes::any(&reply.json);
    if is_tried && !shown.is_text() {
        // One answer, with both.
        if let (Some((_, simulation)), Some(fields)) =
            (tried(client, (call, &body), shown).await, reply.json.as_object_mut())
        {
            fields.insert("simulation".to_owned(), simulation);
            reply.text = reply.json.to_string();
        }
    }
    if list(&reply.json, "faults").is_empty() || !shown.is_text() {
        let told =
            || format!("{}{}", differences::first(&reply.json), changes::told(&reply.json, terms.mood()));
        shown.print(&reply, told);
    }
    if is_tried
        && shown.is_text()
        && let Some((text, _)) = tried(client, (call, &body), shown).await
    {
        output::text_as_is(&text);
    }
    faultless(&reply.json, done)?;
    terms.end(client, &reply, shown).await
}

async fn send(
    client: &Client,
    call: &str,
    (from, mut body): (Files<'_>, Map<String, Value>),
) -> Result<(Reply, Map<String, Value>), Failure> {
    let (paths, files) = match from {
        Files::At(paths) => (paths, declared(paths)?),
        Files::These(files) => (&[][..], files.to_vec()),
    };
    body.insert("files".to_owned(), files.into());
    let reply = client.post(call, &body.clone().into()).await?;
    let empty = ["changes", "faults"].iter().all(|field| list(&reply.json, field).is_empty());
    if empty { Err(Failure::Nothing(paths.to_vec())) } else { Ok((reply, body)) }
}

/// The files at paths, as the control plane takes them. Errors where there is none.
pub(super) fn declared(paths: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(read(path)?);
    }
    if files.is_empty() { Err(Failure::Nothing(paths.to_vec())) } else { Ok(files) }
}

/// Errors with every fault of an answer; `done` is what was not done because of them.
pub(super) fn faultless(answer: &Value, done: &'static str) -> Result<(), Failure> {
    let faults: Vec<_> = list(answer, "faults").iter().map(told).collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure::Faults { done, faults }) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_place_as_far_as_it_is_known() {
        let full =
            json!({"path": "a.yaml", "line": 12, "field": "spec.route", "message": "no such endpoint"});
        let line = |fault: &Value| {
            let (at, message) = told(fault);
            format!("{at}: {message}")
        };
        assert_eq!(line(&full), "a.yaml:12: spec.route: no such endpoint");
        assert_eq!(line(&json!({"path": "a.yaml", "message": "is empty"})), "a.yaml: is empty");
        let elsewhere =
            json!({"name": "roles/r", "field": "spec.inherits[0]", "message": "there is no such role"});
        assert_eq!(line(&elsewhere), "roles/r: spec.inherits[0]: there is no such role");
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
