//! How far an audit log was seen, and what may come after it.
//!
//! Law: a log goes on from what was seen of it or it is none: of a larger one that has to be proved, of one of the same size the root
//! is the same, and of a smaller one it has to be proved that it is the beginning. One key is believed at a time: the one of the first
//! checkpoint that was seen, and from then on each that a checkpoint names which the key before it signed as well.
//! Absent on purpose: files, and what follows from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::checkpoint::{Checkpoint, CheckpointError, VerifierKey};
use proto::sync::AuditCheckpoint;
use proto::tree::{self, Hash};
use thiserror::Error;

/// What a log is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Floor {
    /// Whose signature is believed.
    pub(super) key: VerifierKey,
    /// How large it was, and its root.
    pub(super) seen: Checkpoint,
    /// The same as it was signed.
    pub(super) note: String,
    /// The epoch of the policy that was in force then; 0: none was. Only a policy of a newer one lets go of it.
    pub(super) epoch: i64,
    /// The newest epoch whose first policy came in force while the log was not shown, which has to be shown since; 0: none did.
    pub(super) unshown: i64,
}

/// What is shown, in relation to what was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes on from it, or is the same.
    On(Floor),
    /// It is the beginning of it: what was seen stays.
    Beginning,
}

/// What is wrong with what is shown.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is no text.
    #[error("the checkpoint of the audit log is no text")]
    Unreadable,
    /// No key verifies it that this node may believe.
    #[error("{why}; the audit log is held to {seen}")]
    Unbelieved {
        /// Why not.
        why: CheckpointError,
        /// What was seen.
        seen: String,
    },
    /// None of the keys that came with the first one verifies it.
    #[error("no key that came with the first checkpoint of the audit log verifies it")]
    Keyless,
    /// It is smaller, and not the beginning.
    #[error("the audit log was rolled back: it is {shown}, which is not shown to be the beginning of {seen}")]
    RolledBack {
        /// What is shown.
        shown: String,
        /// What was seen.
        seen: String,
    },
    /// It is another one of the same size.
    #[error("the audit log is another one here: it is {shown}, and was {seen}")]
    Split {
        /// What is shown.
        shown: String,
        /// What was seen.
        seen: String,
    },
    /// It is larger, and does not go on from it.
    #[error("the audit log was rewritten: it is {shown}, which is not shown to go on from {seen}")]
    Rewritten {
        /// What is shown.
        shown: String,
        /// What was seen.
        seen: String,
    },
    /// The control plane says so itself.
    #[error("the control plane says of itself: {0}")]
    Admitted(String),
}

impl Floor {
    /// What is shown first is believed, and so is the key it names.
    pub(super) fn first(shown: &AuditCheckpoint, epoch: i64) -> Result<Self, Wrong> {
        let note = text(shown)?;
        let keys = shown.keys.iter().filter_map(|key| key.parse::<VerifierKey>().ok());
        let believed = |key: VerifierKey| {
            let seen = Checkpoint::verified(note, &key).ok()?;
            let key = Checkpoint::newest_key(note, &key).ok()?.unwrap_or(key);
            Some(Self { key, seen, note: note.to_owned(), epoch, unshown: 0 })
        };
        keys.into_iter().find_map(believed).ok_or(Wrong::Keyless)
    }

    /// Holds what is shown to what was seen, while a policy of an epoch is in force.
    pub(super) fn step(&self, shown: &AuditCheckpoint, epoch: i64) -> Result<Step, Wrong> {
        let note = text(shown)?;
        let unbelieved = |why| Wrong::Unbelieved { why, seen: words(&self.seen) };
        let now = Checkpoint::verified(note, &self.key).map_err(unbelieved)?;
        let proof = hashes(&shown.proof).unwrap_or_default();
        let place = |at: &Checkpoint| (at.size, at.root);
        let ((before, old), (size, new)) = (place(&self.seen), place(&now));
        let told = || (words(&now), words(&self.seen));
        if size < before {
            let (shown, seen) = told();
            let is_beginning = tree::extends((size, &new), (before, &old), &proof);
            return if is_beginning { Ok(Step::Beginning) } else { Err(Wrong::RolledBack { shown, seen }) };
        }
        if !tree::extends((before, &old), (size, &new), &proof) {
            let (shown, seen) = told();
            return Err(match size == before {
                true => Wrong::Split { shown, seen },
                false => Wrong::Rewritten { shown, seen },
            });
        }
        let key = Checkpoint::newest_key(note, &self.key).map_err(unbelieved)?;
        let key = key.unwrap_or_else(|| self.key.clone());
        let epoch = self.epoch.max(epoch);
        Ok(Step::On(Self { key, seen: now, note: note.to_owned(), epoch, unshown: 0 }))
    }

    /// What it says of itself.
    pub(super) fn words(&self) -> String {
        words(&self.seen)
    }
}

fn text(shown: &AuditCheckpoint) -> Result<&str, Wrong> {
    std::str::from_utf8(&shown.note).map_err(|_| Wrong::Unreadable)
}

fn words(at: &Checkpoint) -> String {
    format!("{} events, root {}", at.size, STANDARD.encode(at.root))
}

/// Hashes one after the other; `None` where the last is cut.
fn hashes(proof: &[u8]) -> Option<Vec<Hash>> {
    let (whole, rest) = proof.as_chunks();
    rest.is_empty().then(|| whole.to_vec())
}
