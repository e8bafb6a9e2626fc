//! A snapshot as it is sent: whole, or as what it changes of one that a node has.
//!
//! Law: each form is encoded once, when the first node needs it, and shared by all; a form that is larger than the whole is not
//! made. The bytes that are hashed are the bytes that are sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::manifest::{Digest, Holding};
use proto::sync::{SnapshotContents, Version};
use tokio::sync::OnceCell;

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
    pub(super) envelope: Bytes,
    pub(super) signature: Vec<u8>,
    /// DER of the signer's certificate.
    pub(super) signer: Bytes,
    holding: Holding,
    past: Past,
    whole: OnceCell<Arc<Parts>>,
    changes: Mutex<HashMap<Digest, Arc<OnceCell<Arc<Parts>>>>>,
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
    pub(super) envelope: Bytes,
    pub(super) signature: Vec<u8>,
    pub(super) signer: Bytes,
}

impl Encoded {
    pub(super) fn new(version: Version, proof: Proof, (holding, past): (Holding, Past)) -> Self {
        let Proof { envelope, signature, signer } = proof;
        let (whole, changes) = (OnceCell::new(), Mutex::default());
        Self { version, envelope, signature, signer, holding, past, whole, changes }
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
    pub(super) async fn whole(&self, metrics: &Metrics) -> Arc<Parts> {
        let holding = || self.holding.clone();
        let encoded = async {
            let holding = holding();
            encoded(metrics, Vec::new(), move || holding.contents()).await
        };
        self.whole.get_or_init(|| encoded).await.clone()
    }

    /// The contents as changes of what a node has, where that is known and they are the lesser part; otherwise whole.
    pub(super) async fn since(&self, applied: &[u8], metrics: &Metrics) -> Arc<Parts> {
        let Some((base, before)) = self.past.iter().find(|(root, _)| root.as_slice() == applied) else {
            return self.whole(metrics).await;
        };
        let cell = self.changes.lock().entry(*base).or_default().clone();
        let (now, before) = (self.holding.clone(), before.clone());
        let changes = async {
            let (base, most) = (base.to_vec(), now.len() / 2);
            let changes =
                tokio::task::spawn_blocking(move || now.changes_of(&before)).await.unwrap_or_default();
            match changes.resources.len().saturating_add(changes.removed.len()) > most {
                true => self.whole(metrics).await,
                false => encoded(metrics, base, move || changes).await,
            }
        };
        cell.get_or_init(|| changes).await.clone()
    }
}

/// Encodes contents off the threads that serve streams.
async fn encoded(
    metrics: &Metrics,
    base: Vec<u8>,
    contents: impl FnOnce() -> SnapshotContents + Send + 'static,
) -> Arc<Parts> {
    metrics.encoded.inc();
    let bytes = tokio::task::spawn_blocking(move || Bytes::from(contents().encode_to_vec())).await;
    let contents = bytes.unwrap_or_default();
    let mut rest = contents.clone();
    let mut chunks = Vec::with_capacity(contents.len().div_ceil(CHUNK));
    while !rest.is_empty() {
        chunks.push(rest.split_to(CHUNK.min(rest.len())));
    }
    let sha256 = digest(&SHA256, &contents).as_ref().to_vec();
    Arc::new(Parts { base, chunks, total_bytes: contents.len() as u64, sha256 })
}
