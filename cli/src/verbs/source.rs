//! Declarative files as a command line names them, and what the control plane makes of them.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::failure::Failure;
use super::field::{fault_of as told, list};

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

/// Bytes at most of one file of somebody else's form.
const MOST_BYTES: u64 = 16 << 20;

/// The text of one file, or of standard input, that is of somebody else's form; of one that is too large, more than may be.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::File { path: path.to_owned(), source };
    let (mut text, most) = (String::new(), MOST_BYTES.saturating_add(1));
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().take(most).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text)),
    };
    read.map(|_| text).map_err(failed)
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
