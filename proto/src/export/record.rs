//! A line of an export: how it is printed, and what can be read from one.
//!
//! Law: of what a line holds there is one way to print it. What is read is held against that by whoever verifies ([`Entry::differs`]).
//! In a row the header and the end are JSON, base64, where events have their body.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::csv::{cells, inert, row};
use super::header::{End, Form, Header};
use super::readable::{Export, Readable};
use crate::admin::{AuditEvent, AuditLeaf};
use crate::tree::Hash;

/// A leaf of the log's tree, and what proves that it is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// The encoded `AuditEvent`, as it was logged; empty where it was pruned.
    pub body: Vec<u8>,
    /// The hash of the leaf before.
    pub prev_hash: Hash,
    /// Its own.
    pub hash: Hash,
    /// What proves that it is in the tree of the export's size; of use where not every event is exported.
    pub inclusion: Vec<Hash>,
    /// The event that tells that the body was pruned; `None`: it was not.
    pub pruned_by: Option<u64>,
}

/// An event's line, as it was read.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) leaf: Leaf,
    /// The exported event before; `None` in an export of the whole log.
    pub(super) after: Option<u64>,
    line: &'a str,
    form: Form,
}

/// What a line can be, beside the header.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Event(Entry<'a>),
    End(End),
}

/// Why a line is none of an export, or a leaf none of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(super) String);

/// What a row has, in its order; the first row of a file.
pub(super) const COLUMNS: [&str; 27] = [
    "sequence",
    "createTime",
    "actor",
    "keyId",
    "action",
    "resource",
    "outcome",
    "revision",
    "reason",
    "ticket",
    "requestId",
    "changes",
    "unlogged",
    "address",
    "method",
    "source",
    "client",
    "approvals",
    "elevation",
    "export",
    "diff",
    PRUNED_BY,
    BODY,
    "prevHash",
    "hash",
    "after",
    "inclusion",
];

/// Those of them that a version did not have and those after it do.
const LATER: [(&str, u32); 4] = [("elevation", 1), ("export", 1), ("diff", 1), (PRUNED_BY, 2)];

/// What a row of a form has, in its order.
pub(super) fn columns(form: Form) -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().filter(move |column| !is_left_out(form, column))
}

fn is_left_out(form: Form, column: &str) -> bool {
    matches!(form, Form::EarlierCsv(version) if LATER.iter().any(|(later, of)| *later == column && *of >= version))
}

