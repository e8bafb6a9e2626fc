//! What was fetched for a request, for its record.
//!
//! Law: never a URL, which may hold what is secret; of its host a digest, by which whoever knows the host finds it again. What was tried
//! and not had is noted too. Deliberately absent: writing it down.

use std::sync::Arc;

use aws_lc_rs::digest;
use parking_lot::Mutex;

/// One file by URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// The first eight bytes of the SHA-256 of its host's name, in lower case.
    pub(crate) host: [u8; 8],
    /// How many bytes it was; `None`: it was not had.
    pub(crate) bytes: Option<u64>,
}

/// Where it is noted what was fetched; clones note in the same place. The default is nowhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fetches(Option<Arc<Mutex<Vec<Fetched>>>>);

impl Fetches {
    /// A place, for a request that names something by URL.
    pub(crate) fn somewhere() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether there is a place.
    pub(crate) fn is_somewhere(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that something of so many bytes was fetched, or was not had.
    pub(super) fn note(&self, url: &str, bytes: Option<usize>) {
        let Some(all) = &self.0 else { return };
        let host = super::host(url).unwrap_or_default();
        let digest = digest::digest(&digest::SHA256, host.as_bytes());
        let host = digest.as_ref().first_chunk().copied().unwrap_or_default();
        all.lock().push(Fetched { host, bytes: bytes.map(|bytes| bytes as u64) });
    }

    /// All that was noted.
    pub(crate) fn all(&self) -> Vec<Fetched> {
        self.0.as_ref().map(|all| all.lock().clone()).unwrap_or_default()
    }
}
