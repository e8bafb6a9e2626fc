//! A log's Merkle tree, as RFC 9162 has it: what proves that an entry is in a log, and that a log only grew.
//!
//! Law: the hash of a leaf is `SHA-256(0x00 ‖ leaf)`, of a node `SHA-256(0x01 ‖ left ‖ right)`, of no leaves SHA-256 of nothing
//! (section 2.1.1). A subtree that is full never changes, so that whoever keeps a log keeps one hash for each, under its
//! [`Full`], and makes every root and proof of the log's past of a few of them: first [`inclusion`] and [`consistency`] say of
//! which ranges a proof consists, then [`Range::full`] of which full subtrees a range, and [`fold`] puts those together.
//! Verifying needs no log: [`includes`] and [`extends`] are sections 2.1.3.2 and 2.1.4.2. Absent on purpose: what a leaf holds, and where
//! hashes are kept.

use std::iter;

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 hash of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

/// A full subtree: `2^level` leaves, of which `index` times as many lie before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Full {
    /// How many levels are below it; 0: it is a leaf.
    pub level: u32,
    /// Its place among the subtrees of its level, from 0.
    pub index: u64,
}

/// Leaves of a log that are next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first, from 0.
    pub begin: u64,
    /// The first after them.
    pub end: u64,
}

/// A log as it grows, of which only the hashes are kept that its root is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growing {
    size: u64,
    /// Of its full subtrees, from the left.
    full: Vec<Hash>,
}

/// The hash of a leaf.
pub fn leaf(bytes: &[u8]) -> Hash {
    hashed(&[&[0], bytes])
}

/// The hash of a node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    hashed(&[&[1], left, right])
}

/// The root of a log without leaves.
pub fn empty() -> Hash {
    hashed(&[])
}

fn hashed(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    array(context.finish().as_ref())
}

fn array(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or_default()
}

impl Full {
    /// The leaf of a place, from 0.
    pub fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The subtree this one completes, and the one on its left that they are of; `None` where it lies on the left itself.
    pub fn completes(self) -> Option<(Self, Self)> {
        let left = self.index.checked_sub(1).filter(|left| left.is_multiple_of(2))?;
        let above = Self { level: self.level + 1, index: left / 2 };
        Some((Self { level: self.level, index: left }, above))
    }
}

impl Range {
    /// Every leaf of a log of this size.
    pub fn all(size: u64) -> Self {
        Self { begin: 0, end: size }
    }

    /// The full subtrees it consists of, from the left, for [`fold`]; none where it is empty. Of a range that no proof names, it is
    /// those of a log that begins where the range does.
    pub fn full(self) -> impl Iterator<Item = Full> {
        let mut begin = self.begin;
        iter::from_fn(move || {
            let left = self.end.checked_sub(begin).filter(|left| *left > 0)?;
            let level = left.ilog2();
            let full = Full { level, index: begin >> level };
            begin += 1 << level;
            Some(full)
        })
    }

    /// Where RFC 9162 divides it: after the largest power of two of leaves that is less than all.
    fn middle(self) -> Option<u64> {
        let size = self.end.checked_sub(self.begin).filter(|size| *size > 1)?;
        Some(self.begin + (1 << (size - 1).ilog2()))
    }

    fn halves(self) -> Option<(Self, Self)> {
        let middle = self.middle()?;
        Some((Self { end: middle, ..self }, Self { begin: middle, ..self }))
    }
}

impl Growing {
    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let (mut full, mut hash) = (Full::leaf(self.size), leaf);
        while let Some((_, above)) = full.completes() {
            let Some(left) = self.full.pop() else { break };
            (full, hash) = (above, node(&left, &hash));
        }
        self.full.push(hash);
        self.size += 1;
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        fold(&self.full)
    }
}

/// The root of a range, of the hashes of its full subtrees from the left.
pub fn fold(full: &[Hash]) -> Hash {
    let root = full.iter().rev().copied().reduce(|right, left| node(&left, &right));
    root.unwrap_or_else(empty)
}

/// The ranges whose roots prove that a leaf is in a log of a size (RFC 9162 section 2.1.3.1); `None` where the leaf is not in it.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range>> {
    let mut within = Some(Range::all(size)).filter(|_| index < size)?;
    let mut path = Vec::new();
    while let Some((left, right)) = within.halves() {
        let (other, inner) = if index < left.end { (right, left) } else { (left, right) };
        path.push(other);
        within = inner;
    }
    path.reverse();
    Some(path)
}

/// The ranges whose roots prove that a log of a size was one of another size before (RFC 9162 section 2.1.4.1); `None` where it
/// was not yet that large. Of a log without leaves every log is an extension, which needs no proof.
pub fn consistency(before: u64, size: u64) -> Option<Vec<Range>> {
    let mut within = Some(Range::all(size)).filter(|_| before <= size)?;
    let mut path = Vec::new();
    if before == 0 || before == size {
        return Some(path);
    }
    while within.end != before {
        let Some((left, right)) = within.halves() else { break };
        let (other, inner) = if before <= left.end { (right, left) } else { (left, right) };
        path.push(other);
        within = inner;
    }
    // What begins the log is the root of what it was, which who verifies has.
    path.extend(Some(within).filter(|within| within.begin > 0));
    path.reverse();
    Some(path)
}

/// Whether a proof shows that a log of a size and a root has a leaf of this hash at a place (RFC 9162 section 2.1.3.2).
pub fn includes((size, root): (u64, &Hash), (index, leaf): (u64, Hash), proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut found) = (index, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            found = node(other, &found);
            // Levels at which it has nothing on its right are passed over.
            let skipped = if place % 2 == 1 { 0 } else { place.trailing_zeros() };
            (place, last) = (place >> skipped, last >> skipped);
        } else {
            found = node(&found, other);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && found == *root
}

/// Whether a proof shows that the second log, of a size and a root each, is the first with more behind it (RFC 9162 section 2.1.4.2).
pub fn extends((before, first): (u64, &Hash), (size, second): (u64, &Hash), proof: &[Hash]) -> bool {
    if before > size {
        return false;
    }
    if before == 0 {
        return *first == empty() && proof.is_empty() && (size > 0 || first == second);
    }
    if before == size {
        return first == second && proof.is_empty();
    }
    let mut proof = proof.iter();
    let seed = if before.is_power_of_two() { Some(first) } else { proof.next() };
    let Some(seed) = seed else { return false };
    let skipped = (before - 1).trailing_ones();
    let (mut place, mut last) = ((before - 1) >> skipped, (size - 1) >> skipped);
    let (mut old, mut new) = (*seed, *seed);
    for other in proof {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            (old, new) = (node(other, &old), node(other, &new));
            let skipped = if place % 2 == 1 { 0 } else { place.trailing_zeros() };
            (place, last) = (place >> skipped, last >> skipped);
        } else {
            new = node(&new, other);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && old == *first && new == *second
}

#[cfg(test)]
mod tests;
