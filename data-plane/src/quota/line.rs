//! One line of a reservation: which limit, and whose share of it.
//!
//! A limit and a subject are compared as text, so no two of them can ever share a counter; their hashes are taken once,
//! with a key of this process, so that nobody outside can choose names that collide.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use super::bound::Bound;

static NAME_HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The stable name of a limit, such as `tenants/acme/limits/research-rpm`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LimitId(Name);

/// Whose share of a limit it is: what `each:` selects, for instance the public id of a key. Empty where the limit is
/// shared by all it applies to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectKey(Name);

/// A limit as the ledger enforces it. A new revision may change the bound; the counters go on under the same id.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name.
    pub id: LimitId,
    /// What it allows.
    pub bound: Bound,
}

/// One limit that a request must pass, and whose share of it the request takes.
#[derive(Clone, Debug)]
pub struct Line {
    /// The limit; shared, because a snapshot has few and requests are many.
    pub limit: Arc<Limit>,
    /// Whose share.
    pub subject: SubjectKey,
}

#[derive(Clone)]
struct Name {
    text: Arc<str>,
    // INVARIANT: a function of `text` alone, for the life of this process.
    hash: u64,
}

impl Name {
    fn new(text: Arc<str>) -> Self {
        let hash = NAME_HASH.hash_one(&*text);
        Self { text, hash }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl LimitId {
    /// Names a limit.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(Name::new(name.into()))
    }

    /// The name, as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl SubjectKey {
    /// Names a subject.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(Name::new(name.into()))
    }

    /// The name, as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// Lines are equal when they count in the same place, also if a revision changed the bound between them.
impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.subject == other.subject && self.limit.id == other.limit.id
    }
}

impl Eq for Line {}

impl Hash for Line {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.place());
    }
}

impl fmt::Debug for LimitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for LimitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Limit {
    /// A limit ready to be shared by the lines of many requests.
    pub fn new(name: impl Into<Arc<str>>, bound: Bound) -> Arc<Self> {
        Arc::new(Self { id: LimitId::new(name), bound })
    }
}

impl Line {
    /// A line for `subject`'s share of `limit`.
    #[must_use]
    pub fn new(limit: Arc<Limit>, subject: SubjectKey) -> Self {
        Self { limit, subject }
    }

    /// A well-spread hash of the place this line counts in.
    pub(super) fn place(&self) -> u64 {
        self.limit.id.0.hash.rotate_left(29) ^ self.subject.0.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_only_look_alike_count_apart() {
        let limit = Limit::new("tenants/a/limits/l", Bound::Concurrent { limit: 1 });
        let line = |subject: &str| Line::new(limit.clone(), SubjectKey::new(subject));
        for other in ["k\n", "K", "{k}", "k\0", ""] {
            assert_ne!(line("k"), line(other));
        }
        assert_eq!(line("k"), line("k"));
        assert_eq!(line("k").place(), line("k").place());
    }
}
