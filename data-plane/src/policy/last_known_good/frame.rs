//! Frames of a kept file, and what they make of each other.
//!
//! Law: a frame is its parts, each with its length before it, and the SHA-256 of all that; reading ends at the first that is not
//! whole. What the frames make together is verified by whoever takes it, by the envelope of the last.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Buf, Bytes};
use prost::Message;
use proto::sync::{Resource, SnapshotContents};

use super::super::disk;
use super::super::verify::Offer;

/// The first bytes of a frame, with the version of its form.
const MAGIC: &[u8; 8] = b"CHYLKG2\n";

/// Bytes of the digest at the end.
const SEAL: usize = 32;

/// One step of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    /// What was enforced; with an empty envelope nothing new was, and only the secrets are.
    pub(super) offer: Offer,
    /// The encoded sealed secrets that went with it.
    pub(super) secrets: Bytes,
}

/// The frames of a file that are whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Journal {
    /// Its file's name: `current`, `previous` or `proven`.
    file: String,
    frames: Vec<Frame>,
    /// Something is behind the frames that are whole.
    is_torn: bool,
}

impl Frame {
    pub(super) fn encoded(&self) -> Vec<u8> {
        let Offer { envelope, signature, signer, base, contents } = &self.offer;
        let parts = [envelope, signature, signer, base, contents, &self.secrets];
        let mut written = MAGIC.to_vec();
        for part in parts {
            written.extend_from_slice(&(part.len() as u64).to_be_bytes());
            written.extend_from_slice(part);
        }
        let seal = sha256(&written);
        written.extend_from_slice(&seal);
        written
    }

    /// The next frame of a file; `None` at its end and where it is not whole.
    fn next(bytes: &mut Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        if rest.get(..MAGIC.len())? != MAGIC {
            return None;
        }
        rest.advance(MAGIC.len());
        let mut next = || {
            let length = usize::try_from(rest.try_get_u64().ok()?).ok()?;
            (length <= rest.len()).then(|| rest.split_to(length))
        };
        let [envelope, signature, signer] = [next()?, next()?, next()?];
        let [base, contents, secrets] = [next()?, next()?, next()?];
        let written = bytes.slice(..bytes.len().checked_sub(rest.len())?);
        if sha256(&written).as_slice() != rest.get(..SEAL)? {
            return None;
        }
        rest.advance(SEAL);
        *bytes = rest;
        Some(Self { offer: Offer { envelope, signature, signer, base, contents }, secrets })
    }
}

impl Journal {
    /// Its file's name: `current`, `previous` or `proven`.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Whether its end was changed or cut.
    pub(crate) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// How many versions it can give back.
    pub(crate) fn versions(&self) -> usize {
        self.steps().count()
    }

    /// What it ends with, as it came.
    pub(crate) fn tip(&self) -> Option<&Offer> {
        self.steps().last().map(|frame| &frame.offer)
    }

    /// What was enforced `back` versions before its end, whole, and the newest secrets of the file.
    pub(crate) fn version(&self, back: usize) -> Option<(Offer, Bytes)> {
        let last = self.versions().checked_sub(back)?.checked_sub(1)?;
        let mut contents: BTreeMap<(String, String), Resource> = BTreeMap::new();
        let mut end = None;
        for frame in self.steps().take(last + 1) {
            if frame.offer.base.is_empty() {
                contents.clear();
            }
            let step = SnapshotContents::decode(frame.offer.contents.clone()).ok()?;
            step.removed.into_iter().for_each(|gone| drop(contents.remove(&(gone.kind, gone.name))));
            let new = step.resources.into_iter();
            contents.extend(new.map(|resource| ((resource.kind.clone(), resource.name.clone()), resource)));
            end = Some(&frame.offer);
        }
        let resources = contents.into_values().collect();
        let contents = SnapshotContents { resources, removed: Vec::new() }.encode_to_vec().into();
        let offer = Offer { contents, base: Bytes::new(), ..end?.clone() };
        let secrets = self.frames.iter().rev().find(|frame| !frame.secrets.is_empty());
        Some((offer, secrets.map(|frame| frame.secrets.clone()).unwrap_or_default()))
    }

    /// The frames that were something new to enforce.
    fn steps(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.offer.envelope.is_empty())
    }
}

/// The frames of a file; `None` where it has no whole beginning.
pub(super) fn read(path: &Path) -> Option<Journal> {
    let read = disk::read(path, u64::MAX).inspect_err(|error| {
        tracing::error!(path = %path.display(), %error, "a kept policy can't be read");
    });
    let mut rest = Bytes::from(read.ok().flatten()?);
    let mut frames = Vec::new();
    while let Some(frame) = Frame::next(&mut rest) {
        frames.push(frame);
    }
    if !rest.is_empty() {
        tracing::error!(path = %path.display(), whole = frames.len(), bytes = rest.len(),
            "a kept policy was changed or cut, and what comes after is not used");
    }
    let begins =
        frames.first().is_some_and(|frame| !frame.offer.envelope.is_empty() && frame.offer.base.is_empty());
    let file = path.extension().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    begins.then_some(Journal { file, frames, is_torn: !rest.is_empty() })
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    context.finish().as_ref().to_vec()
}
