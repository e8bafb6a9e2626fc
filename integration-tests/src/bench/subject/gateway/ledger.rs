//! How the gateway's records and metrics are read: one JSON object a line, and Prometheus text.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::evidence::Sums;

const INPUT: &str = "/usage/input_tokens";
const OUTPUT: &str = "/usage/output_tokens";
const FINDINGS: &str = "/findings";

/// Sums over every `*.jsonl` below the state directory.
///
/// # Errors
/// A file cannot be read, or a line is no JSON.
pub(crate) fn records(state: &Path) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    for file in files(state)? {
        for line in BufReader::new(fs::File::open(file)?).lines() {
            let record: Value = serde_json::from_str(&line?)?;
            let number = |pointer: &str| record.pointer(pointer).map_or(0, amount);
            sums.requests += 1;
            sums.input_tokens += number(INPUT);
            sums.output_tokens += number(OUTPUT);
            sums.findings += number(FINDINGS);
        }
    }
    Ok(sums)
}

/// A number, or how many there are.
fn amount(value: &Value) -> u64 {
    match value {
        Value::Array(values) => values.len() as u64,
        Value::Object(counts) => counts.values().map(amount).sum(),
        value => value.as_u64().unwrap_or_default(),
    }
}

fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The same sums from the counters of `/metrics`.
pub(crate) fn metrics(text: &str) -> Sums {
    Sums {
        requests: sum(text, "chancery_requests_total", ""),
        input_tokens: sum(text, "chancery_tokens_total", "direction=\"input\""),
        output_tokens: sum(text, "chancery_tokens_total", "direction=\"output\""),
        findings: sum(text, "chancery_findings_total", ""),
    }
}

/// Size of the snapshot in force.
pub(crate) fn policy_bytes(text: &str) -> u64 {
    sum(text, "chancery_snapshot_bytes", "")
}

/// The sum of all series of one name whose labels contain `label`.
fn sum(text: &str, name: &str, label: &str) -> u64 {
    let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let lines = text.lines().filter(of_name).filter(|line| line.contains(label));
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
    lines.filter_map(value).sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_summed_over_files() {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir(state.path().join("outbox")).unwrap();
        let line = r#"{"usage":{"input_tokens":3,"output_tokens":2},"findings":{"EMAIL":2}}"#;
        fs::write(state.path().join("outbox/1.jsonl"), format!("{line}\n{line}\n")).unwrap();
        fs::write(state.path().join("2.jsonl"), "{\"findings\":[\"a\"]}\n").unwrap();
        fs::write(state.path().join("other.json"), "no").unwrap();
        let expected = Sums { requests: 3, input_tokens: 6, output_tokens: 4, findings: 5 };
        assert_eq!(records(state.path()).unwrap(), expected);
        fs::write(state.path().join("3.jsonl"), "torn\n").unwrap();
        assert!(records(state.path()).is_err());
    }

    #[test]
    fn counters_are_summed_over_labels() {
        let text = "# HELP chancery_requests_total\nchancery_requests_total{door=\"rest\"} 2\n\
                    chancery_requests_total{door=\"grpc\"} 3\nchancery_requests_total_other 9\n\
                    chancery_tokens_total{direction=\"input\"} 7\nchancery_tokens_total{direction=\"output\"} 1\n";
        let expected = Sums { requests: 5, input_tokens: 7, output_tokens: 1, findings: 0 };
        assert_eq!(metrics(text), expected);
    }
}
