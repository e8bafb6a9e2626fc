//! A snapshot as it is sent: whole, or as what it changes of one that a node has.
//!
//! Law: each form is encoded once, when the first node needs it, and shared by all; a form that is larger than the whole is not
//! made. The bytes that are hashed are the bytes that are sent. What could not be encoded is sent to nobody and not remembered: the
//! next node that needs it has it encoded anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::manifest::{Digest, Holding};
use proto::sync::{SnapshotContents, Version};
use thiserror::Error;
use tokio::sync::OnceCell;
use tokio::task::JoinError;
use tonic::Status;

use crate::telemetry::Metrics;

/// Bytes of a chunk: what is copied for each node that is being sent one.
const CHUNK: usize = 64 << 10;

/// Snapshots before this one that changes are made from; a node that has another one is sent the whole.
const PAST: usize = 16;

/// The holdings that nodes may still have, the newest last, by their roots.
pub(super) type Past = VecDeque<(Digest, Holding)>;

/// A snapshot as it is sent.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) version: Version,
    /// The newest revision that may hold much less than any before, as its envelope says.
    pub(super) shrink_revision: i64,
    pub(super) envelope: Bytes,
    pub(super) signature: Vec<u8>,
    /// DER of the signer's certificate.
    pub(super) signer: Bytes,
    holding: Holding,
    past: Past,
    whole: Form,
    changes: Mutex<HashMap<Digest, Arc<Form>>>,
    /// That one of its forms could not be encoded was logged.
    told: AtomicBool,
    /// How many encodings are to break, in tests.
    #[cfg(test)]
    breaks: Arc<std::sync::atomic::AtomicUsize>,
}

/// One form of it, once it is encoded.
type Form = OnceCell<Arc<Parts>>;

/// Encoding ended in a way that is a bug.
#[derive(Debug, Error)]
#[error("the snapshot can't be encoded")]
pub(super) struct Broken(#[from] JoinError);

impl From<Broken> for Status {
    fn from(broken: Broken) -> Self {
        Self::internal(broken.to_string())
    }
}

/// Contents in chunks.
#[derive(Debug)]
pub(super) struct Parts {
    /// Digest of what they change; empty: they are whole.
    pub(super) base: Vec<u8>,
    pub(super) chunks: Vec<Bytes>,
    pub(super) total_bytes: u64,
    pub(super) sha256: Vec<u8>,
}

/// What is signed of a snapshot, and by whom.
pub(super) struct Proof {
    pub(super) shrink_revision: i64,
    pub(super) envelope: Bytes,
    pub(super) signature: Vec<u8>,
    pub(super) signer: Bytes,
}

impl Encoded {
    pub(super) fn new(version: Version, proof: Proof, (holding, past): (Holding, Past)) -> Self {
        let Proof { shrink_revision, envelope, signature, signer } = proof;
        let (whole, changes, told) = (Form::new(), Mutex::default(), AtomicBool::new(false));
        Self {
            version,
            shrink_revision,
            envelope,
            signature,
            signer,
            holding,
            past,
            whole,
            changes,
            told,
            #[cfg(test)]
            breaks: Arc::default(),
        }
    }

    /// The past of what comes after this.
    pub(super) fn past(&self) -> Past {
        let mut past = self.past.clone();
        past.push_back((self.holding.root(), self.holding.clone()));
        let surplus = past.len().saturating_sub(PAST);
        past.drain(..surplus);
        past
    }

    /// The contents, whole.
    pub(super) async fn whole(&self, metrics: &Metrics) -> Result<Arc<Parts>, Broken> {
        let encode = || {
            let holding = self.holding.clone();
            self.encoded(metrics, Vec::new(), move || holding.contents())
        };
        let made = self.whole.get_or_try_init(encode).await.cloned();
        made.inspect_err(|broken| self.tell(broken))
    }

    /// The contents as changes of what a node has, where that is known and they are the lesser part; otherwise whole.
    pub(super) async fn since(&self, applied: &[u8], metrics: &Metrics) -> Result<Arc<Parts>, Broken> {
        let Some((base, before)) = self.past.iter().find(|(root, _)| root.as_slice() == applied) else {
            return self.whole(metrics).await;
        };
        let form = self.changes.lock().entry(*base).or_default().clone();
        let encode = || async {
            let (now, before, most) = (self.holding.clone(), before.clone(), self.holding.len() / 2);
            let changes = tokio::task::spawn_blocking(move || now.changes_of(&before)).await?;
            match changes.resources.len().saturating_add(changes.removed.len()) > most {
                true => self.whole(metrics).await,
                false => self.encoded(metrics, base.to_vec(), move || changes).await,
            }
        };
        let made = form.get_or_try_init(encode).await.cloned();
        made.inspect_err(|broken| self.tell(broken))
    }

    /// Logs it once, however many nodes wait for it.
    fn tell(&self, broken: &Broken) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let error = broken as &dyn std::error::Error;
            tracing::error!(revision = self.version.revision, error, "streams of nodes that need it end");
        }
    }

    /// Encodes contents off the threads that serve streams.
    async fn encoded(
        &self,
        metrics: &Metrics,
        base: Vec<u8>,
        contents: impl FnOnce() -> SnapshotContents + Send + 'static,
    ) -> Result<Arc<Parts>, Broken> {
        #[cfg(test)]
        let contents = tests::breaking(&self.breaks, contents);
        let contents = tokio::task::spawn_blocking(move || Bytes::from(contents().encode_to_vec())).await?;
        metrics.encoded.inc();
        Ok(Arc::new(Parts::of(base, contents)))
    }
}

