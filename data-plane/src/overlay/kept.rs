//! The newest statements on disk, so that a restart lifts nothing.
//!
//! Law: what is kept is what was received and verified, byte for byte; it is verified again when it is read. A file that can't be
//! read, does not verify or is not for here is never taken for an empty one. Deliberately absent: signatures (the caller verifies).

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message as _;
use proto::sync::{KillSet, RevocationSet};

use super::{Overlay, Unknown};
use crate::policy::disk;

/// The most of a statement that is read, in bytes: far above what is sent.
const MOST: u64 = 8 << 20;

/// Which of the two statements is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// What was taken back.
    Revocations,
    /// What is switched off.
    Kills,
}

/// Where statements are kept.
#[derive(Debug, Clone)]
pub(crate) struct Statements(Option<PathBuf>);

impl Said {
    fn file(self) -> &'static str {
        match self {
            Self::Revocations => "revocations",
            Self::Kills => "kills",
        }
    }
}

impl Statements {
    /// In a directory, which need not be there yet.
    pub(crate) fn at(dir: &Path) -> Self {
        Self(Some(dir.to_owned()))
    }

    /// Nowhere.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        Self(None)
    }

    /// The encoded statement that is kept; `None` where none ever was.
    pub(crate) fn kept(&self, said: Said) -> io::Result<Option<Bytes>> {
        let Some(dir) = &self.0 else { return Ok(None) };
        let file = match fs::File::open(dir.join(said.file())) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than a statement can be"));
        }
        Ok(Some(bytes.into()))
    }

    /// Keeps an encoded statement in place of the one before; blocks until it is on the disk.
    pub(crate) fn keep(&self, said: Said, statement: &[u8]) -> io::Result<()> {
        match &self.0 {
            Some(dir) => disk::replace(&dir.join(said.file()), &[statement]),
            None => Ok(()),
        }
    }
}

impl Overlay {
    /// Takes over what is on disk, before any request is served. `verify` gives the body of an encoded statement that is the control
    /// plane's. A file that can't be used is told in the log, and the overlay is unknown until the control plane is heard.
    pub(crate) fn restore(&self, verify: impl Fn(Said, Bytes) -> Result<Bytes, String>) {
        let body = |said: Said| -> Result<Option<Bytes>, String> {
            let kept = self.statements.kept(said).map_err(|error| error.to_string())?;
            kept.map(|statement| verify(said, statement)).transpose()
        };
        let revocations = body(Said::Revocations).and_then(|body| self.restore_revocations(body));
        let kills = body(Said::Kills).and_then(|body| self.restore_kills(body));
        let unknown = Unknown {
            revocations: unusable(Said::Revocations, revocations),
            kills: unusable(Said::Kills, kills),
        };
        if unknown != Unknown::default() {
            self.change(|now| {
                now.unknown = unknown;
                true
            });
        }
    }

    fn restore_revocations(&self, body: Option<Bytes>) -> Result<(), String> {
        let Some(body) = body else { return Ok(()) };
        let set = RevocationSet::decode(body).map_err(|error| error.to_string())?;
        if self.revoke(&set) { Ok(()) } else { Err(ELSEWHERE.to_owned()) }
    }

    fn restore_kills(&self, body: Option<Bytes>) -> Result<(), String> {
        let Some(body) = body else { return Ok(()) };
        let set = KillSet::decode(body).map_err(|error| error.to_string())?;
        if self.kill(&set) { Ok(()) } else { Err(ELSEWHERE.to_owned()) }
    }
}

const ELSEWHERE: &str = "it is not for this node's geo";

fn unusable(said: Said, restored: Result<(), String>) -> bool {
    let Err(error) = restored else { return false };
    tracing::error!(
        file = said.file(),
        error,
        "what was taken back or switched off can't be known: no request is served before the control plane is heard"
    );
    true
}
