//! What this node enforced lately, and how that went: on disk, so that the next process knows.
//!
//! Law: a kept policy counts only if it was enforced here lately, so that an old file that was copied back is not. A version
//! that was being taken over when the process ended, twice, is not tried a third time by the same build: what crashed one
//! process crashes the next. A process that is told to end, or that has served for a minute, shows that it was not the policy.
//!
//! | the last process | attempts | at the next start |
//! |---|---|---|
//! | served for a minute, or was told to end | 0 | it is taken over |
//! | ended while it was taken over or soon after | 1 | it is taken over |
//! | did so again | 2 | it is refused, `CRASH_LOOP` |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use parking_lot::Mutex;

use super::disk;
use super::state::Version;

/// Versions that are remembered: those of the kept files, and a few more for the parts of a file.
const REMEMBERED: usize = 64;

/// Ends without a word after which a version is not tried again.
const TRIES: u32 = 2;

/// What this node enforced lately, the newest last.
#[derive(Debug)]
pub(crate) struct Enforced {
    path: PathBuf,
    build: String,
    versions: Mutex<Vec<Entry>>,
    /// Digests that this process has begun with and not shown yet that it can live with: however often it goes back to one, it
    /// counts as one process.
    tried: Mutex<BTreeSet<[u8; 32]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    version: Version,
    /// How often a process of `build` began with it and has not shown yet that it can live with it.
    attempts: u32,
    build: String,
}

/// A version that is being taken over.
#[derive(Debug)]
pub(crate) struct Begun {
    version: Version,
    before: Option<Entry>,
    /// This process had not begun with its digest before.
    first: bool,
}

impl Enforced {
    /// What the file in a directory says; one that can't be read says nothing.
    pub(crate) fn open(directory: &Path, build: &str) -> Self {
        let path = directory.join("enforced");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::error!(path = %path.display(), %error, "what was enforced before can't be read");
            }
            String::new()
        });
        let versions = Mutex::new(text.lines().filter_map(parse).collect());
        Self { path, build: build.to_owned(), versions, tried: Mutex::default() }
    }

    /// Whether it was enforced here lately; of a directory that remembers nothing, anything may have been.
    pub(crate) fn knows(&self, version: &Version) -> bool {
        let versions = self.versions.lock();
        versions.is_empty() || versions.iter().any(|entry| entry.version == *version)
    }

    /// Whether taking it over ended the process too often; of what this process has outlived so far, it did not.
    pub(crate) fn crash_looped(&self, version: &Version) -> bool {
        if self.tried.lock().contains(&version.digest) {
            return false;
        }
        let same = |entry: &&Entry| entry.version.digest == version.digest && entry.build == self.build;
        self.versions.lock().iter().filter(same).any(|entry| entry.attempts >= TRIES)
    }

    /// It is about to be taken over; what it was before is given back, for the case that this fails.
    pub(crate) fn begin(&self, version: &Version) -> Begun {
        let mut versions = self.versions.lock();
        let same = versions.iter().filter(|e| e.version.digest == version.digest && e.build == self.build);
        let first = self.tried.lock().insert(version.digest);
        let attempts = same.map(|entry| entry.attempts).max().unwrap_or(0).saturating_add(u32::from(first));
        let before = versions.iter().position(|entry| entry.version == *version);
        let before = before.map(|at| versions.remove(at));
        versions.push(Entry { version: version.clone(), attempts, build: self.build.clone() });
        let surplus = versions.len().saturating_sub(REMEMBERED);
        versions.drain(..surplus);
        self.remember(&versions);
        Begun { version: version.clone(), before, first }
    }

    /// Taking it over failed without ending the process: that counts for nothing.
    pub(crate) fn failed(&self, begun: Begun) {
        if begun.first {
            self.tried.lock().remove(&begun.version.digest);
        }
        let mut versions = self.versions.lock();
        versions.retain(|entry| entry.version != begun.version);
        versions.extend(begun.before);
        self.remember(&versions);
    }

    /// The process lives with what it enforces.
    pub(crate) fn lives(&self) {
        let mut versions = self.versions.lock();
        let tried = std::mem::take(&mut *self.tried.lock());
        let lived = |e: &&mut Entry| {
            let own = e.build == self.build && tried.contains(&e.version.digest);
            e.attempts > 0 && (own || e.attempts < TRIES)
        };
        let mut lived: Vec<_> = versions.iter_mut().filter(lived).collect();
        if !lived.is_empty() {
            lived.iter_mut().for_each(|entry| entry.attempts = 0);
            self.remember(&versions);
        }
    }

    /// Makes sure that a machine that ends remembers it too.
    pub(crate) fn flush(&self) -> io::Result<()> {
        disk::replace(&self.path, &[text(&self.versions.lock()).as_bytes()])
    }

    /// Not flushed to the disk: it tells of processes that end, not of machines that do.
    fn remember(&self, versions: &[Entry]) {
        if let Err(error) = disk::replace_unflushed(&self.path, text(versions).as_bytes()) {
            tracing::error!(path = %self.path.display(), %error, "what is enforced can't be remembered over a restart");
        }
    }
}

