//! What somebody keeps of a log in order to verify its exports later: its keys, and its checkpoint.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::kept::Kept;
use crate::client::{Client, Reply};
use crate::output::plain;
use crate::verbs::failure::Failure;
use crate::verbs::field::{list, text};
use crate::verbs::form::Shown;

/// Where the keys are written.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite what is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Where the checkpoint is written.
#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    /// The file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite what is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Writes the keys.
pub(super) async fn run(client: &Client, asked: &Key) -> Result<(), Failure> {
    let kept = Kept::begin(&asked.out, asked.force)?;
    let reply = client.get("auditKeys", &[]).await?;
    let keys = list(&reply.json, "auditKeys");
    write(kept, &lines(keys))?;
    asked.shown.print(&reply, || {
        let shown: String = keys.iter().map(|key| format!("{}\n", text(key, "verifierKey"))).collect();
        format!("{shown}written to {}\n", shown_path(&asked.out))
    });
    Ok(())
}

/// Writes the checkpoint of now.
pub(super) async fn checkpoint(client: &Client, asked: &Checkpoint) -> Result<(), Failure> {
    let kept = Kept::begin(&asked.out, asked.force)?;
    let reply = client.post("auditCheckpoints:sign", &json!({})).await?;
    write(kept, note(&reply))?;
    asked.shown.print(&reply, || {
        let size = reply.json.get("size").and_then(Value::as_u64).unwrap_or_default();
        format!("the log of {size} events, signed; written to {}\n", shown_path(&asked.out))
    });
    Ok(())
}

/// The signed text of a checkpoint.
pub(super) fn note(reply: &Reply) -> &str {
    reply.json.get("note").and_then(Value::as_str).unwrap_or_default()
}

fn write(kept: Kept, text: &str) -> Result<(), Failure> {
    kept.file().write_all(text.as_bytes()).map_err(|error| kept.failed(error))?;
    kept.done()
}

fn shown_path(path: &Path) -> String {
    plain(&path.display().to_string())
}

/// The keys as a file has them: one a line, under its generation.
fn lines(keys: &[Value]) -> String {
    let about =
        "# Keys of an audit log, for `chancery audit verify --key`. Keep this apart from what it verifies.\n";
    let line = |key: &Value| {
        let generation = text(key, "name");
        let generation = generation.rsplit('/').next().unwrap_or_default().to_owned();
        format!("# generation {generation}\n{}\n", text(key, "verifierKey"))
    };
    keys.iter().map(line).fold(about.to_owned(), |file, key| file + key.as_str())
}

#[cfg(test)]
mod tests {
    use proto::export::Keys;

    use super::*;

    #[test]
    fn the_keys_that_are_written_are_read() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let file = lines(&[
            json!({"name": "auditKeys/2", "verifierKey": key}),
            json!({"name": "auditKeys/1", "verifierKey": key}),
        ]);
        assert_eq!(file.lines().filter(|line| *line == key).count(), 2);
        assert!(file.contains("\n# generation 1\n") && Keys::read(&file).is_ok(), "{file}");
    }
}
