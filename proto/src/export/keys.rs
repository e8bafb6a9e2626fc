//! A file of verifier keys, as somebody keeps it apart from what the keys verify.
//!
//! Law: a line that is neither a key, a comment nor empty is a fault: who keeps keys shall not lose one by a slip.

use super::fault::Kind;
use super::known::Known;
use crate::checkpoint::{Checkpoint, CheckpointError, VerifierKey};

/// Bytes of a file of keys at most.
const MOST: usize = 1 << 20;

/// Verifier keys, of one log or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<VerifierKey>);

/// What an export is held against.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The keys of its log, kept apart from it.
    pub keys: &'a Keys,
    /// A checkpoint of its log that was kept before, and verified by these keys.
    pub earlier: Option<&'a Checkpoint>,
    /// What is known of its events from an export that was kept before, and verified.
    pub known: Option<&'a Known>,
}

/// Why a text is no file of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It has none.
    #[error("there is no key in it")]
    Empty,
    /// It is too large to be one.
    #[error("it is too large to be a file of keys")]
    TooLarge,
    /// A line is none.
    #[error("line {line}: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// Why.
        why: CheckpointError,
    },
}

/// Why a checkpoint is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is none, or a signature that says that it is of a key is not.
    #[error(transparent)]
    Wrong(CheckpointError),
    /// It is of a log the keys know, but signed by none of them.
    #[error("the checkpoint is signed by none of the keys of `{0}` that were given")]
    Unknown(String),
    /// None of the keys is of its log.
    #[error("it is of the log `{origin}`, the keys are of {known}")]
    Foreign {
        /// Its log.
        origin: String,
        /// Theirs.
        known: String,
    },
}

impl Keys {
    /// Reads a file: a key a line, as [`VerifierKey`] spells one; empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// It has no key, or a line that is none.
    pub fn read(text: &str) -> Result<Self, KeysError> {
        if text.len() > MOST {
            return Err(KeysError::TooLarge);
        }
        let mut keys = Vec::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if !text.is_empty() && !text.starts_with('#') {
                keys.push(text.parse().map_err(|why| KeysError::Line { line, why })?);
            }
        }
        if keys.is_empty() { Err(KeysError::Empty) } else { Ok(Self(keys)) }
    }

    /// Reads a signed checkpoint, and says by which keys it is signed.
    ///
    /// # Errors
    /// It is not one, not signed by any of the keys, or any signature that says that it is of one of them is not.
    pub fn verify(&self, note: &str) -> Result<(Checkpoint, Vec<&VerifierKey>), Untrusted> {
        let claimed = Checkpoint::claimed(note).map_err(Untrusted::Wrong)?;
        let of_log: Vec<_> = self.0.iter().filter(|key| key.name() == claimed.origin).collect();
        if of_log.is_empty() {
            let mut known: Vec<_> = self.0.iter().map(|key| format!("`{}`", key.name())).collect();
            known.dedup();
            return Err(Untrusted::Foreign { origin: claimed.origin, known: known.join(", ") });
        }
        let mut by = Vec::new();
        for key in of_log {
            match Checkpoint::verified(note, key) {
                Ok(_) => by.push(key),
                Err(CheckpointError::Unsigned(_)) => {}
                Err(error) => return Err(Untrusted::Wrong(error)),
            }
        }
        if by.is_empty() { Err(Untrusted::Unknown(claimed.origin)) } else { Ok((claimed, by)) }
    }
}

impl Untrusted {
    /// What is wrong with an export whose checkpoint this is.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Wrong(_) => Kind::Signature,
            Self::Unknown(_) => Kind::UnknownKey,
            Self::Foreign { .. } => Kind::Foreign,
        }
    }
}
