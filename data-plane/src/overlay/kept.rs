//! The newest statements on disk, so that a restart lifts nothing.
//!
//! Law: what is kept is what was received and verified, byte for byte; it is verified again when it is read. A file that can't be
//! read, does not verify or is not for here is never taken for an empty one. Where denials of earlier epochs hold on, the statements
//! they follow from are kept too, in the order they came in. What the disk did not take waits, in its order, until it does: the
//! control plane says it once. Deliberately absent: signatures (the caller verifies).

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message as _;
use proto::sync::{KillSet, RevocationSet, Statement};

use super::{Overlay, Taken, Trace, Unknown};
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

/// What a file of earlier statements ends with, and how long they are; of a file that is not there, nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traced {
    /// Epoch and seq of its last statement.
    pub(crate) place: (i64, u64),
    /// The bytes of its statements.
    pub(crate) bytes: u64,
    /// SHA-256 of the file; zeros where nothing is in it.
    pub(crate) digest: [u8; 32],
}

/// Where statements are kept.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    dir: Option<PathBuf>,
    waiting: Arc<Waiting>,
}

/// What holds and is not on the disk yet.
#[derive(Debug, Default)]
struct Waiting {
    revocations: Line,
    kills: Line,
}

/// Statements of one sort, in the order they came in.
#[derive(Debug, Default)]
struct Line {
    /// Whether there are any, for who only asks that.
    any: AtomicBool,
    /// Each with what it leaves of earlier epochs. Held while they are written, so that they are written in their order.
    statements: Mutex<VecDeque<(Bytes, Trace)>>,
}

impl Said {
    fn file(self) -> &'static str {
        match self {
            Self::Revocations => "revocations",
            Self::Kills => "kills",
        }
    }

    /// The statements that denials of earlier epochs follow from.
    fn earlier(self) -> &'static str {
        match self {
            Self::Revocations => "revocations-earlier",
            Self::Kills => "kills-earlier",
        }
    }
}

impl Waiting {
    fn of(&self, said: Said) -> &Line {
        match said {
            Said::Revocations => &self.revocations,
            Said::Kills => &self.kills,
        }
    }
}

impl Statements {
    /// In a directory, which need not be there yet.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: Some(dir.to_owned()), waiting: Arc::default() }
    }

    /// Nowhere.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        Self { dir: None, waiting: Arc::default() }
    }

    /// The encoded statement that is kept; `None` where none ever was.
    pub(crate) fn kept(&self, said: Said) -> io::Result<Option<Bytes>> {
        let Some(dir) = &self.dir else { return Ok(None) };
        read(&dir.join(said.file()))
    }

    /// The encoded statements that denials of earlier epochs follow from, in the order they came in.
    fn earlier(&self, said: Said) -> io::Result<Vec<Bytes>> {
        statements(self.earlier_file(said)?)
    }

    /// All of the file that they are in.
    fn earlier_file(&self, said: Said) -> io::Result<Bytes> {
        let Some(dir) = &self.dir else { return Ok(Bytes::new()) };
        Ok(read(&dir.join(said.earlier()))?.unwrap_or_default())
    }

    /// What is on the disk of the statements that denials of earlier epochs follow from.
    pub(crate) fn traced(&self, said: Said) -> io::Result<Traced> {
        let whole = self.earlier_file(said)?;
        if whole.is_empty() {
            return Ok(Traced::default());
        }
        let sha256 = digest(&SHA256, &whole);
        let sha256 = sha256.as_ref().first_chunk().copied().unwrap_or_default();
        let mut traced = Traced { digest: sha256, ..Traced::default() };
        for encoded in statements(whole)? {
            traced.bytes = traced.bytes.saturating_add(u64::try_from(encoded.len()).unwrap_or(u64::MAX));
            let body = Statement::decode(encoded)?.body;
            traced.place = match said {
                Said::Revocations => RevocationSet::decode(body).map(|set| (set.epoch, set.seq)),
                Said::Kills => KillSet::decode(body).map(|set| (set.epoch, set.seq)),
            }?;
        }
        Ok(traced)
    }

    /// Keeps an encoded statement in place of the one before, and what it leaves of earlier epochs; blocks until it is on the disk.
    /// What can't be kept waits for [`Statements::save`].
    pub(crate) fn keep(&self, said: Said, statement: &[u8], trace: Trace) -> io::Result<()> {
        let line = self.waiting.of(said);
        let mut statements = line.statements.lock();
        // What comes after says as much, unless denials of earlier epochs follow from what was before.
        let said_by =
            |before: Trace| trace == Trace::Nothing || (before, trace) == (Trace::AsItWas, Trace::AsItWas);
        while statements.back().is_some_and(|(_, before)| said_by(*before)) {
            statements.pop_back();
        }
        statements.push_back((Bytes::copy_from_slice(statement), trace));
        line.any.store(true, Ordering::Release);
        self.write_all(said, &mut statements)
    }

    /// Whether all that holds is on the disk.
    pub(crate) fn are_saved(&self) -> bool {
        [&self.waiting.revocations, &self.waiting.kills].iter().all(|line| !line.any.load(Ordering::Acquire))
    }

    /// Writes what waits, if anything does; blocks until it is on the disk.
    pub(crate) fn save(&self) -> io::Result<()> {
        let save = |said: Said| self.write_all(said, &mut self.waiting.of(said).statements.lock());
        let (revocations, kills) = (save(Said::Revocations), save(Said::Kills));
        revocations.and(kills)
    }

    /// Writes statements in their order, as far as the disk takes them.
    fn write_all(&self, said: Said, statements: &mut VecDeque<(Bytes, Trace)>) -> io::Result<()> {
        while let Some((statement, trace)) = statements.front() {
            self.write(said, statement, *trace)?;
            statements.pop_front();
        }
        self.waiting.of(said).any.store(false, Ordering::Release);
        Ok(())
    }

    fn write(&self, said: Said, statement: &Bytes, trace: Trace) -> io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let (file, earlier) = (dir.join(said.file()), dir.join(said.earlier()));
        let before = if trace == Trace::Both { self.kept(said)? } else { None };
        if matches!(trace, Trace::Both | Trace::This) {
            let mut all = read(&earlier)?.map(Vec::from).unwrap_or_default();
            let mut more = Vec::new();
            for one in before.iter().chain([statement]) {
                prost::encode_length_delimiter(one.len(), &mut more)?;
                more.extend(one);
            }
            // An attempt before this one may have come as far as here.
            if !all.ends_with(&more) {
                all.extend(more);
            }
            disk::replace(&earlier, &[&all])?;
        }
        disk::replace(&file, &[statement])?;
        match trace {
            Trace::Nothing => gone(fs::remove_file(&earlier)),
            Trace::AsItWas | Trace::Both | Trace::This => Ok(()),
        }
    }
}

