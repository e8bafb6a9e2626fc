//! What an export says of itself, at its beginning and at its end.

use serde::{Deserialize, Serialize};

/// What the first line names as the form of the file. Other records that are verified alike have another.
pub const FORMAT: &str = "chancery-audit-export";

/// The version of the form that is written here.
pub const VERSION: u32 = 3;

/// The first of the versions that are read. What version 1 has not is empty in it: differences, elevations, and what was handed out. Versions
/// 1 and 2 have no events whose bodies were pruned.
pub(super) const EARLIEST: u32 = 1;

/// How an export is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of JSON each.
    Jsonl,
    /// A row of comma-separated values each, for spreadsheets.
    Csv,
    /// The same, as an earlier version had it: without the columns that came after it. It is read, and not written.
    EarlierCsv(u32),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The log, as its checkpoints name it.
    pub origin: String,
    /// How many events the log had.
    pub size: u64,
    /// Whether every one of them is here.
    pub complete: bool,
    /// Which were asked for; left out where all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Asked>,
    /// The signed checkpoint of that size.
    pub checkpoint: String,
}

/// Which events were asked for, in the words of who did; a word left out asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// From which instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before which instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// By which call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Upon what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How they ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct End {
    /// How many events there are.
    pub events: u64,
    /// The sequence of the last; 0: there is none.
    pub last: u64,
    /// SHA-256 over what comes before the first event, lower-case hexadecimal as the next.
    pub header: String,
    /// SHA-256 over everything before this line.
    pub file: String,
}

impl Header {
    /// That of an export of the whole log, or of the events that were asked for.
    pub fn new(origin: &str, size: u64, checkpoint: &str, filter: Option<Asked>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            origin: origin.to_owned(),
            size,
            complete: filter.is_none(),
            filter,
            checkpoint: checkpoint.to_owned(),
        }
    }
}

impl Asked {
    /// The same, or nothing where nothing in particular was asked for.
    pub fn in_particular(self) -> Option<Self> {
        Some(self).filter(|asked| *asked != Self::default())
    }
}
