//! Files by URL: whether this node fetches them, from where, and how much.
//!
//! Law: nothing is fetched unless an operator says so here. It is the node's, and not the registry's, for whoever may write an endpoint
//! (a tenant's administrator) has no say in what leaves from the house's own network, as with `upstream`. Deliberately absent: fetching.

use serde::Deserialize;

/// Files that a conversation names by URL, for vendors that take them only whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fetch {
    /// Whether they are fetched; default false: a URL is told to vendors that take one and is a 400 elsewhere.
    pub enabled: bool,
    /// The only hosts they are fetched from, each by its name or as `*.example.org`; default empty: every public one. What `upstream`
    /// opens beyond public addresses is open at listed hosts alone.
    pub hosts: Vec<String>,
    /// Plain HTTP is taken too; default false.
    pub plain_http: bool,
    /// The most files of one request; default 8.
    pub files: usize,
    /// The most bytes of one; default 10485760.
    pub file_bytes: usize,
    /// Seconds one may take in all; default 10.
    pub seconds: u64,
    /// Files held at once by all requests together; default 32.
    pub at_once: usize,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            enabled: false,
            hosts: Vec::new(),
            plain_http: false,
            files: 8,
            file_bytes: 10 * 1024 * 1024,
            seconds: 10,
            at_once: 32,
        }
    }
}
