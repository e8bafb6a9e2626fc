//! `audit export`: the log, or some of it, in a file that proves itself.
//!
//! Law: an export is of one signed checkpoint, and of nothing that was logged after it. Of the log a page is held at a time.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, ValueEnum};
use proto::admin::AuditLeaf;
use proto::checkpoint::Checkpoint;
use proto::export::{self, Form, Header, Leaf, WriteError, Writer};
use serde::de::Error as _;
use serde_json::{Value, json};

use super::super::kept::Out;
use super::Asked;
use super::key::note;
use crate::client::{Client, Reply};
use crate::output::plain;
use crate::verbs::failure::Failure;
use crate::verbs::field::{list, text};
use crate::verbs::form::Shown;

/// Events of a page; with proofs, which the control plane makes one by one, fewer.
const PAGE: u64 = 1_000;
const PROVED_PAGE: u64 = 200;

/// How often it is told how far it is.
const TELLING: Duration = Duration::from_secs(3);

/// What is exported, and where to.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file; `-` for standard output, where it may break off and is whole if it verifies.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// `jsonl` is for programs and people, `csv` for spreadsheets, which compute nothing of it. Either can be verified.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    #[command(flatten)]
    asked: Asked,
    /// Overwrite what is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shown: Shown,
}

/// How it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line of JSON each.
    Jsonl,
    /// A row each.
    Csv,
}

/// What was exported.
struct Exported {
    events: u64,
    size: u64,
    complete: bool,
}

/// Exports.
pub(super) async fn run(client: &Client, asked: &Export) -> Result<(), Failure> {
    let wanted = asked.asked.as_of(SystemTime::now())?;
    let out = Out::begin(&asked.out, asked.force)?;
    let signed = client.post("auditCheckpoints:sign", &json!({})).await?;
    let note = note(&signed);
    let claimed = Checkpoint::claimed(note).map_err(unexpected)?;
    let header = Header::new(&claimed.origin, claimed.size, note, filter(&wanted));
    let form = match asked.format {
        Format::Jsonl => Form::Jsonl,
        Format::Csv => Form::Csv,
    };
    let failed = |error| match error {
        WriteError::Io(error) => out.failed(error),
        error => Failure::Export(error),
    };
    let mut writer = Writer::begin(BufWriter::new(out.writer()), form, &header).map_err(failed)?;
    let mut pages = Pages::of(&wanted, &header, asked.shown);
    while let Some(page) = pages.next(client).await? {
        for leaf in list(&page.json, "auditLeaves") {
            writer.event(&read(leaf)?).map_err(failed)?;
        }
    }
    let events = pages.events;
    writer.end().map_err(failed)?.flush().map_err(|error| out.failed(error))?;
    out.done()?;
    told(asked, &Exported { events, size: header.size, complete: header.complete });
    Ok(())
}

/// The pages of an export, one after the other.
struct Pages {
    query: Vec<(&'static str, String)>,
    token: Option<String>,
    events: u64,
    /// How many there will be, where it is known.
    of: Option<u64>,
    told: Instant,
    shown: Shown,
}

impl Pages {
    fn of(wanted: &Asked, header: &Header, shown: Shown) -> Self {
        let mut query = wanted.query();
        query.push(("treeSize", header.size.to_string()));
        let page = if header.complete { PAGE } else { PROVED_PAGE };
        query.push(("pageSize", page.to_string()));
        if !header.complete {
            query.push(("prove", true.to_string()));
        }
        let of = Some(header.size).filter(|_| header.complete);
        Self { query, token: Some(String::new()), events: 0, of, told: Instant::now(), shown }
    }

    /// The next page; `None` after the last.
    async fn next(&mut self, client: &Client) -> Result<Option<Reply>, Failure> {
        let Some(token) = self.token.take() else { return Ok(None) };
        let mut query = self.query.clone();
        if !token.is_empty() {
            query.push(("pageToken", token));
        }
        let page = client.get("auditLeaves", &query).await?;
        let count = list(&page.json, "auditLeaves").len();
        self.events = self.events.saturating_add(u64::try_from(count).unwrap_or_default());
        let token = page.json.get("nextPageToken").and_then(Value::as_str).unwrap_or_default();
        self.token = Some(token.to_owned()).filter(|token| !token.is_empty());
        if self.token.is_some() && self.told.elapsed() >= TELLING {
            self.told = Instant::now();
            let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
            self.shown.lead(&format!("exported {}{of} events", self.events));
        }
        Ok(Some(page))
    }
}

/// What was asked for, as an export names it; nothing where all is exported.
fn filter(wanted: &Asked) -> Option<export::Asked> {
    let Asked { actor, resource, action, outcome, since, until } = wanted.clone();
    export::Asked { since, until, actor, action, resource, outcome }.in_particular()
}

fn read(leaf: &Value) -> Result<Leaf, Failure> {
    let inclusion = list(leaf, "inclusion").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let wire = AuditLeaf {
        sequence: leaf.get("sequence").and_then(Value::as_i64).unwrap_or_default(),
        body: text(leaf, "body"),
        prev_hash: text(leaf, "prevHash"),
        hash: text(leaf, "hash"),
        inclusion,
        pruned_by: leaf.get("prunedBy").and_then(Value::as_i64).unwrap_or_default(),
    };
    Leaf::try_from(&wire).map_err(unexpected)
}

/// The control plane answered something else.
fn unexpected(error: impl std::fmt::Display) -> Failure {
    Failure::Answer(serde_json::Error::custom(error))
}

fn told(asked: &Export, exported: &Exported) {
    let Exported { events, size, complete } = *exported;
    let out = asked.out.display().to_string();
    let json = json!({ "file": out, "events": events, "size": size, "complete": complete });
    let reply = Reply { text: json.to_string(), json, revision: 0 };
    let what = match complete {
        true => format!("the whole log of {size} events"),
        false => format!("{events} of the log's {size} events, each with its proof"),
    };
    match out == "-" {
        // There is the export itself.
        true => asked.shown.lead(&format!("exported {what}")),
        false => asked.shown.print(&reply, || format!("exported {what} to {}\n", plain(&out))),
    }
}
