//! What this node enforced lately, how that went, and what it held: on disk, so that the next process knows.
//!
//! Law: a kept policy counts only if it was enforced here lately, so that an old file that was copied back is not. A policy
//! that processes ended over, twice, is not tried a third time by the same build: what crashed one process crashes the next. An
//! end is over the one policy that was taken over last, be it in force or still being built, and only for a minute: one that
//! another took the place of did not end the process. A process that is told to end shows that it was not the policy, and so does one
//! that serves by it for a minute: whatever ends a process of that build later, somebody who kills it most of all, is no reason to go
//! back to what the policy took the place of. What is older
//! than what was held is told from it too ([`Witness`]). It is on disk before the first policy is: a kept policy without it is one
//! whose `enforced` was removed.
//!
//! | the last process | attempts | at the next start |
//! |---|---|---|
//! | served for a minute by it, now or before | any | it is taken over |
//! | was told to end | 0 | it is taken over |
//! | ended while it was taken over or in the minute after | 1 | it is taken over |
//! | did so again | 2 | it is refused, `CRASH_LOOP` |
//! | served for a minute by another, and was told to end | 1 | it is taken over: who restarts a node that is well may try again |
//! | had nothing else to serve by for a minute | 1 | it is taken over, by that process: there is nothing to lose |

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::disk;
use super::last_known_good::Kept;
use super::state::Version;
use super::witness::{Digest, Witness, digest_of, hex};
use crate::overlay::{Said, Traced};

/// Versions that are remembered: those of the kept files, and a few more for the parts of a file.
const REMEMBERED: usize = 64;

/// The most of the file that is read, in bytes: far above what is written.
const MOST: u64 = 1 << 20;

/// Ends without a word after which a version is not tried again.
const TRIES: u32 = 2;

/// What this node enforced lately.
#[derive(Debug)]
pub(crate) struct Enforced {
    path: PathBuf,
    build: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest last. INVARIANT: those of one digest and build have the same attempts.
    versions: Vec<Entry>,
    /// The digest that an end of this process would be over: it counts as one attempt of it, however often it is begun with.
    suspect: Option<Digest>,
    /// This process has served for a minute by one policy.
    lived: bool,
    witness: Witness,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    version: Version,
    /// How many processes of `build` in a row ended over its digest; the present one counts while that is its suspect.
    attempts: u32,
    build: String,
    /// A process of `build` served by its digest for a minute.
    proven: bool,
}

/// What is there to tell older files by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Nothing, or nothing was and the control plane was not heard since.
    Gone,
    /// What was enforced, as builds wrote it that did not say yet what was held.
    OfVersions,
    /// All of it.
    Whole,
}

/// A version that is being taken over.
#[derive(Debug)]
pub(crate) struct Begun {
    version: Version,
    before: Option<Entry>,
    /// What an end would have been over until then.
    suspect: Option<Digest>,
}

impl Enforced {
    /// What the file in a directory says; one that can't be read says nothing.
    pub(crate) fn open(directory: &Path, build: &str) -> Self {
        let path = directory.join("enforced");
        let read = disk::read_text(&path, MOST).inspect_err(|error| {
            tracing::error!(path = %path.display(), %error, "what was enforced before can't be read");
        });
        let text = read.ok().flatten().unwrap_or_default();
        let mut known = Known { versions: text.lines().filter_map(parse).collect(), ..Known::default() };
        text.lines().for_each(|line| known.witness.read(line));
        Self { path, build: build.to_owned(), known: Mutex::new(known) }
    }

    /// What there is to tell older files by.
    pub(crate) fn memory(&self) -> Memory {
        let known = self.known.lock();
        match (known.versions.is_empty() || known.witness.is_gone(), known.witness.is_empty()) {
            (true, _) => Memory::Gone,
            (false, true) => Memory::OfVersions,
            (false, false) => Memory::Whole,
        }
    }

    /// Nothing was there to tell older files by, or what was held is known again; over restarts too.
    pub(crate) fn set_gone(&self, gone: bool) {
        let mut known = self.known.lock();
        if known.witness.is_gone() != gone {
            known.witness.set_gone(gone);
            drop(known);
            self.witnessed();
        }
    }

    /// Whether it was enforced here lately; of a directory that remembers nothing, anything may have been.
    pub(crate) fn knows(&self, version: &Version) -> bool {
        let versions = &self.known.lock().versions;
        versions.is_empty() || versions.iter().any(|entry| entry.version == *version)
    }

    /// Whether processes ended over it too often; of what this process has outlived so far, it did not.
    pub(crate) fn crash_looped(&self, version: &Version) -> bool {
        let known = self.known.lock();
        known.suspect != Some(version.digest)
            && !known.is_proven(&version.digest, &self.build)
            && known.attempts(&version.digest, &self.build) >= TRIES
    }

