//! Declarative files: read with the line of everything, applied whole or not at all, and written back.

mod apply;
mod bind;
mod delete;
mod document;
mod export;
mod meaning;
mod prune;
mod render;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::vocabulary::Geo;
use proto::admin::SourceFile;

use crate::publish::{Approved, Staging};

pub(crate) use apply::{applied, bringing, changes, faulty, place};
pub use apply::{apply, would};
pub(crate) use bind::sole_list;
pub use delete::{delete, would_without};
pub use export::{Selection, export};

/// Files, and how what they say is put in force.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The files.
    pub files: Vec<SourceFile>,
    /// How it is taken to the nodes; `None` is at once.
    pub staging: Option<Staging>,
    /// The policy may hold much less afterwards.
    pub may_shrink: bool,
    /// The files themselves are kept, so that none may hold a secret.
    pub kept: bool,
    /// It is the approval of this proposal.
    pub approves: Option<Approved>,
    /// What has all of these labels and is in no file is deleted; none: nothing is.
    pub prune: BTreeMap<String, String>,
    /// The geos that nodes are known in; none: what is limited to geos is not held to any.
    pub nodes_in: BTreeSet<Geo>,
}

impl From<Vec<SourceFile>> for Declared {
    fn from(files: Vec<SourceFile>) -> Self {
        Self { files, ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