/// The statements of a file, each with its length before it.
fn statements(mut rest: Bytes) -> io::Result<Vec<Bytes>> {
    let torn = || io::Error::new(io::ErrorKind::InvalidData, "it ends within a statement");
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest)?;
        if length > rest.len() {
            return Err(torn());
        }
        found.push(rest.split_to(length));
    }
    Ok(found)
}

/// What a file holds; `None` where there is none.
fn read(path: &Path) -> io::Result<Option<Bytes>> {
    Ok(disk::read(path, MOST)?.map(Bytes::from))
}

/// A file that was not there is gone too.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl Overlay {
    /// Takes over what is on disk, before any request is served. `verify` gives the body of an encoded statement that is the control
    /// plane's. A file that can't be used is told in the log, and the overlay is unknown until the control plane is heard; what can
    /// be used of it holds.
    pub(crate) fn restore(&self, verify: impl Fn(Said, Bytes) -> Result<Bytes, String>) {
        let take = |said: Said, statement: Bytes| {
            let body = verify(said, statement)?;
            let taken = match said {
                Said::Revocations => RevocationSet::decode(body).map(|set| self.revoke(&set)),
                Said::Kills => KillSet::decode(body).map(|set| self.kill(&set)),
            };
            match taken.map_err(|error| error.to_string())? {
                Taken::Elsewhere => Err(ELSEWHERE.to_owned()),
                Taken::Now(_) | Taken::Known | Taken::Older => Ok(()),
            }
        };
        let told = |error: io::Error| error.to_string();
        let all = |said: Said| {
            let earlier = self
                .statements
                .earlier(said)
                .map_err(told)
                .and_then(|kept| kept.into_iter().try_for_each(|statement| take(said, statement)));
            let newest = self.statements.kept(said).map_err(told);
            let newest = newest.and_then(|kept| kept.map_or(Ok(()), |statement| take(said, statement)));
            [(said.earlier(), earlier), (said.file(), newest)]
                .into_iter()
                .fold(false, |unknown, (file, restored)| unusable(file, restored) || unknown)
        };
        let unknown = Unknown { revocations: all(Said::Revocations), kills: all(Said::Kills) };
        if unknown != Unknown::default() {
            self.change(|now| {
                now.unknown = unknown;
                true
            });
        }
    }
}

const ELSEWHERE: &str = "it is not for this node's geo";

fn unusable(file: &str, restored: Result<(), String>) -> bool {
    let Err(error) = restored else { return false };
    tracing::error!(
        file,
        error,
        "what was taken back or switched off can't be known: no request is served before the control plane is heard"
    );
    true
}