impl Parts {
    fn of(base: Vec<u8>, contents: Bytes) -> Self {
        let mut rest = contents.clone();
        let mut chunks = Vec::with_capacity(contents.len().div_ceil(CHUNK));
        while !rest.is_empty() {
            chunks.push(rest.split_to(CHUNK.min(rest.len())));
        }
        let sha256 = digest(&SHA256, &contents).as_ref().to_vec();
        Self { base, chunks, total_bytes: contents.len() as u64, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use proto::manifest;
    use proto::sync::{Resource, Scope};
    use tonic::Code;

    use super::*;

    /// Contents that can't be had as often as `breaks` says.
    pub(super) fn breaking<C: FnOnce() -> SnapshotContents + Send + 'static>(
        breaks: &Arc<AtomicUsize>,
        contents: C,
    ) -> impl FnOnce() -> SnapshotContents + Send + 'static {
        let breaks = breaks.clone();
        move || {
            let left = breaks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            assert!(left.is_err(), "told to break");
            contents()
        }
    }

    fn holding(count: u8) -> Holding {
        let resource = |n: u8| {
            let mut resource =
                Resource { kind: "Role".into(), name: format!("roles/{n}"), ..Resource::default() };
            manifest::seal(&mut resource);
            resource
        };
        Holding::whole(Scope { geo: "eu".into(), ..Scope::default() }, (0..count).map(resource)).unwrap()
    }

    fn snapshot(before: &Encoded, count: u8) -> Encoded {
        let holding = holding(count);
        let version = Version { digest: holding.root().to_vec(), ..Version::default() };
        let proof =
            Proof { shrink_revision: 0, envelope: Bytes::new(), signature: Vec::new(), signer: Bytes::new() };
        Encoded::new(version, proof, (holding, before.past()))
    }

    #[tokio::test]
    async fn what_could_not_be_encoded_is_sent_to_nobody_and_encoded_anew_for_the_next() {
        let metrics = Metrics::default();
        let proof =
            Proof { shrink_revision: 0, envelope: Bytes::new(), signature: Vec::new(), signer: Bytes::new() };
        let first = Encoded::new(Version::default(), proof, (holding(10), Past::new()));
        let second = snapshot(&first, 11);
        let base = holding(10).root().to_vec();
        second.breaks.store(2, Ordering::Relaxed);
        let broken = second.whole(&metrics).await.unwrap_err();
        assert!(second.told.load(Ordering::Relaxed) && Status::from(broken).code() == Code::Internal);
        assert!(second.since(&base, &metrics).await.is_err());
        assert_eq!(metrics.encoded.get(), 0);

        let (whole, changes) =
            (second.whole(&metrics).await.unwrap(), second.since(&base, &metrics).await.unwrap());
        let read = |parts: &Parts| {
            let bytes = parts.chunks.concat();
            assert_eq!(
                (parts.total_bytes, parts.sha256.as_slice()),
                (bytes.len() as u64, digest(&SHA256, &bytes).as_ref())
            );
            SnapshotContents::decode(bytes.as_slice()).unwrap().resources.len()
        };
        assert_eq!((read(&whole), whole.base.as_slice()), (11, [].as_slice()));
        assert_eq!((read(&changes), changes.base.as_slice()), (1, base.as_slice()));
        // What was encoded once is.
        second.breaks.store(1, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&second.whole(&metrics).await.unwrap(), &whole));
        assert_eq!(metrics.encoded.get(), 2);
    }
}
