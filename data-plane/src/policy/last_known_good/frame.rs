//! Frames of a kept file, and what they make of each other.
//!
//! Law: a frame is its parts, each with its length before it, and the SHA-256 of all that; reading ends at the first that is not
//! whole. What a file says of its lengths is held to what there is of it before a byte of that is read, and a file that is longer than
//! any that is written is not read at all. What the frames make together is verified by whoever takes it, by the envelope of the last.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use prost::Message;
use proto::sync::{Resource, SnapshotContents};

use super::super::disk;
use super::super::verify::Offer;
use proto::manifest::MAX_BYTES;

/// The first bytes of a frame, with the version of its form.
const MAGIC: &[u8; 8] = b"CHYLKG2\n";

/// Bytes of the digest at the end.
const SEAL: usize = 32;

/// The most bytes of a file: the largest snapshot, changes that weigh as much, and what goes beside them.
pub(super) const MOST: u64 = 2 * MAX_BYTES + (64 << 20);

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
}

/// What is left of a file.
struct Rest<R> {
    source: R,
    /// Bytes that are there and were not read.
    left: u64,
    /// Of the frame that is being read.
    seen: Context,
}

impl<R: Read> Rest<R> {
    fn new(source: R, left: u64) -> Self {
        Self { source, left, seen: Context::new(&SHA256) }
    }

    /// The next frame; `None` where it is not whole.
    fn frame(&mut self) -> Option<Frame> {
        self.seen = Context::new(&SHA256);
        if self.take(MAGIC.len() as u64)? != MAGIC.as_slice() {
            return None;
        }
        let [envelope, signature, signer] = [self.part()?, self.part()?, self.part()?];
        let [base, contents, secrets] = [self.part()?, self.part()?, self.part()?];
        let seal = self.seen.clone().finish();
        if self.take(SEAL as u64)? != seal.as_ref() {
            return None;
        }
        Some(Frame { offer: Offer { envelope, signature, signer, base, contents }, secrets })
    }

    /// The next part, with its length before it.
    fn part(&mut self) -> Option<Bytes> {
        let length = self.take(8)?;
        self.take(u64::from_be_bytes(*length.first_chunk()?))
    }

    /// The next bytes, if they are there.
    fn take(&mut self, length: u64) -> Option<Bytes> {
        let left = self.left.checked_sub(length)?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        self.source.by_ref().take(length).read_to_end(&mut bytes).ok()?;
        self.seen.update(&bytes);
        self.left = left;
        (bytes.len() as u64 == length).then(|| bytes.into())
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
    let opened = open(path).inspect_err(|error| {
        tracing::error!(path = %path.display(), %error, "a kept policy can't be read");
    });
    let (file, length) = opened.ok().flatten()?;
    let (frames, whole) = whole_frames(BufReader::new(file), length);
    let (bytes, is_torn) = (length - whole, whole < length);
    if is_torn {
        tracing::error!(path = %path.display(), whole = frames.len(), bytes,
            "a kept policy was changed or cut, and what comes after is not used");
    }
    let begins =
        frames.first().is_some_and(|frame| !frame.offer.envelope.is_empty() && frame.offer.base.is_empty());
    let file = path.extension().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    begins.then_some(Journal { file, frames, is_torn })
}

/// The file and its length; an error where it is longer than any that is written.
fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let Some(file) = disk::open(path)? else { return Ok(None) };
    let length = file.metadata()?.len();
    match length <= MOST {
        true => Ok(Some((file, length))),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("its {length} bytes are more than {MOST}"),
        )),
    }
}

/// The frames that are whole, and the bytes they take.
pub(super) fn whole_frames(source: impl Read, length: u64) -> (Vec<Frame>, u64) {
    let mut rest = Rest::new(source, length);
    let (mut frames, mut whole) = (Vec::new(), 0);
    while rest.left > 0
        && let Some(frame) = rest.frame()
    {
        frames.push(frame);
        whole = length - rest.left;
    }
    (frames, whole)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    context.finish().as_ref().to_vec()
}
