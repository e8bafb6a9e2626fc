#![doc = include_str!("../README.md")]

pub mod vocabulary;

mod shards;

pub mod facts;

pub mod project;

pub mod rules;

pub mod content;

pub mod request;

pub mod reason;

pub mod snapshot;

pub mod decision;

pub mod compile;

mod apply;

pub mod decide;

pub mod replay;

pub mod simulate;

pub mod bounds;

mod shrink;

/// The version of the engine, as semver: a decision that is asked for again tells by which it was made.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use apply::apply;
pub use compile::{Fault, compile};
pub use decide::{Entitled, Guarded, decide, decide_answer, entitle, guard};
pub use facts::Change;
pub use project::{Scope, Versions, project, project_changes};
pub use shrink::{Shrunk, Sizes, shrunk};
