//! The port by which files by URL are had, and what is noted of them for a request's record.
//!
//! Law: never a URL, which may hold what is secret; of its host a digest, by which whoever knows the host finds it again. What was tried
//! and not had is noted too. Deliberately absent: fetching (`fetch`), and writing it down.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use futures_util::future::BoxFuture;
use http::Uri;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::error::UpstreamError;
use crate::dialect::chat::Chat;
use crate::dialect::gemini::Api;
use crate::dialect::vendor::Dialect;

/// Has what a conversation names by URL.
pub(crate) trait Fetch: fmt::Debug + Send + Sync {
    /// Puts what is behind the URLs of a conversation in their place, where the vendor takes it only so. What it gives holds the place
    /// of what was fetched, and is kept for as long as that is.
    ///
    /// # Errors
    /// When one can't be had, by the field that names it; and when there is no room for them now.
    fn bring<'c>(
        &'c self,
        chat: &'c mut Chat,
        vendor: (Dialect, Api),
        noted: (&'c Fetches, Option<Instant>),
    ) -> BoxFuture<'c, Result<Option<OwnedSemaphorePermit>, UpstreamError>>;
}

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
    pub(crate) fn note(&self, url: &str, bytes: Option<usize>) {
        let Some(all) = &self.0 else { return };
        let host = host(url).unwrap_or_default();
        let digest = digest::digest(&digest::SHA256, host.as_bytes());
        let host = digest.as_ref().first_chunk().copied().unwrap_or_default();
        all.lock().push(Fetched { host, bytes: bytes.map(|bytes| bytes as u64) });
    }

    /// All that was noted.
    pub(crate) fn all(&self) -> Vec<Fetched> {
        self.0.as_ref().map(|all| all.lock().clone()).unwrap_or_default()
    }
}

/// The host of an HTTP URL, in lower case; `None`: it is none.
pub(crate) fn host(url: &str) -> Option<String> {
    let uri: Uri = url.split('#').next()?.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(())?;
    uri.host().map(|host| host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase())
}
