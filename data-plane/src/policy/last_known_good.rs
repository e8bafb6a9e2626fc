//! The last policies that were enforced, on disk, so that a node starts without the control plane.
//!
//! Law: a file counts only if every byte of it is what was written; whoever reads one verifies it like a message from the wire.
//! Absent on purpose: opened secrets; what is kept of them is sealed to this node's key.

use std::path::{Path, PathBuf};
use std::{fs, io};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Buf, Bytes};
use prost::Message;

use super::disk::{self, Staged};
use crate::private;

/// The first bytes of a file, with the version of its form.
const MAGIC: &[u8; 8] = b"CHYLKG1\n";

/// Bytes of the digest at the end.
const SEAL: usize = 32;

/// The directory of the kept policies.
#[derive(Debug, Clone)]
pub(crate) struct LastKnownGood {
    directory: PathBuf,
}

/// One kept policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// The encoded envelope.
    pub(crate) envelope: Bytes,
    /// The encoded contents.
    pub(crate) contents: Bytes,
    /// The encoded sealed secrets that went with it.
    pub(crate) secrets: Bytes,
}

impl LastKnownGood {
    /// Policies kept in this directory, which is made when the first is.
    pub(crate) fn at(directory: &Path) -> Self {
        if directory.is_dir()
            && let Err(error) = private::own_dir(directory)
        {
            tracing::warn!(path = %directory.display(), %error, "the kept policies can't be closed to others");
        }
        Self { directory: directory.to_owned() }
    }

    fn current(&self) -> PathBuf {
        self.directory.join("policy.current")
    }

    fn previous(&self) -> PathBuf {
        self.directory.join("policy.previous")
    }

    /// Keeps a policy; what was kept before becomes the previous one. At every moment one of the two is whole.
    pub(crate) fn keep(&self, kept: &Kept) -> io::Result<()> {
        let current = self.current();
        let staged = stage(&current, kept)?;
        renamed(fs::rename(&current, self.previous()))?;
        staged.put()
    }

    /// Puts new secrets beside the policy that is kept; nothing where none is.
    pub(crate) fn renew(&self, secrets: Bytes) -> io::Result<()> {
        match read(&self.current()) {
            Some(kept) => stage(&self.current(), &Kept { secrets, ..kept })?.put(),
            None => Ok(()),
        }
    }

    /// The kept policies that are whole, newest first. One that is not is set aside, so that it never takes the place of
    /// the one before it.
    pub(crate) fn load(&self) -> Vec<Kept> {
        let (current, previous) = (self.current(), self.previous());
        let newest = read(&current);
        if newest.is_none()
            && let Err(error) = renamed(fs::rename(&current, self.directory.join("policy.unsound")))
        {
            tracing::warn!(path = %current.display(), %error, "a kept policy can't be set aside");
        }
        newest.into_iter().chain(read(&previous)).collect()
    }
}

fn stage<'a>(path: &'a Path, kept: &Kept) -> io::Result<Staged<'a>> {
    let parts = [&kept.envelope, &kept.contents, &kept.secrets];
    let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
    let mut written: Vec<&[u8]> = vec![MAGIC];
    for (length, part) in lengths.iter().zip(parts) {
        written.extend([length.as_slice(), part.as_ref()]);
    }
    let mut seal = Context::new(&SHA256);
    written.iter().for_each(|part| seal.update(part));
    let seal = seal.finish();
    written.push(seal.as_ref());
    disk::stage(path, &written)
}

/// A file that is not there needs no new name.
fn renamed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read(path: &Path) -> Option<Kept> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "a kept policy can't be read");
            }
            return None;
        }
    };
    let kept = parse(bytes);
    if kept.is_none() {
        tracing::error!(path = %path.display(), "a kept policy was changed or cut and is not used");
    }
    kept
}

fn parse(bytes: Bytes) -> Option<Kept> {
    let body = bytes.slice(..bytes.len().checked_sub(SEAL)?);
    let mut seal = Context::new(&SHA256);
    seal.update(&body);
    if seal.finish().as_ref() != bytes.get(body.len()..)? {
        return None;
    }
    let mut rest = body;
    if rest.get(..MAGIC.len())? != MAGIC {
        return None;
    }
    rest.advance(MAGIC.len());
    let mut next = || {
        let length = usize::try_from(rest.try_get_u64().ok()?).ok()?;
        (length <= rest.len()).then(|| rest.split_to(length))
    };
    let (envelope, contents, secrets) = (next()?, next()?, next()?);
    proto::sync::Envelope::decode(envelope.clone()).ok()?;
    Some(Kept { envelope, contents, secrets })
}

#[cfg(test)]
mod tests;
