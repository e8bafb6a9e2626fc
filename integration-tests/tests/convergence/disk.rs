//! What a crash or somebody's hands leave of a node's directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::chance::Chance;

/// Copies of what a node kept, of earlier times.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Vec<Vec<(PathBuf, Vec<u8>)>>);

/// The files of a directory, with what they hold.
fn files(dir: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        found.push((path.clone(), fs::read(path)?));
    }
    found.sort();
    Ok(found)
}

impl Shelf {
    /// Takes a copy.
    pub(crate) fn copy(&mut self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            self.0.push(files(dir)?);
        }
        Ok(())
    }

    /// Damages a directory; false where there was nothing to damage. The number of the newest signer is left alone: a node without
    /// it says so and does not start.
    pub(crate) fn damage(&self, dir: &Path, chance: &mut Chance) -> io::Result<bool> {
        let (how, which, at) = (chance.below(10), chance.below(1 << 16), chance.below(1 << 20));
        if !dir.is_dir() {
            return Ok(false);
        }
        let now: Vec<_> = files(dir)?.into_iter().filter(|(path, _)| !path.ends_with("signer")).collect();
        if now.is_empty() {
            return Ok(false);
        }
        let (path, held) = &now[which % now.len()];
        match how {
            // Torn: what was written last is not there from some byte on.
            0..=3 => fs::write(path, &held[..at % (held.len() + 1)])?,
            // The same of the current policy, which is the one file that grows.
            4..=5 => {
                let current = dir.join("policy.current");
                let Ok(held) = fs::read(&current) else { return Ok(false) };
                fs::write(current, &held[..at % (held.len() + 1)])?;
            }
            // A flipped bit.
            6 => {
                let mut held = held.clone();
                let Some(byte) = at.checked_rem(held.len()) else { return Ok(false) };
                held[byte] ^= 1;
                fs::write(path, held)?;
            }
            // One file, or all, as it was before.
            _ if self.0.is_empty() => return Ok(false),
            7..=8 => {
                let old = &self.0[at % self.0.len()];
                let Some((path, held)) = old.iter().find(|(old, _)| old == path) else { return Ok(false) };
                fs::write(path, held)?;
            }
            _ => {
                now.iter().try_for_each(|(path, _)| fs::remove_file(path))?;
                self.0[at % self.0.len()].iter().try_for_each(|(path, held)| fs::write(path, held))?;
            }
        }
        Ok(true)
    }
}

/// Waits until the last thread of a process that has ended has closed its store; Linux tells which files are open.
pub(crate) fn closed(dir: &Path) -> io::Result<()> {
    for _ in 0..5_000 {
        let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let mut files = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        if !files.any(|file| file.starts_with(dir)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the store is not let go"))
}

/// A store of a control plane that has ended, as one file after another.
pub(crate) fn copy_store(from: &Path, to: &Path) -> io::Result<()> {
    for name in ["store.db", "store.db-wal"] {
        let (from, to) = (from.join(name), to.join(name));
        match from.exists() {
            true => drop(fs::copy(from, to)?),
            false => drop(fs::remove_file(to)),
        }
    }
    let _ = fs::remove_file(to.join("store.db-shm"));
    Ok(())
}
