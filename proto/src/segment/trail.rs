//! Many segments of many nodes: what follows what, and what is missing between.
//!
//! Law: a segment twice is one. Of each node the first that is there may follow what is not: what is older may be elsewhere, or gone
//! by the rules of retention; any other that does shows a gap. A process that was ended and did not say so may have had records that
//! it had not written: that is a gap of unknown length. Absent on purpose: the lines of a segment, and signatures.

use std::collections::{BTreeMap, BTreeSet};

use super::{Digest, Ended, Fault, Kind, Manifest, NOTHING};

/// What the control plane was told of a segment, and has logged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Geo and name of the node.
    pub node: (String, String),
    /// The process.
    pub boot_id: String,
    /// Its first and last number.
    pub seqs: (u64, u64),
    /// The manifest's hash.
    pub hash: Digest,
}

/// A segment that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its manifest.
    pub manifest: Manifest,
    /// By what the manifest is known.
    pub hash: Digest,
    /// Numbers within it that were never written.
    pub missing: Vec<(u64, u64)>,
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Geo and name of the node.
    pub node: (String, String),
    /// The process.
    pub boot_id: String,
    /// The numbers that are missing, as far as they are known: the first, and the last.
    pub seqs: (Option<u64>, Option<u64>),
    /// In words.
    pub why: &'static str,
}

/// Segments, as they are found.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    found: BTreeMap<Digest, Found>,
    anchors: BTreeSet<Anchor>,
    again: u64,
}

/// What a walk along segments showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// Segments.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Segments that were there more than once, counted each time but the first.
    pub again: u64,
    /// Nodes.
    pub nodes: u64,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Segments that contradict each other.
    pub faults: Vec<Fault>,
}

impl Trail {
    /// Adds a segment.
    pub fn add(&mut self, found: Found) {
        if self.found.insert(found.hash, found).is_some() {
            self.again += 1;
        }
    }

    /// Adds what the control plane knows of one.
    pub fn expect(&mut self, anchor: Anchor) {
        self.anchors.insert(anchor);
    }

    /// Walks along them.
    pub fn walk(&self) -> Walked {
        let mut walked = Walked {
            segments: self.found.len() as u64,
            records: self.found.values().map(|found| found.manifest.count).sum(),
            again: self.again,
            ..Walked::default()
        };
        let mut nodes: BTreeMap<(String, String), Vec<&Found>> = BTreeMap::new();
        for found in self.found.values() {
            nodes.entry(node(&found.manifest)).or_default().push(found);
        }
        walked.nodes = nodes.len() as u64;
        for (_, mut of_node) in nodes {
            of_node.sort_by_key(|found| (found.manifest.sealed, found.manifest.first_seq));
            self.walk_node(&of_node, &mut walked);
        }
        let missing = self.anchors.iter().filter(|anchor| !self.found.contains_key(&anchor.hash));
        walked.gaps.extend(missing.map(|anchor| Gap {
            node: anchor.node.clone(),
            boot_id: anchor.boot_id.clone(),
            seqs: (Some(anchor.seqs.0), Some(anchor.seqs.1)),
            why: "it is anchored, and not here",
        }));
        walked.gaps.sort();
        walked.gaps.dedup();
        walked
    }

    fn walk_node(&self, segments: &[&Found], walked: &mut Walked) {
        let mut followed: BTreeMap<Digest, &Manifest> = BTreeMap::new();
        for (at, found) in segments.iter().enumerate() {
            let manifest = &found.manifest;
            walked.gaps.extend(found.missing.iter().map(|(first, last)| {
                gap(
                    manifest,
                    (Some(*first), Some(*last)),
                    "there was no place for them: they were never written",
                )
            }));
            let other = followed.insert(manifest.previous, manifest);
            if let Some(other) = other.filter(|_| manifest.previous != NOTHING) {
                let why = format!(
                    "two segments of {}/{} follow the same one: {} {}-{} and {} {}-{}",
                    manifest.geo,
                    manifest.node,
                    other.boot_id,
                    other.first_seq,
                    other.last_seq,
                    manifest.boot_id,
                    manifest.first_seq,
                    manifest.last_seq
                );
                walked.faults.push(Fault::new(Kind::Invalid, why));
                continue;
            }
            match self.found.get(&manifest.previous) {
                Some(before) => walked.gaps.extend(between(&before.manifest, manifest)),
                // A node's first segment follows nothing: whatever else comes first here, something was before it.
                None if at == 0 && manifest.previous == NOTHING => {
                    let begun = manifest.first_seq > 1;
                    let seqs = (Some(1), manifest.first_seq.checked_sub(1));
                    walked.gaps.extend(begun.then(|| gap(manifest, seqs, "its beginning is missing")));
                }
                None if manifest.previous == NOTHING => {
                    walked.gaps.push(gap(
                        manifest,
                        (None, None),
                        "the node began anew: what it had before was taken from it",
                    ));
                }
                None => {
                    let seqs = (None, manifest.first_seq.checked_sub(1).filter(|last| *last > 0));
                    walked.gaps.push(gap(manifest, seqs, "the segment before it is missing"));
                }
            }
        }
    }
}

/// What is missing between a segment and the one that follows it.
fn between(before: &Manifest, after: &Manifest) -> Vec<Gap> {
    if before.boot_id == after.boot_id {
        let due = before.last_seq.saturating_add(1);
        let skipped = after.first_seq > due;
        let never = "there was no place for them: they were never written";
        return skipped
            .then(|| gap(after, (Some(due), Some(after.first_seq - 1)), never))
            .into_iter()
            .collect();
    }
    let open = (before.ended != Ended::Shutdown).then(|| {
        let from = Some(before.last_seq.saturating_add(1));
        gap(before, (from, None), "the process was ended: what it had not written yet is not here")
    });
    let begun = (after.first_seq > 1)
        .then(|| gap(after, (Some(1), Some(after.first_seq - 1)), "its beginning is missing"));
    open.into_iter().chain(begun).collect()
}

fn node(manifest: &Manifest) -> (String, String) {
    (manifest.geo.clone(), manifest.node.clone())
}

fn gap(manifest: &Manifest, seqs: (Option<u64>, Option<u64>), why: &'static str) -> Gap {
    Gap { node: node(manifest), boot_id: manifest.boot_id.clone(), seqs, why }
}
