//! The digest of many named things as a tree over buckets, so that a change costs what it touches.
//!
//! Law: equal names with equal digests give an equal root, whatever the order they came in. A name lies in the bucket of the
//! first byte of its SHA-256; a copy shares every bucket that it does not change.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{Context, SHA256};
use policy_engine::vocabulary::{Id, Name};

use super::{finish, part};
use crate::store::Digest;

/// As many as a byte has values.
const BUCKETS: usize = 256;

/// Names with the digests of what they are of.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    buckets: Vec<Arc<Bucket>>,
    root: OnceLock<Digest>,
}

/// The names of one bucket, ascending.
#[derive(Debug, Clone, Default)]
struct Bucket {
    leaves: Vec<(Id, Digest)>,
    digest: OnceLock<Digest>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { buckets: vec![Arc::default(); BUCKETS], root: OnceLock::new() }
    }
}

impl Tree {
    /// Puts a name in, or another digest to it.
    pub(super) fn put(&mut self, id: &Id, digest: Digest) {
        let Some(bucket) = self.bucket(id) else { return };
        match bucket.leaves.binary_search_by(|(known, _)| known.cmp(id)) {
            Ok(at) => bucket.leaves.get_mut(at).into_iter().for_each(|leaf| leaf.1 = digest),
            Err(at) => bucket.leaves.insert(at, (id.clone(), digest)),
        }
    }

    /// Takes a name out.
    pub(super) fn take(&mut self, id: &Id) {
        let Some(bucket) = self.bucket(id) else { return };
        if let Ok(at) = bucket.leaves.binary_search_by(|(known, _)| known.cmp(id)) {
            bucket.leaves.remove(at);
        }
    }

    /// The bucket of a name, to be changed: what was known of digests above it is forgotten.
    fn bucket(&mut self, id: &Id) -> Option<&mut Bucket> {
        self.root = OnceLock::new();
        let mut context = Context::new(&SHA256);
        named(&mut context, id);
        let at = finish(context).first().copied().map_or(0, usize::from);
        let bucket = Arc::make_mut(self.buckets.get_mut(at)?);
        bucket.digest = OnceLock::new();
        Some(bucket)
    }

    /// The digest of all; what did not change since it was last asked for is not hashed again.
    pub(super) fn root(&self) -> Digest {
        *self.root.get_or_init(|| {
            let mut root = Context::new(&SHA256);
            self.buckets.iter().for_each(|bucket| root.update(&bucket.digest()));
            finish(root)
        })
    }
}

impl Bucket {
    fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| {
            let mut context = Context::new(&SHA256);
            for (id, digest) in &self.leaves {
                named(&mut context, id);
                context.update(digest);
            }
            finish(context)
        })
    }
}

fn named(context: &mut Context, id: &Id) {
    part(context, id.tenant.as_ref().map_or("", Name::as_str).as_bytes());
    part(context, id.name.as_str().as_bytes());
}
