//! `audit verify`: whether an export is what the log's key signed, from the file and the keys alone.
//!
//! Law: nothing is asked of anybody, and nothing of the environment is read. What was found is on standard output whatever it is; the
//! exit code says of what kind the first fault is. What verifies is `proto::export`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use proto::checkpoint::{self, Checkpoint};
use proto::export::{self, Fault, Keys, KeysError, Kind, Known, Pruning, Report, Trust};
use serde_json::{Value, json};

use crate::client::Reply;
use crate::output::plain;
use crate::verbs::ending::Ending;
use crate::verbs::failure::Failure;
use crate::verbs::form::Shown;

/// Bytes of a file of keys that are read at most, which is more than one may have.
const KEYS: u64 = 2 << 20;

/// What is verified, and by what.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The export, of either format; `-` for standard input.
    file: PathBuf,
    /// The keys, as `audit key` wrote them.
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// A checkpoint that was kept before, as `audit checkpoint` wrote it, or an earlier export: the log must go on from it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

/// Verifies.
pub(super) fn run(asked: &Verify) -> Result<(), Failure> {
    let keys = keys(&asked.key)?;
    let earlier = asked.checkpoint.as_deref().map(|path| earlier(path, &keys)).transpose()?;
    let (earlier, known) = earlier.unzip();
    let trust = Trust { keys: &keys, earlier: earlier.as_ref(), known: known.as_ref() };
    let unread = |source| Failure::File { path: asked.file.clone(), source };
    let report = if asked.file.as_os_str() == "-" {
        export::verify(io::stdin().lock(), &trust)
    } else {
        open(&asked.file).and_then(|file| export::verify(file, &trust))
    };
    let report = report.map_err(unread)?;
    let json = told(&report);
    asked.shown.print(&Reply { text: json.to_string(), json, revision: 0 }, || shown(&report));
    match report.first() {
        None => Ok(()),
        Some(first) => {
            Err(Failure::Unverified { path: asked.file.clone(), kind: first.kind, told: in_a_word(first) })
        }
    }
}

fn open(path: &Path) -> io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 16, File::open(path)?))
}

fn keys(path: &Path) -> Result<Keys, Failure> {
    let text = head(path, KEYS)?;
    Keys::read(&text).map_err(|error| {
        let (at, what) = match error {
            KeysError::Line { line, why } => (format!("{}:{line}", path.display()), why.to_string()),
            other => (path.display().to_string(), other.to_string()),
        };
        Failure::Faults { done: "verified", faults: vec![(plain(&at), plain(&what))] }
    })
}

/// The checkpoint that was kept, by itself or within an export, which must be signed by the same keys; and what such an export knows.
fn earlier(path: &Path, keys: &Keys) -> Result<(Checkpoint, Known), Failure> {
    let unread = |source| Failure::File { path: path.to_owned(), source };
    let fault = |what: String| {
        let at = plain(&path.display().to_string());
        Failure::Faults { done: "verified", faults: vec![(at, plain(&what))] }
    };
    let mut file = open(path).map_err(unread)?;
    let is_export = file.fill_buf().map_err(unread)?.starts_with(b"{")
        || file.fill_buf().map_err(unread)?.starts_with(b"\"");
    let (note, known) = match is_export {
        true => {
            let note = export::checkpoint_of(file).map_err(unread)?.map_err(|error| fault(error.what))?;
            let (report, known) = open(path).and_then(|file| export::known(file, keys)).map_err(unread)?;
            if let Some(first) = report.first() {
                return Err(fault(format!("the earlier export does not hold itself: {}", told_at(first))));
            }
            (note, known)
        }
        false => (head(path, u64::try_from(checkpoint::MOST).unwrap_or(u64::MAX))?, Known::default()),
    };
    let (earlier, _) = keys.verify(&note).map_err(|error| fault(error.to_string()))?;
    Ok((earlier, known))
}

/// A small file, as far as it may go.
fn head(path: &Path, most: u64) -> Result<String, Failure> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(most).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| Failure::File { path: path.to_owned(), source })
}

/// What was found, for programs.
fn told(report: &Report) -> Value {
    let fault = |fault: &Fault| {
        json!({
            "kind": fault.kind.as_str(),
            "line": fault.line,
            "sequence": fault.sequence,
            "through": fault.through,
            "message": fault.what,
        })
    };
    let pruning = |pruning: &Pruning| {
        json!({
            "retention": pruning.retention,
            "keep": pruning.keep,
            "setBy": pruning.set_by,
            "firstTold": pruning.told_by.0,
            "lastTold": pruning.told_by.1,
            "events": pruning.events,
        })
    };
    let (first, last) = report.range;
    json!({
        "verdict": report.verdict().map_or("valid", Kind::as_str),
        "exitCode": report.verdict().map_or(0, |kind| Ending::found(kind).number()),
        "origin": report.origin,
        "size": report.size,
        "complete": report.complete,
        "events": report.events,
        "pruned": report.pruned,
        "prunings": report.prunings.iter().map(pruning).collect::<Vec<_>>(),
        "first": first,
        "last": last,
        "keys": report.keys,
        "extends": report.extends,
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "moreFaults": report.more,
    })
}

/// What was found, for people.
fn shown(report: &Report) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(told_at).collect();
    if report.more > 0 {
        lines.push(format!("and {} more", report.more));
    }
    let (first, last) = report.range;
    let part = match (report.complete, report.events) {
        (true, _) => format!("the whole log of {} events", report.size),
        (false, 0) => format!("none of the log's {} events", report.size),
        (false, events) => format!("{events} of the log's {} events, {first} to {last}", report.size),
    };
    let part = match report.pruned {
        0 => part,
        pruned => format!("{part}, {pruned} of them pruned as others tell"),
    };
    if report.faults.is_empty() {
        lines.push(format!("valid: {part}, {}", report.origin));
        lines.extend(report.keys.iter().map(|key| format!("signed by {key}")));
    } else if !report.origin.is_empty() {
        lines.push(format!("it says that it is {part}, {}", report.origin));
    }
    lines.extend(report.prunings.iter().map(by_what));
    if report.pruned > 0 && !report.complete {
        lines.push(
            "that retentions allow what was pruned is not shown by a part: export the whole".to_owned(),
        );
    }
    lines.extend(report.extends.map(|size| format!("goes on from the checkpoint of {size} events")));
    lines.iter().map(|line| format!("{}\n", plain(line))).collect()
}

/// What was pruned by one retention, and where the log tells of it.
fn by_what(pruning: &Pruning) -> String {
    let Pruning { retention, keep, set_by, told_by: (first, last), events } = pruning;
    let told =
        if first == last { format!("event {first} tells") } else { format!("events {first} to {last} tell") };
    format!("{events} pruned by {retention} (kept for {keep}, set by event {set_by}), as {told}")
}

/// A fault, where it is and what it is.
fn told_at(fault: &Fault) -> String {
    match (fault.kind, fault.sequence) {
        (Kind::Gap, _) | (_, None) => format!("line {}: {}", fault.line, in_a_word(fault)),
        (_, Some(sequence)) => format!("line {}: event {sequence}: {}", fault.line, fault.what),
    }
}

/// A fault in a word, and what it is.
fn in_a_word(fault: &Fault) -> String {
    let word = fault.kind.as_str().replace('_', " ");
    let place = match (fault.kind, fault.sequence, fault.through) {
        (Kind::Gap, Some(first), Some(last)) => format!(" {first}..{last}"),
        (Kind::Invalid, Some(sequence), _) => format!(" at {sequence}"),
        _ => String::new(),
    };
    plain(&format!("{word}{place}: {}", fault.what))
}
