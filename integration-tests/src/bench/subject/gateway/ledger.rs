//! How the gateway's records and metrics are read: one JSON object a line, and Prometheus text.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::evidence::Sums;

/// What the bench reads of a record.
#[derive(Deserialize)]
struct Record {
    usage: Tokens,
    found: Found,
}

#[derive(Deserialize)]
struct Tokens {
    input: u64,
    output: u64,
}

/// Data classes and how often each was found.
#[derive(Deserialize)]
struct Found {
    input: HashMap<String, u64>,
    output: HashMap<String, u64>,
}

/// Sums over the whole lines of every `*.jsonl` below the state directory; a line that is still being written is left out.
///
/// # Errors
/// A file cannot be read, or a line is no record.
pub(crate) fn records(state: &Path) -> anyhow::Result<Sums> {
    let (mut sums, mut line) = (Sums::default(), Vec::new());
    for file in files(state)? {
        let mut reader = BufReader::new(fs::File::open(file)?);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let Record { usage, found } = serde_json::from_slice(&line)?;
            sums.requests += 1;
            sums.input_tokens += usage.input;
            sums.output_tokens += usage.output;
            sums.findings += found.input.values().chain(found.output.values()).sum::<u64>();
            line.clear();
        }
        line.clear();
    }
    Ok(sums)
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
        input_tokens: sum(text, "chancery_tokens_total", "type=\"input\""),
        output_tokens: sum(text, "chancery_tokens_total", "type=\"output\""),
        findings: sum(text, "chancery_findings_total", ""),
    }
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
        let line = |input: u64| {
            let found = r#"{"input":{"EMAIL":2},"output":{"PHONE":1}}"#;
            format!(
                r#"{{"door":"grpc","usage":{{"input":{input},"output":2,"provenance":"vendor"}},"found":{found}}}"#
            )
        };
        let torn = line(9).split_off(10);
        fs::write(state.path().join("outbox/1.jsonl"), format!("{}\n{}\n{torn}", line(3), line(4))).unwrap();
        fs::write(state.path().join("2.jsonl"), format!("{}\n", line(5))).unwrap();
        fs::write(state.path().join("other.json"), "no").unwrap();
        let expected = Sums { requests: 3, input_tokens: 12, output_tokens: 6, findings: 9 };
        assert_eq!(records(state.path()).unwrap(), expected);
        fs::write(state.path().join("3.jsonl"), "no record\n").unwrap();
        assert!(records(state.path()).is_err());
    }

    #[test]
    fn counters_are_summed_over_labels() {
        let text = "# HELP chancery_requests_total\nchancery_requests_total{door=\"rest\"} 2\n\
                    chancery_requests_total{door=\"grpc\"} 3\nchancery_requests_total_other 9\n\
                    chancery_tokens_total{type=\"input\"} 7\nchancery_tokens_total{type=\"output\"} 1\n";
        let expected = Sums { requests: 5, input_tokens: 7, output_tokens: 1, findings: 0 };
        assert_eq!(metrics(text), expected);
    }
}
