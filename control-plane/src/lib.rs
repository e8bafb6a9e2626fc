//! Owns the facts, publishes revisions.

pub mod store;
