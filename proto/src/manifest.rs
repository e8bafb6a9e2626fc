//! What a snapshot holds, and its digest: a tree over buckets, so that a change costs what it touches.
//!
//! Law: equal contents for an equal scope give an equal root whatever the order they come in; revision and time are not in it,
//! so a publication that changes nothing for a scope leaves its digest alone. A copy shares every bucket that it does not
//! change. A resource lies in the bucket of the first byte of its name's SHA-256, which nobody can crowd.
//!
//! | digest | SHA-256 of |
//! |---|---|
//! | of a resource | its body |
//! | of a bucket | kind, name and digest of each of its resources, in the order of kind and name |
//! | the root | the form, the scope's geo and node class, the digests of the 256 buckets |
//!
//! Every part but a body is preceded by its length in bytes as a big-endian `u64`, so that no two lists of parts read alike.
//! Absent on purpose: what resources mean, and signatures.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{Context, SHA256, digest};

use crate::sync::{Resource, ResourceName, Scope, SnapshotContents};

/// The form of manifests, as [`Envelope::schema`](crate::sync::Envelope::schema) says it.
pub const SCHEMA: u32 = 2;

/// The most bytes of a snapshot, and of one resource in it, and the most resources: a node refuses what has more. What may be declared is
/// bounded below that, so that nothing is published that no node takes.
pub const MAX_BYTES: u64 = 512 << 20;
/// See [`MAX_BYTES`].
pub const MAX_RESOURCE: usize = 4 << 20;
/// See [`MAX_BYTES`].
pub const MAX_RESOURCES: usize = 2_000_000;

/// What the root's input begins with; another form would begin otherwise.
const FORM: &[u8] = b"chancery/manifest/v2";

/// Buckets of a holding: as many as a byte has values.
const BUCKETS: usize = 256;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Everything a scope's nodes hold.
#[derive(Debug, Clone)]
pub struct Holding {
    scope: Scope,
    buckets: Vec<Arc<Bucket>>,
    count: usize,
}

/// The resources of one bucket, in the order of kind and name.
#[derive(Debug, Default)]
struct Bucket {
    held: Vec<Arc<Resource>>,
    digest: OnceLock<Digest>,
}

/// A resource that is there twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{kind} {name}` is there twice")]
pub struct Twice {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Fills in a resource's digest.
pub fn seal(resource: &mut Resource) {
    resource.digest = digest(&SHA256, &resource.body).as_ref().to_vec();
}

/// Whether a resource's digest is its body's.
pub fn is_sealed(resource: &Resource) -> bool {
    digest(&SHA256, &resource.body).as_ref() == resource.digest
}

impl Holding {
    /// Nothing, for a scope.
    pub fn of(scope: Scope) -> Self {
        Self { scope, buckets: vec![Arc::default(); BUCKETS], count: 0 }
    }

    /// Sealed resources, in any order.
    ///
    /// # Errors
    /// One of them is there twice.
    pub fn whole(scope: Scope, resources: impl IntoIterator<Item = Resource>) -> Result<Self, Twice> {
        let mut buckets: Vec<Bucket> = (0..BUCKETS).map(|_| Bucket::default()).collect();
        let mut count = 0;
        for resource in resources {
            if let Some(bucket) = buckets.get_mut(bucket_of(&resource.kind, &resource.name)) {
                bucket.held.push(Arc::new(resource));
                count += 1;
            }
        }
        for bucket in &mut buckets {
            bucket.held.sort_unstable_by(|a, b| order(a, b));
            let mut pairs = bucket.held.iter().zip(bucket.held.iter().skip(1));
            if let Some((twice, _)) = pairs.find(|(a, b)| order(a, b).is_eq()) {
                return Err(Twice { kind: twice.kind.clone(), name: twice.name.clone() });
            }
        }
        Ok(Self { scope, buckets: buckets.into_iter().map(Arc::new).collect(), count })
    }

