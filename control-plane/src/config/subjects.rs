//! Where it is kept who is who.

use std::path::PathBuf;

use serde::Deserialize;

/// Where it is kept who is who.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubjectsConfig {
    /// The SQLite file of names and keys. Back it up by itself, and keep no backup for longer than an erasure may take. Default:
    /// `subjects.db` in the control plane's own directory.
    pub path: Option<PathBuf>,
    /// Whether to start though the file does not know who the principals in force are. Default `false`.
    pub nameless: bool,
}
