//! What is really there: the crates, their sources, their dependencies and the entries at the top.
//!
//! The only file of this test that reads anything; the rules themselves see plain values.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::graph::Edge;
use crate::sources::Source;

/// Our crates, lowest floor first.
pub(crate) const CRATES: &[&str] =
    &["policy-engine", "proto", "control-plane", "data-plane", "cli", "integration-tests"];

const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "cli",
    "control-plane",
    "data-plane",
    "deploy",
    "integration-tests",
    "policy-engine",
    "proto",
];

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the crate has a workspace above it")?.to_owned())
}

fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()?).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {}: {complaint}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

/// Every Rust file below a `src` directory of ours, with its path from the workspace's root.
pub(crate) fn sources() -> anyhow::Result<Vec<Source>> {
    let root = root()?;
    let mut waiting: Vec<PathBuf> = CRATES.iter().map(|name| root.join(name).join("src")).collect();
    let mut found = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path)?;
                found.push(Source::new(path.strip_prefix(&root)?.display().to_string(), text));
            }
        }
    }
    ensure!(found.len() >= CRATES.len(), "only {} source files were found", found.len());
    Ok(found)
}

/// What our crates ask for in their manifests, dev and build dependencies included.
pub(crate) fn edges() -> anyhow::Result<Vec<Edge>> {
    let arguments = ["metadata", "--offline", "--no-deps", "--format-version", "1"];
    let metadata: serde_json::Value = serde_json::from_str(&cargo(&arguments)?)?;
    let list = |value: &serde_json::Value, name: &str| {
        value.get(name).and_then(serde_json::Value::as_array).cloned()
    };
    let name =
        |value: &serde_json::Value| value.get("name").and_then(serde_json::Value::as_str).map(str::to_owned);
    let mut edges = Vec::new();
    for package in list(&metadata, "packages").context("metadata lists packages")? {
        let from = name(&package).context("a package has a name")?;
        for dependency in list(&package, "dependencies").context("a package lists dependencies")? {
            edges
                .push(Edge { from: from.clone(), to: name(&dependency).context("a dependency has a name")? });
        }
    }
    ensure!(!edges.is_empty(), "cargo metadata listed no dependency");
    Ok(edges)
}

/// The names of the crates in a `cargo tree`, one a line.
pub(crate) fn tree(arguments: &[&str]) -> anyhow::Result<String> {
    let form = ["tree", "--offline", "--prefix", "none", "--format", "{p}"];
    let text = cargo(&[form.as_slice(), arguments].concat())?;
    ensure!(text.lines().count() > CRATES.len(), "cargo tree is too short to be true");
    Ok(text)
}

/// The visible entries at the root. `target` is cargo's default output directory and is ignored by git.
pub(crate) fn top_level() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root()?)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "target" {
            names.push(name);
        }
    }
    Ok(names)
}

/// What is missing from the top of the house, and what has no place there.
pub(crate) fn misplaced(entries: &[String]) -> Vec<String> {
    let strangers = entries.iter().filter(|entry| !TOP_LEVEL.contains(&entry.as_str()));
    let missing = TOP_LEVEL.iter().filter(|place| !entries.iter().any(|entry| entry == **place));
    strangers
        .map(|entry| format!("`{entry}` has no place at the top level"))
        .chain(missing.map(|place| format!("`{place}` is missing at the top level")))
        .collect()
}

#[test]
fn a_stranger_and_a_gap_are_seen() {
    let mut entries: Vec<String> = TOP_LEVEL.iter().map(|place| (*place).to_owned()).collect();
    assert!(misplaced(&entries).is_empty());
    entries.push("scripts".to_owned());
    entries.retain(|entry| entry != "LICENSE");
    assert_eq!(misplaced(&entries).len(), 2);
}