    /// It is about to be taken over, and is what an end is over from now on; what it was before is given back, for the case that
    /// this fails.
    pub(crate) fn begin(&self, version: &Version) -> Begun {
        let mut known = self.known.lock();
        let suspect = known.suspect;
        known.suspect(Some(version.digest), &self.build);
        let attempts = known.attempts(&version.digest, &self.build).max(1);
        let proven = known.is_proven(&version.digest, &self.build);
        let before = known.versions.iter().position(|entry| entry.version == *version);
        let before = before.map(|at| known.versions.remove(at));
        known.versions.push(Entry { version: *version, attempts, build: self.build.clone(), proven });
        let surplus = known.versions.len().saturating_sub(REMEMBERED);
        known.versions.drain(..surplus);
        self.remember(&known);
        Begun { version: *version, before, suspect }
    }

    /// Taking it over failed without ending the process: that counts for nothing.
    pub(crate) fn failed(&self, begun: Begun) {
        let mut known = self.known.lock();
        known.suspect(begun.suspect, &self.build);
        let attempts = known.attempts(&begun.version.digest, &self.build);
        known.versions.retain(|entry| entry.version != begun.version);
        let own = |entry: Entry| match entry.build == self.build {
            true => Entry { attempts, ..entry },
            false => entry,
        };
        known.versions.extend(begun.before.map(own));
        self.remember(&known);
    }

    /// The process has served for a minute by what it enforces.
    pub(crate) fn lives(&self) {
        let mut known = self.known.lock();
        known.lived = true;
        let proved = known.prove(&self.build);
        if known.absolve(&self.build) || proved {
            self.remember(&known);
        }
    }

    /// There was nothing to enforce for a while: what was refused is tried once more. Tells whether anything was.
    pub(crate) fn try_again(&self) -> bool {
        let mut known = self.known.lock();
        let granted = known.grant();
        if granted {
            self.remember(&known);
        }
        granted
    }

    /// The process is told to end: it does not end over what it enforces. Whoever ends one that was well may want to see again what
    /// was refused: it is tried once more.
    pub(crate) fn ends(&self) {
        let mut known = self.known.lock();
        let absolved = known.absolve(&self.build);
        let granted = known.lived && known.grant();
        if absolved || granted {
            self.remember(&known);
        }
    }

    /// Makes sure that a machine that ends remembers it too.
    pub(crate) fn flush(&self) -> io::Result<()> {
        disk::replace(&self.path, &[self.known.lock().text().as_bytes()])
    }

    /// The epoch and seq of the newest statement that a process held.
    pub(crate) fn held(&self, said: Said) -> (i64, u64) {
        self.known.lock().witness.held(said)
    }

    /// A statement is held, on disk or not.
    pub(crate) fn holds(&self, said: Said, place: (i64, u64)) {
        let news = self.known.lock().witness.holds(said, place);
        if news {
            self.witnessed();
        }
    }

    /// The epoch and the size at which a process saw the audit log.
    pub(super) fn seen(&self) -> (i64, u64) {
        self.known.lock().witness.seen()
    }

    /// The audit log is seen at this epoch and size.
    pub(super) fn saw(&self, place: (i64, u64)) {
        let news = self.known.lock().witness.sees(place);
        if news {
            self.witnessed();
        }
    }

    /// This is kept of earlier epochs from now on.
    pub(crate) fn traces(&self, said: Said, traced: Traced) {
        let news = self.known.lock().witness.traces(said, traced);
        if news {
            self.witnessed();
        }
    }

    /// Whether more was kept of earlier epochs than is found now.
    pub(crate) fn traced_more(&self, said: Said, found: Traced) -> bool {
        self.known.lock().witness.traced_more(said, found)
    }

    /// Whether a kept file that ends with this version is older than the one that was kept there.
    pub(crate) fn is_older(&self, file: &str, version: &Version) -> bool {
        self.known.lock().witness.is_older(file, version)
    }

    /// A file of kept policies ends with this version; where it was begun anew, what it was may have become the previous one.
    pub(crate) fn kept(&self, (file, version): (&str, &Version), kept: Kept) {
        {
            let witness = &mut self.known.lock().witness;
            if kept == Kept::InPlaceOfThePrevious {
                witness.moved();
            }
            witness.keeps(file, version);
        }
        self.witnessed();
    }

    /// A witness that can't be written is older than what it is about, which is then told by nothing.
    fn witnessed(&self) {
        if let Err(error) = self.flush() {
            tracing::error!(path = %self.path.display(), %error, "what is held can't be witnessed over a restart");
        }
    }

    /// Not flushed to the disk: it tells of processes that end, not of machines that do.
    fn remember(&self, known: &Known) {
        if let Err(error) = disk::replace_unflushed(&self.path, known.text().as_bytes()) {
            tracing::error!(path = %self.path.display(), %error, "what is enforced can't be remembered over a restart");
        }
    }
}

impl Known {
    fn text(&self) -> String {
        self.versions.iter().map(line).chain([self.witness.text()]).collect()
    }

    fn attempts(&self, digest: &Digest, build: &str) -> u32 {
        let same = self.versions.iter().filter(|e| e.version.digest == *digest && e.build == build);
        same.map(|entry| entry.attempts).max().unwrap_or(0)
    }

    fn is_proven(&self, digest: &Digest, build: &str) -> bool {
        self.versions.iter().any(|e| e.proven && e.version.digest == *digest && e.build == build)
    }