fn text(versions: &[Entry]) -> String {
    versions.iter().map(line).collect()
}

fn line(entry: &Entry) -> String {
    let Version { epoch, revision, digest } = &entry.version;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{epoch} {revision} {hex} {} {}\n", entry.attempts, entry.build)
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let (epoch, revision) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let hex = words.next().filter(|hex| hex.len() == 64 && hex.is_ascii())?;
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let (attempts, build) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    Some(Entry { version: Version { epoch, revision, digest }, attempts, build })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(revision: i64) -> Version {
        Version { epoch: 1, revision, digest: [u8::try_from(revision).unwrap(); 32] }
    }

    #[test]
    fn case_08_a_version_that_ended_two_processes_is_not_tried_a_third_time_by_the_same_build() {
        let home = tempfile::tempdir().unwrap();
        let open = |build: &str| Enforced::open(home.path(), build);
        let first = open("1.0");
        first.begin(&version(1));
        first.lives();
        first.begin(&version(2));
        drop(first);
        let second = open("1.0");
        assert!(second.knows(&version(1)) && second.knows(&version(2)) && !second.knows(&version(3)));
        assert!(!second.crash_looped(&version(2)));
        second.begin(&version(2));
        drop(second);
        let third = open("1.0");
        assert!(third.crash_looped(&version(2)) && !third.crash_looped(&version(1)));
        // Living with another version does not clear it.
        third.begin(&version(1));
        third.lives();
        assert!(open("1.0").crash_looped(&version(2)));
        // Another build may well live with it.
        let other = open("1.1");
        assert!(!other.crash_looped(&version(2)));
        other.begin(&version(2));
        assert!(!open("1.1").crash_looped(&version(2)));
    }

    #[test]
    fn a_process_that_goes_back_to_a_policy_counts_once_and_one_that_lives_clears_it() {
        let home = tempfile::tempdir().unwrap();
        let open = || Enforced::open(home.path(), "1");
        let [one, other] = [version(1), version(2)];
        let first = open();
        // Back and forth, as a rollout that is taken back and tried again does, without an end.
        for revision in 3..9 {
            for version in [&one, &other] {
                assert!(!first.crash_looped(version));
                first.begin(&Version { revision, ..version.clone() });
            }
        }
        drop(first);
        // It ended once: the second process takes it over, and lives.
        let second = open();
        assert!(!second.crash_looped(&one) && !second.crash_looped(&other));
        second.begin(&one);
        assert!(!second.crash_looped(&one), "it is still there");
        second.lives();
        drop(second);
        assert!(!open().crash_looped(&one), "the last process served for a minute");
    }

    #[test]
    fn what_failed_without_an_end_counts_for_nothing_and_rubbish_says_nothing() {
        let home = tempfile::tempdir().unwrap();
        let enforced = Enforced::open(home.path(), "1");
        for _ in 0..5 {
            enforced.failed(enforced.begin(&version(1)));
        }
        assert!(!enforced.crash_looped(&version(1)));
        // What was enforced before stays known when it is offered again and fails.
        enforced.begin(&version(2));
        enforced.failed(enforced.begin(&version(2)));
        let again = Version { revision: 3, ..version(2) };
        enforced.failed(enforced.begin(&again));
        assert!(enforced.knows(&version(2)) && !enforced.knows(&again));
        for revision in 0..100 {
            enforced.begin(&version(revision));
        }
        assert!(!enforced.knows(&version(0)) && enforced.knows(&version(99)));
        fs::write(home.path().join("enforced"), b"\xFF 1 2\n1 2 3\n1 2 zz 0 b\n").unwrap();
        let nothing = Enforced::open(home.path(), "1");
        assert!(nothing.knows(&version(99)) && !nothing.crash_looped(&version(99)));
    }
}
