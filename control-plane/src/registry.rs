//! Every resource in force, as its stored bytes, in memory: what reads answer from and what is sent to nodes.
//!
//! Law: a copy shares everything it does not change, and to change it costs what is changed; the digest covers kind, name and
//! bytes of all, and nothing else.

mod digests;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use policy_engine::facts::Map;
use policy_engine::vocabulary::{Id, Kind, Name};

use crate::store::Digest;
use digests::Tree;

/// A resource in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The encoded message, without what only the output has.
    pub bytes: Bytes,
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// When it was first made, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last changed, likewise.
    pub updated_at: i64,
    /// The revision that last changed it.
    pub revision: i64,
}

impl Stored {
    /// The etag: enough of the digest that two versions never share it.
    pub fn etag(&self) -> String {
        hex(self.digest.get(..16).unwrap_or_default())
    }
}

/// All of one kind.
#[derive(Debug, Clone, Default)]
struct Shelf {
    entries: Map<Id, Arc<Stored>>,
    digests: Tree,
    /// Of all of them.
    bytes: usize,
}

/// Everything in force.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    shelves: BTreeMap<Kind, Arc<Shelf>>,
}

impl Registry {
    /// One resource.
    pub fn get(&self, kind: Kind, id: &Id) -> Option<&Arc<Stored>> {
        self.shelves.get(&kind)?.entries.get(id)
    }

    /// All of a kind, the platform's first, then by tenant, by name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (&Id, &Arc<Stored>)> {
        self.shelves.get(&kind).into_iter().flat_map(|shelf| shelf.entries.iter())
    }

    /// Those of one owner, in the order of names, after a name.
    pub fn owned<'r>(
        &'r self,
        kind: Kind,
        tenant: Option<&'r Name>,
        after: Option<Name>,
    ) -> impl Iterator<Item = (&'r Id, &'r Arc<Stored>)> {
        let from = after.map(|name| Id { tenant: tenant.cloned(), name });
        let before = move |id: &Id| match &from {
            Some(from) => id <= from,
            None => id.tenant.as_ref() < tenant,
        };
        let shelf = self.shelves.get(&kind).into_iter();
        shelf
            .flat_map(move |shelf| shelf.entries.after(&before))
            .take_while(move |(id, _)| id.tenant.as_ref() == tenant)
    }

    /// Those of every tenant, by tenant, by name, after one.
    pub fn across(&self, kind: Kind, after: Option<Id>) -> impl Iterator<Item = (&Id, &Arc<Stored>)> {
        let before = move |id: &Id| match &after {
            Some(after) => id <= after,
            None => id.tenant.is_none(),
        };
        let shelf = self.shelves.get(&kind).into_iter();
        shelf.flat_map(move |shelf| shelf.entries.after(&before)).filter(|(id, _)| id.tenant.is_some())
    }

    /// Puts a resource in, in place of what was there.
    pub(crate) fn put(&mut self, kind: Kind, id: Id, stored: Arc<Stored>) {
        let shelf = self.shelf(kind);
        shelf.digests.put(&id, stored.digest);
        shelf.bytes = shelf.bytes.saturating_add(stored.bytes.len());
        let before = shelf.entries.insert(id, stored);
        shelf.bytes = shelf.bytes.saturating_sub(before.map_or(0, |before| before.bytes.len()));
    }

    /// How many resources there are, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let sizes = self.shelves.values().map(|shelf| (shelf.entries.len(), shelf.bytes));
        sizes.fold((0, 0), |(count, bytes), (more, size)| (count + more, bytes.saturating_add(size)))
    }

    /// Takes a resource out.
    pub(crate) fn take(&mut self, kind: Kind, id: &Id) {
        let shelf = self.shelf(kind);
        shelf.digests.take(id);
        let before = shelf.entries.remove(id);
        shelf.bytes = shelf.bytes.saturating_sub(before.map_or(0, |before| before.bytes.len()));
    }

    fn shelf(&mut self, kind: Kind) -> &mut Shelf {
        Arc::make_mut(self.shelves.entry(kind).or_default())
    }

    /// SHA-256 over everything in force: each kind with the digest of its names and bytes.
    pub fn digest(&self) -> Digest {
        let mut all = Context::new(&SHA256);
        all.update(b"chancery/facts/v2");
        for (kind, _) in self.shelves.iter().filter(|(_, shelf)| !shelf.entries.is_empty()) {
            part(&mut all, kind.as_str().as_bytes());
            all.update(&self.kind_digest(*kind));
        }
        finish(all)
    }

    /// SHA-256 over the names and bytes of one kind; equal as long as nothing of the kind changed.
    pub fn kind_digest(&self, kind: Kind) -> Digest {
        self.shelves.get(&kind).map(|shelf| shelf.digests.root()).unwrap_or_default()
    }
}

/// SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    aws_lc_rs::digest::digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A part with its length before it, so that two lists of parts never read alike.
fn part(context: &mut Context, bytes: &[u8]) {
    context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(bytes);
}

fn finish(context: Context) -> Digest {
    context.finish().as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        match text.split_once('/') {
            Some((tenant, name)) => Id::of(tenant.parse().unwrap(), name.parse().unwrap()),
            None => Id::platform(text.parse().unwrap()),
        }
    }

    fn with(entries: &[(&str, &str)]) -> Registry {
        let mut registry = Registry::default();
        for (at, text) in entries {
            let bytes = Bytes::from((*text).to_owned());
            let digest = sha256(&bytes);
            let stored = Stored { bytes, digest, created_at: 1, updated_at: 1, revision: 1 };
            registry.put(Kind::Role, id(at), Arc::new(stored));
        }
        registry
    }

    #[test]
    fn an_owners_things_are_listed_in_order_and_alone() {
        let registry =
            with(&[("b", ""), ("a", ""), ("acme/0", ""), ("acme/z", ""), ("acm/x", ""), ("acmee/y", "")]);
        let listed = |tenant: Option<&str>, after: Option<&str>| {
            let tenant: Option<Name> = tenant.map(|t| t.parse().unwrap());
            registry
                .owned(Kind::Role, tenant.as_ref(), after.map(|a| a.parse().unwrap()))
                .map(|(id, _)| id.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(None, None), ["a", "b"]);
        assert_eq!(listed(None, Some("a")), ["b"]);
        assert_eq!(listed(Some("acme"), None), ["acme/0", "acme/z"]);
        assert_eq!(listed(Some("acme"), Some("0")), ["acme/z"]);
        assert!(listed(Some("nobody"), None).is_empty());
    }

    #[test]
    fn the_digest_is_of_names_and_bytes_and_a_copy_is_its_own() {
        let one = with(&[("a", "x"), ("b", "y")]);
        assert_eq!(one.digest(), with(&[("b", "y"), ("a", "x")]).digest());
        for other in [with(&[("a", "y"), ("b", "x")]), with(&[("a", "x")]), with(&[("t/a", "x"), ("b", "y")])]
        {
            assert_ne!(one.digest(), other.digest());
        }
        let before = one.digest();
        let mut copy = one.clone();
        copy.take(Kind::Role, &id("a"));
        assert_eq!(one.digest(), before);
        assert_ne!(copy.digest(), before);
        assert!(one.get(Kind::Role, &id("a")).is_some());
    }
}
