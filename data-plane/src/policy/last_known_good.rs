//! The last policies that were enforced, on disk, so that a node starts without the control plane.
//!
//! Law: a file counts only if every byte of it is what was written; whoever reads one verifies it like a message from the wire.
//! Absent on purpose: opened secrets; what is kept of them is sealed to this node's key.

use std::path::{Path, PathBuf};
use std::{fs, io};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Buf, Bytes};
use prost::Message;

use super::disk;

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
        Self { directory: directory.to_owned() }
    }

    fn current(&self) -> PathBuf {
        self.directory.join("policy.current")
    }

    fn previous(&self) -> PathBuf {
        self.directory.join("policy.previous")
    }

    /// Keeps a policy; what was kept before becomes the previous one.
    pub(crate) fn keep(&self, kept: &Kept) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let mut seal = Context::new(&SHA256);
        let lengths: Vec<[u8; 8]> = [&kept.envelope, &kept.contents, &kept.secrets]
            .iter()
            .map(|p| (p.len() as u64).to_be_bytes())
            .collect();
        let mut parts: Vec<&[u8]> = vec![MAGIC];
        for (length, part) in lengths.iter().zip([&kept.envelope, &kept.contents, &kept.secrets]) {
            parts.push(length);
            parts.push(part);
        }
        parts.iter().for_each(|part| seal.update(part));
        let seal = seal.finish();
        parts.push(seal.as_ref());
        match fs::rename(self.current(), self.previous()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        disk::replace(&self.current(), &parts)
    }

    /// The kept policies that are whole, newest first.
    pub(crate) fn load(&self) -> Vec<Kept> {
        let files = [self.current(), self.previous()];
        files.iter().filter_map(|path| read(path)).collect()
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
mod tests {
    use super::*;

    fn kept(revision: i64) -> Kept {
        let envelope = proto::sync::Envelope { revision, ..Default::default() };
        Kept {
            envelope: envelope.encode_to_vec().into(),
            contents: Bytes::from_static(b"contents"),
            secrets: Bytes::from_static(b"sealed"),
        }
    }

    #[test]
    fn case_03_a_torn_or_flipped_file_is_not_used_and_the_previous_one_is() {
        let home = tempfile::tempdir().unwrap();
        let kept_policies = LastKnownGood::at(home.path());
        assert!(kept_policies.load().is_empty());
        kept_policies.keep(&kept(1)).unwrap();
        kept_policies.keep(&kept(2)).unwrap();
        assert_eq!(kept_policies.load(), [kept(2), kept(1)]);
        let path = home.path().join("policy.current");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(kept_policies.load(), [kept(1)], "byte {at} flipped");
            fs::write(&path, &good[..at]).unwrap();
            assert_eq!(kept_policies.load(), [kept(1)], "cut at {at}");
        }
    }
}
