//! What holds of a node at every moment, whatever was done to it.
//!
//! A disk that was damaged may give back less than it held; what is known of it begins anew then. A version that two processes in
//! a row did not outlive is left for the one before, which is what the guard against crash loops is for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use data_plane::simulation::{Applied, SimulatedNode, Verdict};

/// What was seen of a node so far.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The newest that its disk holds.
    floor: Option<Applied>,
    /// What the process that runs now enforces.
    running: Option<Applied>,
    /// What that process took over so far.
    taken: BTreeSet<[u8; 32]>,
    /// It was looked at since it began.
    begun: bool,
    /// How often a process ended without a word that had taken this over.
    ends: BTreeMap<[u8; 32], u32>,
    /// Keys that were taken back, and that it has refused since.
    refused: BTreeSet<String>,
    /// Every version it ever enforced.
    pub(crate) enforced: BTreeSet<(i64, i64, [u8; 32])>,
}

fn older(one: &Applied, other: &Applied) -> bool {
    (one.epoch, one.revision) < (other.epoch, other.revision)
}

impl Watched {
    /// Holds a node against the laws.
    pub(crate) fn look<'k>(
        &mut self,
        node: &SimulatedNode,
        revoked: impl Iterator<Item = &'k String>,
    ) -> Result<()> {
        let now = node.applied();
        if let Some(before) = &self.running {
            ensure!(now.is_some_and(|now| !older(&now, before)), "went back from {before:?} to {now:?}");
        }
        let first = !std::mem::replace(&mut self.begun, true);
        if let Some(floor) = self.floor.filter(|_| first) {
            let kept = now.is_some_and(|now| !older(&now, &floor));
            let looped = self.ends.get(&floor.digest).is_some_and(|ends| *ends >= 2);
            ensure!(kept || looped, "had {floor:?} on its disk and begins with {now:?}");
        }
        // Before the first publication there is no history.
        if now != self.running
            && let Some(now) = now.filter(|now| now.revision > 0)
        {
            self.enforced.insert((now.epoch, now.revision, now.digest));
        }
        self.taken.extend(now.map(|now| now.digest));
        (self.running, self.floor) = (now, now.or(self.floor));
        for key in revoked {
            match node.verdict(key) {
                Verdict::Unready | Verdict::Unknown => {}
                Verdict::Revoked => drop(self.refused.insert(key.clone())),
                Verdict::Accepted => {
                    ensure!(
                        !self.refused.contains(key),
                        "accepts `{key}`, which it refused: it was taken back"
                    );
                }
            }
        }
        Ok(())
    }

    /// Its process ended, without a word or as it was told.
    pub(crate) fn ended(&mut self, told: bool) {
        for digest in std::mem::take(&mut self.taken).into_iter().filter(|_| !told) {
            *self.ends.entry(digest).or_default() += 1;
        }
        (self.running, self.begun) = (None, false);
    }

    /// Its disk was damaged: what was on it counts no more.
    pub(crate) fn damaged(&mut self) {
        self.floor = None;
        self.refused.clear();
    }

    /// The control plane has forgotten that a key was taken back.
    pub(crate) fn forgotten(&mut self, key: &str) {
        self.refused.remove(key);
    }

    /// The newest epoch it met, and the newest revision of it that it enforced.
    pub(crate) fn newest(&self) -> (i64, i64) {
        self.enforced.last().map_or((0, 0), |(epoch, revision, _)| (*epoch, *revision))
    }
}