    /// What an end would be over has been lived with; tells whether that is news.
    fn prove(&mut self, build: &str) -> bool {
        let suspect = self.suspect;
        let own = |e: &&mut Entry| e.build == build && Some(e.version.digest) == suspect && !e.proven;
        self.versions.iter_mut().filter(own).map(|entry| entry.proven = true).count() > 0
    }

    /// An end is over this from now on, and over what it was before no more.
    fn suspect(&mut self, digest: Option<Digest>, build: &str) {
        if self.suspect == digest {
            return;
        }
        for entry in self.versions.iter_mut().filter(|entry| entry.build == build) {
            if Some(entry.version.digest) == self.suspect {
                entry.attempts = entry.attempts.saturating_sub(1);
            } else if Some(entry.version.digest) == digest {
                entry.attempts = entry.attempts.saturating_add(1);
            }
        }
        self.suspect = digest;
    }

    /// Ends that were no loop count no more; tells whether any did.
    fn absolve(&mut self, build: &str) -> bool {
        let suspect = self.suspect.take();
        let own = |e: &Entry| e.build == build && Some(e.version.digest) == suspect;
        let absolved = self.versions.iter_mut().filter(|e| e.attempts > 0 && (own(e) || e.attempts < TRIES));
        absolved.map(|entry| entry.attempts = 0).count() > 0
    }

    /// What is refused may be tried once more; tells whether anything was.
    fn grant(&mut self) -> bool {
        let refused = self.versions.iter_mut().filter(|entry| entry.attempts >= TRIES);
        refused.map(|entry| entry.attempts = TRIES - 1).count() > 0
    }
}

fn line(entry: &Entry) -> String {
    let Version { epoch, revision, digest } = &entry.version;
    let proven = if entry.proven { " proven" } else { "" };
    format!("{epoch} {revision} {} {} {}{proven}\n", hex(digest), entry.attempts, entry.build)
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let (epoch, revision) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let digest = digest_of(words.next()?)?;
    let (attempts, build) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    let proven = words.next() == Some("proven");
    Some(Entry { version: Version { epoch, revision, digest }, attempts, build, proven })
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn case_08_what_was_lived_with_is_no_crash_loop_however_often_processes_are_killed() {
        let home = tempfile::tempdir().unwrap();
        let open = |build: &str| Enforced::open(home.path(), build);
        let process = open("1.0");
        process.begin(&version(1));
        process.lives();
        drop(process);
        for _ in 0..5 {
            let killed = open("1.0");
            assert!(!killed.crash_looped(&version(1)));
            killed.begin(&Version { revision: 7, ..version(1) });
        }
        assert!(!open("1.0").crash_looped(&version(1)), "the same content, of whatever revision");
        // Another build has not lived with it.
        for _ in 0..2 {
            open("1.1").begin(&version(1));
        }
        assert!(open("1.1").crash_looped(&version(1)));
        // Where there is nothing else to serve by, it is tried again.
        assert!(open("1.1").try_again() && !open("1.1").crash_looped(&version(1)));
        assert!(!open("1.1").try_again(), "nothing is refused any more");
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
                first.begin(&Version { revision, ..*version });
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
    fn case_08_two_ends_over_two_policies_are_no_crash_loop_of_either() {
        let home = tempfile::tempdir().unwrap();
        let open = || Enforced::open(home.path(), "1");
        let [a, b, c] = [version(1), version(2), version(3)];
        // Each process takes over what the last one left, and soon something newer; it ends over that.
        for [left, newer] in [[&a, &b], [&b, &c], [&c, &a]] {
            let process = open();
            for version in [left, newer] {
                assert!(!process.crash_looped(version), "{version:?}");
                process.begin(version);
            }
        }
        assert!([&a, &b, &c].iter().all(|version| !open().crash_looped(version)));
        // What could not be built takes no blame from what is in force.
        let process = open();
        process.begin(&a);
        process.failed(process.begin(&b));
        drop(process);
        assert!(open().crash_looped(&a) && !open().crash_looped(&b), "it ended over the first, twice");
    }

    #[test]
    fn case_08_what_was_refused_is_tried_once_more_after_a_process_that_was_well_is_told_to_end() {
        let home = tempfile::tempdir().unwrap();
        let open = || Enforced::open(home.path(), "1");
        let [good, bad] = [version(1), version(2)];
        open().begin(&bad);
        open().begin(&bad);
        // One that is told to end before it has served for a minute was not well yet.
        let process = open();
        process.begin(&good);
        process.ends();
        assert!(open().crash_looped(&bad));
        // One that ends by itself was not restarted by anybody.
        let process = open();
        process.begin(&good);
        process.lives();
        drop(process);
        assert!(open().crash_looped(&bad));
        let process = open();
        process.begin(&good);
        process.lives();
        assert!(process.crash_looped(&bad), "not by the same process");
        process.ends();
        assert!(!open().crash_looped(&bad));
        open().begin(&bad);
        assert!(open().crash_looped(&bad), "once more, and not twice");
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