    /// Puts a sealed resource in, in place of one of its name; gives what was there.
    pub fn put(&mut self, resource: Resource) -> Option<Arc<Resource>> {
        let bucket = self.buckets.get_mut(bucket_of(&resource.kind, &resource.name))?;
        let bucket = Arc::make_mut(bucket);
        bucket.digest = OnceLock::new();
        let resource = Arc::new(resource);
        match bucket.held.binary_search_by(|held| order(held, &resource)) {
            Ok(at) => bucket.held.get_mut(at).map(|held| std::mem::replace(held, resource)),
            Err(at) => {
                bucket.held.insert(at, resource);
                self.count += 1;
                None
            }
        }
    }

    /// Takes a resource out; gives it, if it was there.
    pub fn take(&mut self, kind: &str, name: &str) -> Option<Arc<Resource>> {
        let bucket = self.buckets.get_mut(bucket_of(kind, name))?;
        let at = bucket.held.binary_search_by(|held| named(held).cmp(&(kind, name))).ok()?;
        let bucket = Arc::make_mut(bucket);
        bucket.digest = OnceLock::new();
        self.count = self.count.saturating_sub(1);
        Some(bucket.held.remove(at))
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whom it is for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The root of the tree; what did not change since it was last asked for is not hashed again.
    pub fn root(&self) -> Digest {
        let mut root = Context::new(&SHA256);
        part(&mut root, FORM);
        part(&mut root, self.scope.geo.as_bytes());
        part(&mut root, self.scope.node_class.as_bytes());
        self.buckets.iter().for_each(|bucket| part(&mut root, &bucket.digest()));
        finish(root)
    }

    /// All of it, as it is sent and kept.
    pub fn contents(&self) -> SnapshotContents {
        let mut all: Vec<&Arc<Resource>> = self.buckets.iter().flat_map(|bucket| &bucket.held).collect();
        all.sort_unstable_by(|a, b| order(a, b));
        let resources = all.into_iter().map(|resource| resource.as_ref().clone()).collect();
        SnapshotContents { resources, removed: Vec::new() }
    }

    /// What makes this of another holding of its scope; the cost is that of the buckets that differ.
    pub fn changes_of(&self, before: &Self) -> SnapshotContents {
        let mut changes = SnapshotContents::default();
        for (now, then) in self.buckets.iter().zip(&before.buckets) {
            if !Arc::ptr_eq(now, then) && now.digest() != then.digest() {
                now.changes_of(then, &mut changes);
            }
        }
        changes.resources.sort_unstable_by(order);
        changes.removed.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        changes
    }
}

impl Clone for Bucket {
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), digest: OnceLock::new() }
    }
}

impl Bucket {
    fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| {
            let mut context = Context::new(&SHA256);
            for resource in &self.held {
                part(&mut context, resource.kind.as_bytes());
                part(&mut context, resource.name.as_bytes());
                part(&mut context, &resource.digest);
            }
            finish(context)
        })
    }

    fn changes_of(&self, before: &Self, changes: &mut SnapshotContents) {
        let find = |within: &Self, wanted: &Resource| {
            let at = within.held.binary_search_by(|held| order(held, wanted)).ok()?;
            within.held.get(at).cloned()
        };
        for resource in &self.held {
            let then = find(before, resource);
            if then.is_none_or(|then| then.digest != resource.digest) {
                changes.resources.push(resource.as_ref().clone());
            }
        }
        let gone = before.held.iter().filter(|resource| find(self, resource).is_none());
        let name = |resource: &Arc<Resource>| ResourceName {
            kind: resource.kind.clone(),
            name: resource.name.clone(),
        };
        changes.removed.extend(gone.map(name));
    }
}

fn named(resource: &Resource) -> (&str, &str) {
    (&resource.kind, &resource.name)
}

fn order(a: &Resource, b: &Resource) -> Ordering {
    named(a).cmp(&named(b))
}

fn bucket_of(kind: &str, name: &str) -> usize {
    let mut context = Context::new(&SHA256);
    part(&mut context, kind.as_bytes());
    part(&mut context, name.as_bytes());
    context.finish().as_ref().first().copied().map_or(0, usize::from)
}

fn part(context: &mut Context, bytes: &[u8]) {
    context.update(&(bytes.len() as u64).to_be_bytes());
    context.update(bytes);
}

fn finish(context: Context) -> Digest {
    let mut bytes = Digest::default();
    bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

#[cfg(test)]
mod tests;