/// What differs of each thing that was changed, for a cell.
fn diffs(event: &AuditEvent) -> String {
    let told = event.changes.iter().filter_map(|change| {
        match (change.diff.as_str(), change.diff_left_out.as_str()) {
            ("", "") => None,
            ("", why) => Some(format!("{} left out: {why}", change.name)),
            (diff, _) => Some(format!("{} {diff}", change.name)),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

const BODY: &str = "body";
const PRUNED_BY: &str = "prunedBy";

/// How the last line begins.
const END: &str = "{\"end\":";

/// The first cell of the rows that are no events.
const HEADER_ROW: &str = "header";
const END_ROW: &str = "end";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'a> {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Readable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_hash: Option<String>,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spelled {
    sequence: u64,
    after: Option<u64>,
    pruned_by: Option<u64>,
    #[serde(rename = "event")]
    _for_people: Option<IgnoredAny>,
    body: Option<String>,
    prev_hash: Option<String>,
    hash: String,
    inclusion: Option<Vec<String>>,
}

/// What every header has, of whatever form and version.
#[derive(Deserialize)]
struct Named {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    end: End,
}

/// The lines before the first event.
pub(super) fn header(form: Form, header: &Header) -> serde_json::Result<String> {
    let json = serde_json::to_string(header)?;
    Ok(match form {
        Form::Jsonl => format!("{json}\n"),
        Form::Csv | Form::EarlierCsv(_) => {
            format!("{}\n{}\n", row(columns(form)), aside(form, HEADER_ROW, &json))
        }
    })
}

/// An event's line: what its body says, where it has one still, and the exported event before it where not all are exported. Where nothing
/// proves the hash before, which is where the body is gone and the event before is not there, it is left out.
pub(super) fn event(
    form: Form,
    leaf: &Leaf,
    (event, after): (Option<&AuditEvent>, Option<u64>),
) -> serde_json::Result<String> {
    let hashes = || leaf.inclusion.iter().map(|hash| hex(hash));
    let prev_hash = (event.is_some() || after.is_none()).then(|| hex(&leaf.prev_hash));
    Ok(match form {
        Form::Jsonl => {
            let printed = Printed {
                sequence: leaf.sequence,
                after,
                pruned_by: leaf.pruned_by,
                event: event.map(Readable::of),
                body: event.map(|_| STANDARD.encode(&leaf.body)),
                prev_hash,
                hash: hex(&leaf.hash),
                inclusion: after.map(|_| hashes().collect()),
            };
            serde_json::to_string(&printed)?
        }
        Form::Csv | Form::EarlierCsv(_) => {
            let number = |number: i64| event.map(|_| number.to_string()).unwrap_or_default();
            let none = AuditEvent::default();
            let event = event.unwrap_or(&none);
            let changes = event.changes.iter().map(|change| format!("{} {}", change.change, change.name));
            let cells: [String; COLUMNS.len()] = [
                leaf.sequence.to_string(),
                event.create_time.as_ref().map(ToString::to_string).unwrap_or_default(),
                inert(&event.actor),
                inert(&event.key_id),
                inert(&event.action),
                inert(&event.resource),
                inert(&event.outcome),
                number(event.revision),
                inert(&event.reason),
                inert(&event.ticket),
                inert(&event.request_id),
                inert(&changes.collect::<Vec<_>>().join("; ")),
                number(event.unlogged),
                inert(&event.address),
                inert(&event.method),
                inert(&event.source),
                inert(&event.client),
                inert(&event.approvals.join("; ")),
                inert(&event.elevation),
                inert(
                    &event
                        .export
                        .as_ref()
                        .map(Export::of)
                        .map_or(Ok(String::new()), |e| serde_json::to_string(&e))?,
                ),
                inert(&diffs(event)),
                leaf.pruned_by.map(|by| by.to_string()).unwrap_or_default(),
                STANDARD.encode(&leaf.body),
                prev_hash.unwrap_or_default(),
                hex(&leaf.hash),
                after.map(|after| after.to_string()).unwrap_or_default(),
                after.map(|_| hashes().collect::<Vec<_>>().join(" ")).unwrap_or_default(),
            ];
            let has = |(place, _): &(usize, &String)| {
                COLUMNS.get(*place).is_some_and(|name| !is_left_out(form, name))
            };
            row(cells.iter().enumerate().filter(has).map(|(_, cell)| cell.as_str()))
        }
    })
}

/// The last line.
pub(super) fn end(form: Form, end: &End) -> serde_json::Result<String> {
    let json = serde_json::to_string(&Ended { end: end.clone() })?;
    Ok(match form {
        Form::Jsonl => json,
        Form::Csv | Form::EarlierCsv(_) => aside(form, END_ROW, &json),
    })
}

/// A row that is no event's.
fn aside(form: Form, what: &str, json: &str) -> String {
    let body = STANDARD.encode(json);
    row(columns(form).enumerate().map(|(place, column)| match (place, column) {
        (0, _) => what,
        (_, BODY) => &body,
        _ => "",
    }))
}

/// The form and the version that a header names; `None` where it does not read.
pub(super) fn named(form: Form, line: &str) -> Option<(String, u32)> {
    let Named { format, version } = of(form, line, HEADER_ROW).ok()?;
    Some((format, version))
}

/// Reads the line of the header; in a file of rows the second.
pub(super) fn read_header(form: Form, line: &str) -> Result<Header, Unreadable> {
    let read = of(form, line, HEADER_ROW)?;
    match header(form, &read).is_ok_and(|printed| printed.lines().last() == Some(line)) {
        true => Ok(read),
        false => Err(Unreadable("the header is spelled otherwise than exports are".to_owned())),
    }
}

/// Reads a line after the header.
pub(super) fn read(form: Form, line: &str) -> Result<Record<'_>, Unreadable> {
    let is_end = match form {
        Form::Jsonl => line.starts_with(END),
        Form::Csv | Form::EarlierCsv(_) => line.starts_with(&format!("\"{END_ROW}\"")),
    };
    if is_end {
        let Ended { end: read } = of(form, line, END_ROW)?;
        return match end(form, &read).is_ok_and(|printed| printed == line) {
            true => Ok(Record::End(read)),
            false => Err(Unreadable("the end is spelled otherwise than exports are".to_owned())),
        };
    }
    let (leaf, after) = match form {
        Form::Jsonl => spelled(line)?,
        Form::Csv | Form::EarlierCsv(_) => in_cells(form, line)?,
    };
    Ok(Record::Event(Entry { leaf, after, line, form }))
}

fn of<T: DeserializeOwned>(form: Form, line: &str, what: &str) -> Result<T, Unreadable> {
    let no = |error: serde_json::Error| Unreadable(format!("the {what} does not read: {error}"));
    match form {
        Form::Jsonl => serde_json::from_str(line).map_err(no),
        Form::Csv | Form::EarlierCsv(_) => {
            let cells = cells(line).ok_or_else(|| Unreadable("it is no row of quoted cells".to_owned()))?;
            let body = cells.get(columns(form).position(|column| column == BODY).unwrap_or_default());
            serde_json::from_slice(&base64(body.map(String::as_str).unwrap_or_default())?).map_err(no)
        }
    }
}

fn spelled(line: &str) -> Result<(Leaf, Option<u64>), Unreadable> {
    let read: Spelled =
        serde_json::from_str(line).map_err(|error| Unreadable(format!("it is no event: {error}")))?;
    let Spelled { sequence, after, pruned_by, body, prev_hash, hash, inclusion, .. } = read;
    if body.is_none() && pruned_by.is_none() {
        return Err(Unreadable("it has no body".to_owned()));
    }
    let inclusion = inclusion.unwrap_or_default().iter().map(|hash| unhex(hash)).collect::<Result<_, _>>()?;
    let leaf = Leaf {
        sequence,
        body: base64(&body.unwrap_or_default())?,
        prev_hash: prev_hash.map_or(Ok(Hash::default()), |hash| unhex(&hash))?,
        hash: unhex(&hash)?,
        inclusion,
        pruned_by,
    };
    Ok((leaf, after))
}

fn in_cells(form: Form, line: &str) -> Result<(Leaf, Option<u64>), Unreadable> {
    let no = |what: &str| Unreadable(what.to_owned());
    let cells = cells(line).ok_or_else(|| no("it is no row of quoted cells"))?;
    let due = columns(form).count();
    if cells.len() != due {
        return Err(Unreadable(format!("it has {} cells, not {due}", cells.len())));
    }
    let cell = |name: &str| {
        let place = columns(form).position(|column| column == name);
        place.and_then(|place| cells.get(place)).map(String::as_str).unwrap_or_default()
    };
    let sequence = cell("sequence").parse().map_err(|_| no("its sequence is no number"))?;
    let after = match cell("after") {
        "" => None,
        number => Some(number.parse().map_err(|_| no("the event it comes after is no number"))?),
    };
    let pruned_by = match cell(PRUNED_BY) {
        "" => None,
        number => Some(number.parse().map_err(|_| no("the event it was pruned by is no number"))?),
    };
    let prev_hash = match cell("prevHash") {
        "" if pruned_by.is_some() => Hash::default(),
        hash => unhex(hash)?,
    };
    let inclusion = cell("inclusion").split(' ').filter(|hash| !hash.is_empty());
    let leaf = Leaf {
        sequence,
        body: base64(cell(BODY))?,
        prev_hash,
        hash: unhex(cell("hash"))?,
        inclusion: inclusion.map(unhex).collect::<Result<_, _>>()?,
        pruned_by,
    };
    Ok((leaf, after))
}

impl TryFrom<&AuditLeaf> for Leaf {
    type Error = Unreadable;

    fn try_from(wire: &AuditLeaf) -> Result<Self, Unreadable> {
        let sequence = u64::try_from(wire.sequence).ok().filter(|number| *number > 0);
        Ok(Self {
            sequence: sequence.ok_or_else(|| Unreadable("its sequence is none".to_owned()))?,
            body: base64(&wire.body)?,
            prev_hash: unhex(&wire.prev_hash)?,
            hash: unhex(&wire.hash)?,
            inclusion: wire.inclusion.iter().map(|hash| unhex(hash)).collect::<Result<_, _>>()?,
            pruned_by: u64::try_from(wire.pruned_by).ok().filter(|number| *number > 0),
        })
    }
}

impl Entry<'_> {
    /// What the line says otherwise than the event that its body is, or than that its body was pruned; `None` where it says nothing else.
    pub(super) fn differs(&self, body: Option<&AuditEvent>) -> Option<String> {
        let Ok(printed) = event(self.form, &self.leaf, (body, self.after)) else {
            return Some("what its body says can't be printed".to_owned());
        };
        if printed == self.line {
            return None;
        }
        let named = match self.form {
            Form::Jsonl => in_fields(self.line, &printed),
            form => in_columns(form, self.line, &printed),
        };
        let told = named.map(|(field, said, true_)| format!("`{field}` says {said}, the body {true_}"));
        Some(told.unwrap_or_else(|| "it is spelled otherwise than exports are".to_owned()))
    }
}

/// The first field of the readable part that says something else, and what either says.
fn in_fields(line: &str, printed: &str) -> Option<(String, String, String)> {
    let readable = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("event").cloned()
    };
    let (said, is) = (readable(line)?, readable(printed)?);
    let (Some(said), Some(is)) = (said.as_object(), is.as_object()) else {
        return Some(("event".to_owned(), short(Some(&said)), short(Some(&is))));
    };
    let field = said.keys().chain(is.keys()).find(|field| said.get(*field) != is.get(*field))?;
    Some((format!("event.{field}"), short(said.get(field)), short(is.get(field))))
}

fn in_columns(form: Form, line: &str, printed: &str) -> Option<(String, String, String)> {
    let (said, is) = (cells(line)?, cells(printed)?);
    let mut columns = columns(form).zip(said.into_iter().zip(is));
    let (column, (said, is)) = columns.find(|(_, (said, is))| said != is)?;
    Some((column.to_owned(), short(Some(&said.into())), short(Some(&is.into()))))
}

/// A value, cut short.
fn short(value: Option<&Value>) -> String {
    const MOST: usize = 80;
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    match text.chars().count() > MOST {
        true => format!("{}...", text.chars().take(MOST).collect::<String>()),
        false => text,
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Unreadable> {
    STANDARD.decode(text).map_err(|_| Unreadable("its body is not base64".to_owned()))
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _never = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Result<Hash, Unreadable> {
    let no = || Unreadable("a hash in it is not 64 lower-case hexadecimal digits".to_owned());
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(no()),
    };
    let mut hash = Hash::default();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return Err(no());
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Ok(hash)
}
